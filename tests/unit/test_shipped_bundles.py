"""What ships: intact, small, documented, and labelled in the house's order."""

import json
from pathlib import Path

import pytest

from ml.bundles import load_bundle, read_meta, shipped_bundles
from ml.bundles.meta import CARD, SHIPPED
from ml.emotions import EMOTIONS
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


def test_the_speech_models_card_shows_the_figures_of_its_bundle() -> None:
    meta, card = read_meta("shipped:mini-speech"), (SHIPPED / "mini-speech" / CARD).read_text(encoding="utf-8")
    test = meta.metrics["test"]

    for speaker, measured in test["speakers"].items():
        names = ("accuracy", "balanced_accuracy", "balanced_accuracy_of_four")
        row = " | ".join(f"{measured[name]:.3f}" for name in names)
        assert f"| {speaker} | {measured['utterances']} | {row} |" in card
    for corpus in ("ravdess", "nemo"):
        figures = test["balanced_accuracy"]
        assert f"| {figures[corpus]:.3f} | {figures[f'{corpus}_4']:.3f} |" in card
    assert f"temperature {meta.temperature:.2f}" in card
    assert f"{test['calibration_error']['after']:.3f} after" in card
