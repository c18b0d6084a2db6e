"""The report and card of the shipped text model: figures of the right lines, and failures that are said aloud."""

from typing import Any

import numpy as np
import pytest

from ml.corpora.types import LabelledUtterance
from ml.emotions import EMOTIONS
from ml.experiments import mini_text
from ml.experiments.mini_text import floors, rows_of
from ml.experiments.outcomes import Outcome
from ml.reports.text_card import text_card

TEXTS = {"happy": "what a lovely day", "sad": "he died and we cried"}


def line(label: str, number: int) -> LabelledUtterance:
    text = f"{TEXTS[label]} {number}"
    return LabelledUtterance("meld", f"{number}", "s", label, "en", text=text, dialogue=f"d{number // 4}")


def test_floors_learn_from_the_first_lines_and_are_tested_on_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def lengths(texts: list[str]) -> np.ndarray[Any, Any]:
        seen.append(len(texts))
        return np.array([[len(text)] for text in texts], np.float32)

    monkeypatch.setattr(mini_text, "pooled", lengths)
    items = [line("happy" if n % 3 else "sad", n) for n in range(60)]

    found = {outcome.name: outcome for outcome in floors(items, 12)}

    assert seen == [60]
    truth = [item.class_no for item in items[48:]]
    assert all(outcome.items.tolist() == list(range(48, 60)) for outcome in found.values())
    assert found["majority class"].predicted.tolist() == [EMOTIONS.index("happy")] * 12
    assert found["TF-IDF + logistic regression"].predicted.tolist() == truth
    assert found["mean-pooled encoder + linear"].predicted.tolist() == truth


def report(confident: float) -> dict[str, Any]:
    items = [line("happy", n) for n in range(6)] + [line("sad", n) for n in range(6, 10)]
    predicted = np.array([EMOTIONS.index("happy")] * 9 + [EMOTIONS.index("sad")])
    before = np.full((10, 7), (1 - confident) / 6)
    before[np.arange(10), predicted] = confident
    outcomes = [
        Outcome("mini-text", np.arange(10), predicted, before, before),
        Outcome("majority class", np.arange(10), np.full(10, EMOTIONS.index("happy")), kind="baseline"),
    ]
    rows = rows_of(outcomes, items)
    counts = {"goemotions": 1234, "meld": 56}
    return {
        "name": "mini-text",
        "classes": list(EMOTIONS),
        "licence": "GPL-3.0-only",
        "temperature": 1.25,
        "layers": 6,
        "seed": 1,
        "stages": {"both": {"steps": 900, "batch": 32, "goemotions": 0.75, "rate": 1e-4}},
        "held_out": 10,
        "meld": rows,
        "goemotions": [],
        "counts": {"training": counts, "development": counts, "test": counts},
    }


def test_the_card_says_how_sure_the_model_may_be_and_what_it_misses() -> None:
    card = text_card(report(confident=0.95))

    # seven of ten are right: six happy, one of four sad
    assert "| MELD | 10 | 0.640 | 0.700 |" in card
    assert "| MELD: *majority class* | 10 | 0.450 | 0.600 |" in card
    assert "0.250 before, 0.250 after" in card
    assert "| sad | 4 | 1.000 | 0.250 | 0.400 |" in card
    assert "Of 4 lines that are sad, 1 are found; most others are called happy." in card
    assert "lines that are happy" not in card, "nothing is said of what works"
    assert "--layers 6 --seed 1" in card
