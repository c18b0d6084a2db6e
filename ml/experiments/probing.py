"""The speaker probe on a trained fold: can the speakers it was trained on be told apart by the codes alone?"""

from typing import Any

import numpy as np

from ml.models.makiuchi.probe import CodedUtterance, probe_accuracy, train_probe
from ml.training.speech_learner import SpeechLearner
from ml.training.splits import Fold

#: One utterance in so many of each speaker is kept for the test (source A, section 6.2: a fifth).
HELD_OUT = 5
#: Without `faithful`: larger batches and steps, for about the same fit in a fraction of the time.
QUICK = {"batch": 32, "epochs": 40, "learning_rate": 1e-3, "widths": (512, 256)}


def probe_speakers(learner: SpeechLearner, fold: Fold, *, seed: int) -> dict[str, Any]:
    """Accuracy on held-out utterances of the training speakers, with chance beside it."""
    items = np.sort(np.concatenate([fold.train, fold.development]))
    speakers = learner.data.speakers
    names = sorted({speakers[i] for i in items})
    codes, owners = learner.codes(items)
    coded = [CodedUtterance(codes[owners == n], names.index(speakers[i])) for n, i in enumerate(items)]
    coded = [utterance for utterance in coded if len(utterance.codes)]
    turn = {speaker: np.random.default_rng(seed).permutation(_count(coded, speaker)) for speaker in range(len(names))}
    seen = [0] * len(names)
    train: list[CodedUtterance] = []
    test: list[CodedUtterance] = []
    for utterance in coded:
        place = turn[utterance.speaker][seen[utterance.speaker]]
        (test if place % HELD_OUT == 0 else train).append(utterance)
        seen[utterance.speaker] += 1
    how: dict[str, Any] = {} if learner.released else QUICK
    probe = train_probe(train, speakers=len(names), seed=seed, device=learner.device, **how)
    frequent = max(_count(test, speaker) for speaker in range(len(names))) / len(test)
    return {
        "speakers": len(names),
        "utterances": len(test),
        "numbers_per_segment": int(codes.shape[1]),
        "accuracy": probe_accuracy(probe, test),
        "chance": frequent,
    }


def _count(coded: list[CodedUtterance], speaker: int) -> int:
    return sum(utterance.speaker == speaker for utterance in coded)
