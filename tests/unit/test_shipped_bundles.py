"""What ships: intact, small, documented, and labelled in the house's order."""

import json
from pathlib import Path

import pytest

from ml.bundles import load_bundle, read_meta, shipped_bundles
from ml.bundles.meta import CARD, SHIPPED
from ml.emotions import EMOTIONS
from ml.reports.speech_card import speech_card
from ml.reports.text_card import text_card


def test_all_bundles_together_stay_small() -> None:
    files = [path for path in Path(SHIPPED).rglob("*") if path.is_file()]

    assert {"mini-speech", "mini-text"} <= set(shipped_bundles())
    assert sum(path.stat().st_size for path in files) < 40e6


@pytest.mark.parametrize("name", shipped_bundles())
def test_a_shipped_bundle_is_intact_and_speaks_of_the_seven_classes(name: str) -> None:
    bundle = load_bundle(f"shipped:{name}")

    assert bundle.meta.name == name
    assert bundle.meta.labels == EMOTIONS
    assert bundle.tensors
    assert all(tensor.isfinite().all() for tensor in bundle.tensors.values())


@pytest.mark.parametrize("name", shipped_bundles())
def test_a_shipped_bundle_has_a_card_that_says_what_a_user_must_know(name: str) -> None:
    meta, card = read_meta(f"shipped:{name}"), (SHIPPED / name / CARD).read_text(encoding="utf-8")

    assert meta.licence in card
    assert meta.training_data, "bundle.json names the data too"
    for word in ("Languages", "Training data", "Licence", "accuracy", "python -m ml."):
        assert word in card, f"the card of {name} says nothing about {word}"


def test_the_text_models_card_is_that_of_the_report_beside_it() -> None:
    meta, folder = read_meta("shipped:mini-text"), SHIPPED / "mini-text"
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))

    assert (folder / CARD).read_text(encoding="utf-8") == text_card(report)
    assert report["sha256"] == meta.sha256, "the report is of another model"
    assert report["temperature"] == meta.temperature


def test_the_text_model_is_worth_its_place() -> None:
    report = json.loads((SHIPPED / "mini-text" / "report.json").read_text(encoding="utf-8"))
    own = {row["name"]: row for row in report["meld"]}
    shipped = own.pop("mini-text")
    baselines = [row for row in own.values() if row["kind"] == "baseline"]

    assert len(baselines) == 3
    assert all(shipped["weighted_f1"] > row["weighted_f1"] + 0.02 for row in baselines)
    assert shipped["ece_after"] <= 0.05


def test_the_speech_models_card_is_the_one_that_its_report_gives() -> None:
    folder = SHIPPED / "mini-speech"
    report, meta = json.loads((folder / "report.json").read_text(encoding="utf-8")), read_meta("shipped:mini-speech")

    assert (folder / CARD).read_text(encoding="utf-8") == speech_card(report)
    assert meta.temperature == report["temperature"]
    assert all(meta.metrics[name] == report[name] for name in meta.metrics)
    held = [speaker for fold in report["folds"] for speaker in fold]
    assert sorted(held) == sorted(report["speakers"]), "every speaker is held out once"
