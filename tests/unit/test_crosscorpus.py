"""The cross-corpus table: who is heard and who is tested, every method in it, and intervals over speakers."""

from pathlib import Path

import numpy as np
import pytest

from ml.adaptation.crosscorpus import LABELS_PER_CLASS, WITH, WITHOUT, Budget, cut, entries
from ml.adaptation.crosstable import gain, markdown
from ml.adaptation.plan import AdaptationPlan
from ml.adaptation.registry import CARDS
from tests.corpora.acted import write_ravdess


def test_nobody_who_is_tested_is_heard_and_few_labels_are_few(tmp_path: Path) -> None:
    folder = write_ravdess(tmp_path / "ravdess", actors=range(1, 11), emotions=("03", "04"), takes=2, seconds=0.1)

    parts = cut("ravdess", folder, ("happy", "sad"), tmp_path, None)

    tested, rest = ({item.speaker for item in part.items} for part in (parts.tested, parts.rest))
    assert len(tested) == 4 and len(rest) == 6 and not tested & rest
    assert {item.gender for item in parts.tested.items} == {"female", "male"}
    keys = {item.item_id for item in parts.rest.items}
    assert all(item.item_id in keys for item in parts.few.items)
    assert [sum(item.label == label for item in parts.few.items) for label in ("happy", "sad")] == [
        min(LABELS_PER_CLASS, 24)
    ] * 2


def test_every_method_stands_in_the_table_with_and_without_labels_where_it_can() -> None:
    every = list(entries(AdaptationPlan.of("finetune", head_steps=10)))

    used = {choice.name for entry in every for choice in entry.methods}
    # The one that needs a recogniser's checkpoint, and the start of the source models themselves.
    assert used == CARDS.keys() - {"ctc-start", "fresh-encoder"}
    blind = [entry for entry in every if entry.setting == WITHOUT]
    assert all(entry.labelled in ("none", "source") for entry in blind)
    assert all(entry.labelled == "few" for entry in every if entry.setting == WITH)
    assert len({(entry.name, entry.setting) for entry in every}) == len(every)


def test_a_gain_is_judged_on_the_same_speakers_drawn_again() -> None:
    rng = np.random.default_rng(0)
    speakers = [f"s{n % 10}" for n in range(400)]
    labels = rng.integers(0, 4, 400)
    # Speakers differ a lot, and the second model is right wherever the first one is, and more often.
    easy = np.array([int(speaker[1:]) for speaker in speakers]) / 10
    one = np.where(rng.random(400) < easy, labels, (labels + 1) % 4)
    other = np.where(rng.random(400) < 0.2, labels, one)

    value, difference = gain(labels, one, other, speakers, 4)

    right = other == labels
    assert value.value == pytest.approx(np.mean([right[labels == c].mean() for c in range(4)]))
    assert difference.low > 0
    assert difference.high - difference.low < (value.high - value.low) / 2
    assert gain(labels, one, one, speakers, 4)[1].high == 0


def test_a_refusal_is_a_row_of_the_table(tmp_path: Path) -> None:
    folder = write_ravdess(tmp_path / "ravdess", actors=range(1, 6), emotions=("03", "04"), seconds=0.1)
    parts = cut("ravdess", folder, ("happy", "sad"), tmp_path, None)
    said = [0] * len(parts.tested.items)
    rows = [
        {"name": "source only", "setting": WITHOUT, "target": said, "source": said},
        {"name": "kliep", "setting": WITHOUT, "refused": "too little support"},
    ]

    text = markdown([("a", "b", parts.tested, parts.tested, rows)], ("happy", "sad"), Budget())

    assert "| no target labels | source only | 0.500 [0.500, 0.500] |" in text
    assert "| no target labels | kliep | refused: too little support |" in text
