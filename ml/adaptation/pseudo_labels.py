"""Self-training: the champion labels what nobody has labelled, where it is sure, evenly over classes.

Class-balanced self-training: Zou, Yu, Vijaya Kumar, Wang (ECCV 2018, section 4); it is how emotion2vec+ grew from 201
to 42,526 hours. Transductive transfer of Han, Zhao, Wang 2019, section II. Confidence is calibrated first, on the
development speakers: networks are surer than they are right, and a threshold on that would let anything through.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.adaptation.errors import DataLacking
from ml.adaptation.material import UNLABELLED
from ml.adaptation.method import Method, Work, needed, scores, setting
from ml.training.scoring import Scores


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which rows are labelled, and as what."""

    rows: NDArray[np.int64]
    labels: NDArray[np.int64]


def balanced_choice(probabilities: NDArray[np.float64], *, share: float, threshold: float) -> Chosen:
    """The surest rows of [N, classes], in each class at most its even part of `share` of all, none below `threshold`.

    Classes are compared by how much likelier they are here than on average, so that one that a model
    says seldom is not passed over where it stands out.
    """
    count, classes = probabilities.shape
    usual = np.maximum(probabilities.mean(axis=0), 1e-6)
    labels = (probabilities / usual).argmax(axis=1)
    sure = probabilities[np.arange(count), labels]
    most = max(1, int(share * count / classes))
    rows: list[int] = []
    for c in range(classes):
        own = np.flatnonzero((labels == c) & (sure >= threshold))
        rows += own[np.argsort(-sure[own], kind="stable")][:most].tolist()
    kept = np.sort(np.asarray(rows, dtype=np.int64))
    return Chosen(kept, labels[kept])


class PseudoLabels(Method):
    """Chosen utterances of the target join the labelled ones, at half weight."""

    name = "pseudo-labels"

    def __init__(self, work: Work, *, share: float = 0.5, threshold: float = 0.5, weight: float = 0.5) -> None:
        super().__init__(work)
        setting(0 < share <= 1 and 0 <= threshold < 1 and weight > 0, "pseudo-labels: 0 < share ≤ 1, 0 ≤ threshold < 1")
        material = work.material
        numbers = needed(material.domain(UNLABELLED), 10, "unlabelled target utterances", self.name)
        temperature = work.temperature
        if len(held := material.development):
            own = scores(work.network, material, work.frames, held, work.device, conv=False)
            temperature = own.fitted_temperature(material.labels[held])
        heard: Scores = scores(work.network, material, work.frames, numbers, work.device, conv=False)
        found = balanced_choice(heard.probabilities(temperature), share=share, threshold=threshold)
        counts = np.bincount(found.labels, minlength=len(work.labels)).tolist()
        work.notes[self.name] = {
            "temperature": temperature,
            "of": len(numbers),
            "chosen": dict(zip(work.labels, counts, strict=True)),
        }
        if sum(count > 0 for count in counts) < 2:
            raise DataLacking(f"the champion is sure (over {threshold:.0%}) of fewer than two classes in the target")
        chosen = numbers[found.rows]
        material.targets[chosen, found.labels] = 1
        material.weights[chosen] = weight
