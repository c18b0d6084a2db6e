"""Teachers: the text model teaches the speech model what words say, and relations between utterances are kept.

Cross-modal: Albanie et al. (ACM MM 2018) let faces teach speech, which the survey cites (Han, Zhao, Wang 2019, section
III.A, feature transfer between modalities); here the teacher reads transcripts of speech that nobody labelled. Softened
probabilities: Hinton, Vinyals, Dean (2015). Relational transfer (section II): relational knowledge distillation, Park,
Kim, Lu, Cho (CVPR 2019, sections 3.1 and 3.2).
"""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.adaptation.errors import DataLacking
from ml.adaptation.heads import Heard
from ml.adaptation.material import TARGET, UNLABELLED, Batch, Indices
from ml.adaptation.method import Method, Moment, Work, setting
from ml.corpora.types import TEXT_MODEL
from ml.emotions import EMOTIONS
from ml.inference.sides import load_text

#: Fewer texts teach nothing.
LEAST = 10
#: Relations of so many utterances of a batch are compared: triples grow with the third power.
RELATED = 24


def text_probabilities(work: Work, numbers: Indices) -> NDArray[np.float64]:
    """What the text model says of transcripts [n, classes], by the run's classes; NaN where it cannot be asked.

    It is asked in its languages only, and says nothing of classes that it does not know. What it has said already,
    when an utterance was analysed, is taken as it is: the words may not have been kept.
    Raises `DataLacking` without a text model, or without enough text for it.
    """
    side = work.teacher
    if side is None:
        raise DataLacking("the text model is to teach, but the profile has none")
    items = [work.material.items[i] for i in numbers]
    before = [item.annotator == TEXT_MODEL and item.distribution is not None for item in items]
    languages = side["languages"]
    teacher = load_text(side, work.device)
    texts = [
        "" if known or (languages and item.language not in languages) else teacher.spoken(item.text)
        for item, known in zip(items, before, strict=True)
    ]
    readable = sum(map(bool, texts)) + sum(before)
    if readable < LEAST:
        raise DataLacking(f"the text model can read {readable} transcripts, too few to teach ({LEAST})")
    said = teacher.scores(teacher.tokens(texts))
    result = np.zeros((len(items), len(work.labels)))
    for column, label in enumerate(work.labels):
        if label in side["labels"]:
            result[:, column] = said[:, list(side["labels"]).index(label)]
        for row, item in enumerate(items):
            if before[row] and item.distribution is not None:
                result[row, column] = item.distribution[EMOTIONS.index(label)]
    total = result.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(total > 1e-6, result / total, np.nan))


class CrossModal(Method):
    """Adds the divergence of the speech model's answers from the text model's, on utterances with a transcript."""

    name = "cross-modal"
    hears_target = True
    taught: Tensor
    known: Tensor

    def __init__(self, work: Work, *, weight: float = 0.5, softness: float = 2.0, confidence: float = 0.4) -> None:
        super().__init__(work)
        setting(
            weight > 0 and softness > 0 and 0 <= confidence < 1, "cross-modal: weight, softness > 0, confidence < 1"
        )
        numbers = work.material.domain(TARGET, UNLABELLED)
        said = text_probabilities(work, numbers)
        sure = np.nan_to_num(said).max(axis=1) >= confidence
        if sure.sum() < LEAST:
            raise DataLacking(f"the text model is sure (over {confidence:.0%}) of only {sure.sum()} transcripts")
        table = np.zeros((len(work.material.items), len(work.labels)), dtype=np.float32)
        soft = said[sure] ** (1 / softness)
        table[numbers[sure]] = soft / soft.sum(axis=1, keepdims=True)
        self.register_buffer("taught", torch.from_numpy(table).to(work.device), persistent=False)
        self._weight, self._softness = weight, softness
        work.notes[self.name] = {"taught": int(sure.sum()), "of": len(numbers)}

    def loss(self, heard: Heard, batch: Batch, moment: Moment) -> Tensor | None:
        """KL divergence of softened probabilities, times softness², since softened gradients are so much smaller."""
        wanted = self.taught[torch.from_numpy(batch.numbers).to(self.taught.device)]
        rows = wanted.any(dim=1)
        if not bool(rows.any()):
            return None
        said = torch.log_softmax(heard.log_probabilities[rows] / self._softness, dim=1)
        divergence = nn.functional.kl_div(said, wanted[rows], reduction="batchmean")
        return self._weight * self._softness**2 * divergence


class Relations(Method):
    """Adds what distances and angles between utterances differ from the teacher's, the champion or the text model."""

    name = "relations"
    hears_target = True
    taught: Tensor

    def __init__(self, work: Work, *, weight: float = 1.0, teacher: Literal["champion", "text"] = "champion") -> None:
        super().__init__(work)
        setting(weight > 0 and teacher in ("champion", "text"), "relations: weight > 0, teacher champion or text")
        everybody = np.arange(len(work.material.items))
        if teacher == "champion":
            table: NDArray[np.float64] = work.embeddings(everybody).astype(np.float64)
        else:
            table = np.log(np.maximum(text_probabilities(work, everybody), 1e-4))
        self.register_buffer("taught", torch.from_numpy(table).float().to(work.device), persistent=False)
        self._weight = weight

    def loss(self, heard: Heard, batch: Batch, moment: Moment) -> Tensor | None:
        """Distances plus twice angles, the paper's proportion; over up to 24 utterances that the teacher knows."""
        wanted = self.taught[torch.from_numpy(batch.numbers).to(self.taught.device)]
        known = (~wanted.isnan().any(dim=1)).nonzero()[:, 0]
        # Utterances of both domains, evenly spread over the batch.
        rows = known[:: max(1, len(known) // RELATED)][:RELATED]
        if len(rows) < 3:
            return None
        ours, theirs = heard.embedding.float()[rows], wanted[rows]
        return self._weight * (distance_loss(ours, theirs) + 2 * angle_loss(ours, theirs))


def distance_loss(ours: Tensor, theirs: Tensor) -> Tensor:
    """Huber loss between distances of pairs of [n, D] and [n, E], each divided by its mean (RKD-D)."""

    def relative(points: Tensor) -> Tensor:
        apart = torch.pdist(points)
        return apart / apart.mean().clamp(min=1e-8)

    return nn.functional.smooth_l1_loss(relative(ours), relative(theirs))


def angle_loss(ours: Tensor, theirs: Tensor) -> Tensor:
    """Huber loss between cosines of angles that triples of [n, D] and [n, E] form (RKD-A)."""

    def cosines(points: Tensor) -> Tensor:
        towards = nn.functional.normalize(points[None] - points[:, None], dim=2)
        return torch.einsum("jid,jkd->jik", towards, towards)

    return nn.functional.smooth_l1_loss(cosines(ours), cosines(theirs))
