"""What the small speech model is worth on people it has not heard: all figures of `report.json`, from folds.

Every speaker is scored once, by a model that has not heard that speaker.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.emotions import EMOTIONS
from ml.training.metrics import balanced_accuracy, bootstrap, confusion, expected_calibration_error, recalls
from ml.training.scoring import Scores
from ml.training.splits import Indices, k_fold
from ml.training.voice_bank import FOUR, VoiceBank

Probabilities = NDArray[np.float64]


def speaker_folds(corpora: NDArray[np.str_], speakers: NDArray[np.str_], k: int, *, seed: int = 0) -> list[Indices]:
    """k test sets that hold out every speaker once, each with some of every corpus."""
    tests: list[list[Indices]] = [[] for _ in range(k)]
    for corpus in sorted(set(corpora)):
        rows = np.flatnonzero(corpora == corpus)
        for number, own in enumerate(k_fold(list(speakers[rows]), k, seed).values()):
            tests[number].append(rows[own])
    return [np.sort(np.concatenate(parts)) for parts in tests]


def temperature_of(logits: Probabilities, bank: VoiceBank, rows: Indices) -> float:
    """Fitted on these clips, every corpus counting alike: the more numerous one must not decide alone."""
    sizes = {corpus: int((bank.corpora[rows] == corpus).sum()) for corpus in set(bank.corpora[rows])}
    least = min(sizes.values())
    rng = np.random.default_rng(0)
    chosen = [rng.choice(rows[bank.corpora[rows] == corpus], least, replace=False) for corpus in sorted(sizes)]
    kept = np.concatenate(chosen)
    return Scores.of_whole(logits[kept]).fitted_temperature(bank.labels[kept])


def across_folds(logits: Probabilities, bank: VoiceBank, folds: Sequence[Indices]) -> Probabilities:
    """Probabilities [N, classes]: every fold with the temperature of the other folds."""
    result = np.zeros_like(logits)
    for number, own in enumerate(folds):
        others = np.concatenate([fold for other, fold in enumerate(folds) if other != number])
        result[own] = Scores.of_whole(logits[own]).probabilities(temperature_of(logits, bank, others))
    return result


def of_four(probabilities: Probabilities, labels: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which items are angry, happy, neutral or sad, and the most probable of these for each such item."""
    four = np.array([EMOTIONS.index(name) for name in FOUR])
    kept = np.isin(labels, four)
    return kept, four[probabilities[kept][:, four].argmax(axis=1)]


def speech_report(
    logits: dict[str, Probabilities], bank: VoiceBank, folds: Sequence[Indices], floor: dict[str, Any] | None
) -> dict[str, Any]:
    """Figures by corpus, speaker and class, calibration error before and after, and the floor of the same folds.

    `logits` [N, classes] by what is known of the speakers (`ml.training.voice_fit.KNOWN`).
    """
    usual = logits["usual_voice"]
    plain, calibrated = Scores.of_whole(usual).probabilities(), across_folds(usual, bank, folds)
    everything = np.arange(len(bank.labels))
    corpora = {corpus: np.flatnonzero(bank.corpora == corpus) for corpus in sorted(set(bank.corpora))}
    speakers = {speaker: bank.of(speaker) for speaker in sorted(set(bank.speakers))}
    return {
        "folds": [sorted(set(bank.speakers[fold])) for fold in folds],
        "temperature": temperature_of(usual, bank, everything),
        "corpora": {corpus: _of_corpus(calibrated, bank, rows) for corpus, rows in corpora.items()},
        "speakers": {speaker: _of_speaker(calibrated, bank, rows) for speaker, rows in speakers.items()},
        "calibration_error": {
            name: {
                "before": expected_calibration_error(plain[rows], bank.labels[rows]),
                "after": expected_calibration_error(calibrated[rows], bank.labels[rows]),
            }
            for name, rows in (corpora | {"all": everything}).items()
        },
        "known_voice": {
            corpus: {known: _accuracy_of_four(values[rows], bank.labels[rows]) for known, values in logits.items()}
            for corpus, rows in corpora.items()
        },
        "floor": floor,
    }


def _accuracy_of_four(values: Probabilities, labels: NDArray[np.int64]) -> float:
    kept, chosen = of_four(values, labels)
    return balanced_accuracy(labels[kept], chosen)


def _of_corpus(probabilities: Probabilities, bank: VoiceBank, rows: Indices) -> dict[str, Any]:
    own, labels = probabilities[rows], bank.labels[rows]
    speakers, classes = bank.speakers[rows], len(EMOTIONS)
    kept, chosen = of_four(own, labels)
    matrix = confusion(labels, own.argmax(axis=1), classes)
    seven = bootstrap(labels, own.argmax(axis=1), list(speakers), classes)
    four = bootstrap(labels[kept], chosen, list(speakers[kept]), classes)
    return {
        "utterances": len(rows),
        "speakers": len(set(speakers)),
        "all_classes": {name: asdict(interval) for name, interval in seven.items()},
        "four_classes": {name: asdict(interval) for name, interval in four.items()},
        "recall": dict(zip(EMOTIONS, recalls(matrix), strict=True)),
        "confusion": matrix.tolist(),
    }


def _of_speaker(probabilities: Probabilities, bank: VoiceBank, rows: Indices) -> dict[str, Any]:
    own, labels = probabilities[rows], bank.labels[rows]
    return {
        "utterances": len(rows),
        "accuracy": float((own.argmax(axis=1) == labels).mean()),
        "balanced_accuracy": balanced_accuracy(labels, own.argmax(axis=1)),
        "balanced_accuracy_of_four": _accuracy_of_four(own, labels),
        "calibration_error": expected_calibration_error(own, labels),
    }
