"""`tenor train` from a miniature corpus to report and profile, and `tenor evaluate` of that profile."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2Model
from typer.testing import CliRunner

from ml.experiments.fusion_sweep import Sides, artificial_pairs, fitted_weight, sweep
from ops.accuracy.page import page
from ops.accuracy.stored import Stored
from ops.cli.main import app
from tests.corpora.acted import write_ravdess
from tests.corpora.iemocap import write_iemocap
from tests.corpora.texts import write_meld
from tests.unit.hub_models import FAMILIES
from tests.unit.hub_models import text_encoder as hub_text_encoder
from tests.unit.tiny_models import SPEECH_ENCODER, text_encoder

SHORT = ("--steps", "4", "--judge-every", "2", "--batch", "2", "--channels", "16", "--device", "cpu")


def tenor(*arguments: str | Path, home: Path) -> str:
    """Standard output of a command that has to succeed."""
    done = CliRunner().invoke(app, [str(a) for a in arguments], env={"TENOR_HOME": str(home)})
    assert done.exit_code == 0, done.output + str(done.exception)
    return done.stdout


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Encoders in the Hub's format, a miniature IEMOCAP, and one run of the recipe over both."""
    folder = tmp_path_factory.mktemp("training")
    torch.manual_seed(1)
    Wav2Vec2Model(Wav2Vec2Config(**SPEECH_ENCODER)).save_pretrained(folder / "wav2vec2")
    text_encoder(folder / "bert")
    write_iemocap(folder / "IEMOCAP", sessions=2, turns=("ang", "exc", "neu", "sad"), seconds=0.4)
    tenor(*command(folder), home=folder / "home")
    return folder


def command(folder: Path, *more: str) -> Sequence[str | Path]:
    """The one command."""
    return (
        *("train", "makiuchi2021", "--corpus", f"iemocap={folder / 'IEMOCAP'}"),
        *("--encoder", folder / "wav2vec2", "--text-encoder", folder / "bert"),
        *("--compare", "small,large,no-reconstruction", "--out", folder / "run", "--json", *SHORT, *more),
    )


def report_of(folder: Path) -> dict[str, object]:
    report: dict[str, object] = json.loads((folder / "run" / "report.json").read_text(encoding="utf-8"))
    return report


def test_one_command_goes_from_a_corpus_to_a_report(world: Path) -> None:
    report = report_of(world)

    assert report["command"].startswith("tenor train makiuchi2021 --corpus iemocap=IEMOCAP/")  # type: ignore[attr-defined]
    models = {row["name"]: row for row in report["trained"]}  # type: ignore[attr-defined]
    assert (
        models["small"]["steps"] == [4, 4] and models["large"]["parameters"] > models["no-reconstruction"]["parameters"]
    )
    assert report["folds"] == {"kind": "session", "names": ["iemocap-Ses01", "iemocap-Ses02"]}
    rows = {row["name"]: row for row in report["rows"]}  # type: ignore[attr-defined]
    assert {"small", "large", "no-reconstruction", "mel", "majority class", "mean-pooled encoder + linear"} <= set(rows)
    # Everybody is tested once, whatever the model.
    assert {row["n"] for row in rows.values()} == {32}
    assert rows["majority class"]["balanced_accuracy"]["value"] == 0.25
    assert rows["small"]["ece_after"] is not None
    text = (world / "run" / "report.md").read_text(encoding="utf-8")
    assert "theirs: speech, Small" in text and "| small |" in text
    for picture in ("confusion.png", "reliability.png", "curves.png"):
        assert (world / "run" / picture).read_bytes().startswith(b"\x89PNG")


def test_the_report_tells_of_reconstruction_speakers_and_weights(world: Path) -> None:
    report = report_of(world)

    rebuilt = {row["variant"]: row for row in report["reconstruction"]}  # type: ignore[attr-defined]
    assert rebuilt["no-reconstruction"]["model"] is None
    assert rebuilt["small"]["model"] > 0 and rebuilt["small"]["mean_mel"] == rebuilt["large"]["mean_mel"] > 0
    codes = {row["variant"]: row["numbers_per_segment"] for row in report["probe"]}  # type: ignore[attr-defined]
    assert codes == {"small": 2 * 16, "large": 48 * 256}
    fusion = report["fusion"]
    assert not fusion["artificial"] and len(fusion["sweep"]) == 12  # type: ignore[index]
    alone = {row["name"]: row["accuracy"]["value"] for row in fusion["rows"]}  # type: ignore[index]
    ends = {row["w_speech"]: row["accuracy"] for row in fusion["sweep"][:11]}  # type: ignore[index]
    assert (ends[1.0], ends[0.0]) == (alone["speech"], alone["text"])


def test_a_baseline_that_is_not_installed_says_how_to_install_it(
    world: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import sys

    from ml.experiments.baselines import EGEMAPS, speech_baseline

    monkeypatch.setitem(sys.modules, "opensmile", None)
    outcome = speech_baseline(EGEMAPS, [], None, [])  # type: ignore[arg-type]

    assert outcome.kind == "missing" and "pip install" in outcome.notes[0]


def test_a_run_is_resumed_without_training_again_and_never_mixed_with_another(world: Path) -> None:
    before = (world / "run" / "report.json").read_bytes()
    results = {path: path.stat().st_mtime_ns for path in (world / "run").rglob("result.json")}
    again = CliRunner().invoke(app, [str(a) for a in command(world)])
    other = CliRunner().invoke(app, [str(a) for a in command(world, "--resume", "--seed", "9")])
    home = world / "home"
    tenor(*command(world, "--resume"), home=home)

    assert again.exit_code == 1 and "--resume" in again.output
    assert other.exit_code == 1 and "seed" in other.output
    assert {path: path.stat().st_mtime_ns for path in (world / "run").rglob("result.json")} == results
    assert json.loads(before)["rows"] == report_of(world)["rows"]


def test_the_trained_profile_is_measured_on_another_corpus(world: Path, tmp_path: Path) -> None:
    write_ravdess(tmp_path / "ravdess", actors=(1, 2), emotions=("01", "03", "04", "05", "06"), seconds=0.4)

    out = tenor(
        *("evaluate", world / "run" / "profile.toml", "--corpus", "ravdess", tmp_path / "ravdess", "--json"),
        home=world / "home",
    )

    found = json.loads(out)
    assert found["classes"] == ["angry", "happy", "neutral", "sad"]
    for side in ("speech", "text", "fused"):
        row = found["modalities"][side]
        assert row["n"] == 16
        assert {"accuracy", "balanced_accuracy", "weighted_f1", "ece"} <= set(row)
        assert 0 <= row["accuracy"] <= 1
    assert any("have none of the labels" in note for note in found["notes"])
    assert any("was trained on " in note for note in found["notes"])


def test_a_split_that_a_corpus_does_not_have_is_told_with_those_it_has(tmp_path: Path) -> None:
    write_meld(tmp_path / "MELD", dialogues=1)
    command = ["evaluate", "mini", "--corpus", "meld", str(tmp_path / "MELD"), "--split", "validation"]

    done = CliRunner().invoke(app, command, env={"TENOR_HOME": str(tmp_path)})

    assert done.exit_code == 1 and "no split validation" in done.output and "dev, test, train" in done.output


def test_the_faithful_run_makes_the_models_of_the_published_profile(world: Path, tmp_path: Path) -> None:
    from ml.bundles import read_meta
    from ml.profiles import load_profile

    tenor(
        *("train", "makiuchi2021", "--faithful", "--corpus", f"iemocap={world / 'IEMOCAP'}", "--no-baselines"),
        *("--encoder", world / "wav2vec2", "--text-encoder", world / "bert", "--no-probe", "--only-folds", "1"),
        *("--cache", world / "home" / "features", "--json", *SHORT),
        home=tmp_path,
    )

    models = tmp_path / "models"
    spec = load_profile("makiuchi2021", trained=models).resolve()
    assert spec["text"]["config"]["head"]["variant"] == "faithful"
    assert read_meta(str(models / "makiuchi2021" / "bundles" / "speech")).config["head"]["segment_weight"] == "equal"
    report = json.loads((models / "makiuchi2021" / "report.json").read_text(encoding="utf-8"))
    # No development set, so nothing is fitted on one: the paper's weights, uncalibrated.
    assert (report["fusion"]["w_speech"], report["fusion"]["w_text"]) == (0.6, 1.0)
    assert report["rows"][0]["ece_after"] is None
    assert report["plan"]["schedule"]["rate"] == 1e-4 and report["plan"]["schedule"]["patience"] is None


def test_text_is_compared_over_families_of_encoders_in_the_corpus_own_split(tmp_path: Path) -> None:
    write_meld(tmp_path / "MELD", dialogues=2)
    families = list(FAMILIES)[:3]
    encoders = [hub_text_encoder(tmp_path / family, family) for family in families]

    out = tenor(
        *("train", "text", "--corpus", f"meld={tmp_path / 'MELD'}", "--classes", "7", "--encoders"),
        *(",".join(map(str, encoders)), "--out", tmp_path / "run", "--json", *SHORT),
        *("--digest", tmp_path / "kept" / "meld.json"),
        home=tmp_path / "home",
    )

    report = json.loads(out)
    # What is kept of it makes a page by itself, with the command that makes it again anywhere.
    stored = Stored.read(tmp_path / "kept", tmp_path / "no-bundles")
    text = page(stored)
    assert "tenor train text --corpus meld=MELD/ --encoders" in text and str(tmp_path) not in text
    assert all(f"| {row['n']} |" in text and f"{row['weighted_f1']:.3f}" in text for row in report["rows"])
    assert all(f"| {family} |" in text for family in families)
    models = [row for row in report["rows"] if row["kind"] == "model"]
    assert [row["name"] for row in models] == [str(encoder) for encoder in encoders]
    # MELD's test part is tested, its dev part decides when to stop.
    assert {row["n"] for row in report["rows"]} == {14}
    majority = next(row for row in report["rows"] if row["name"] == "majority class")
    assert majority["balanced_accuracy"]["value"] == pytest.approx(1 / 7)
    assert "TF-IDF + logistic regression" in {row["name"] for row in report["rows"]}
    assert Path(report["bundles"]["text"], "weights.safetensors").is_file()


def test_a_command_that_failed_before_it_trained_is_put_right_and_typed_again(tmp_path: Path) -> None:
    write_meld(tmp_path / "MELD", dialogues=2)
    encoder = hub_text_encoder(tmp_path / "encoder", next(iter(FAMILIES)))
    more = ("--out", str(tmp_path / "run"), "--no-baselines", "--no-bundle", "--json", *SHORT)

    for corpus, encoders in (("nowhere", encoder), ("MELD/dev_sent_emo.csv", encoder), ("MELD", tmp_path / "nothing")):
        wrong = ["train", "text", "--corpus", f"meld={tmp_path / corpus}", "--encoders", str(encoders), *more]
        assert CliRunner().invoke(app, wrong, env={"TENOR_HOME": str(tmp_path)}).exit_code == 1
    out = tenor("train", "text", "--corpus", f"meld={tmp_path / 'MELD'}", "--encoders", encoder, *more, home=tmp_path)

    # Nothing is left of what the mistaken commands had read.
    assert [part["items"] for part in json.loads(out)["data"]] == [24]


@pytest.mark.parametrize(
    ("actors", "more", "why"),
    [
        ((1,), (), "speakers"),
        ((1, 2, 3), ("--folds", "session"), "no sessions"),
        ((1, 2, 3), ("--folds", "4"), "4 folds"),
        ((1, 2, 3), ("--text-corpus", "meld=/nowhere"), "/nowhere"),
        ((1, 2, 3), ("--text-encoder", "/nowhere"), "/nowhere"),
    ],
)
def test_what_cannot_end_well_is_refused_before_features_are_made(
    actors: Sequence[int], more: Sequence[str], why: str, tmp_path: Path
) -> None:
    write_ravdess(tmp_path / "ravdess", actors=actors, emotions=("01", "03", "04", "05"), seconds=0.3)
    command = ["train", "makiuchi2021", "--corpus", f"ravdess={tmp_path / 'ravdess'}", "--out", str(tmp_path / "run")]

    done = CliRunner().invoke(app, [*command, *SHORT, *more], env={"TENOR_HOME": str(tmp_path / "home")})

    assert done.exit_code == 1 and why in done.output
    assert not (tmp_path / "home" / "features").exists()


def test_a_recording_that_cannot_be_decoded_is_left_out_and_named(tmp_path: Path) -> None:
    corpus = write_ravdess(tmp_path / "ravdess", actors=(1, 2, 3), emotions=("01", "03", "04", "05"), seconds=0.3)
    broken = sorted(corpus.rglob("*.wav"))[0]
    broken.write_bytes(b"RIFF of nothing")

    out = tenor(
        *("train", "makiuchi2021", "--corpus", f"ravdess={corpus}", "--variant", "mel", "--no-baselines"),
        *("--no-bundle", "--only-folds", "1", "--out", tmp_path / "run", "--json", *SHORT),
        home=tmp_path,
    )

    assert f"1 left out: cannot be used (first {broken}" in "\n".join(json.loads(out)["notes"])


def test_a_table_of_which_no_recording_is_there_says_so(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("path,label\nlost.wav,angry\n", encoding="utf-8")
    command = ["train", "makiuchi2021", "--corpus", f"csv={tmp_path / 'labels.csv'}", "--out", str(tmp_path / "run")]

    done = CliRunner().invoke(app, command, env={"TENOR_HOME": str(tmp_path)})

    assert done.exit_code == 1 and "1 left out: no audio" in done.output


def test_a_corpus_without_a_place_is_asked_for(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["train", "makiuchi2021", "--corpus", "ravdess", "--out", str(tmp_path)])

    assert done.exit_code == 1 and "--data" in done.output


def test_a_corpus_is_found_by_name_in_the_folder_of_the_settings(world: Path, tmp_path: Path) -> None:
    (tmp_path / "iemocap").symlink_to(world / "IEMOCAP")
    arguments = ["train", "makiuchi2021", "--corpus", "iemocap", "--out", str(world / "run"), "--json"]
    done = CliRunner().invoke(app, arguments, env={"TENOR_HOME": str(tmp_path), "TENOR_DATA_DIR": str(tmp_path)})

    # Found, so that the command comes as far as to see that the folder of the run is taken.
    assert done.exit_code == 1 and "--resume" in done.output


def test_artificial_pairs_share_their_label_and_come_from_the_given_texts() -> None:
    labels, written_labels = np.array([0, 1, 2, 1]), np.array([1, 0, 1, 1, 0])
    pairs = artificial_pairs(np.arange(4), labels, written_labels, np.array([1, 2, 3]), seed=1)

    # No text has label 2, so the third item is left out.
    assert pairs.spoken.tolist() == [0, 1, 3]
    assert [written_labels[w] for w in pairs.written] == [0, 1, 1]
    assert set(pairs.written) <= {1, 2, 3}


def test_weights_go_to_the_side_that_knows() -> None:
    labels = np.tile([0, 1], 50)
    knows, guesses = np.eye(2)[labels] * 0.8 + 0.1, np.full((100, 2), 0.5)

    nothing = np.full((100, 2), np.nan)
    assert fitted_weight(Sides(knows, guesses, labels)) == 1.0
    assert fitted_weight(Sides(guesses, knows, labels)) == 0.0
    assert fitted_weight(Sides(guesses, nothing, labels)) == 1.0
    assert sweep(Sides(guesses, knows, labels))[0]["accuracy"] == 1.0
