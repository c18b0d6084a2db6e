"""Profiles other than `mini`, by the command: source A as published, once it is trained, and published classifiers."""

import json
import shutil
from pathlib import Path

import pytest
import soundfile

from tests.acceptance.house import SAMPLES, House, write_wav
from tests.unit import hub_models, tiny_models

FOUR = ("angry", "happy", "neutral", "sad")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A call with its transcript, and the beginning of another without."""
    folder = tmp_path_factory.mktemp("two calls")
    for name in ("bereavement.ogg", "bereavement.txt"):
        shutil.copy(SAMPLES / name, folder / name)
    samples, rate = soundfile.read(SAMPLES / "scam-worry.ogg", dtype="float32")
    write_wav(folder / "unwritten.wav", samples[: 5 * rate], rate)
    return folder


def test_an_untrained_profile_says_what_to_train(house: House, archive: Path) -> None:
    refused = house.run("analyze", str(archive), "--profile", "makiuchi2021", "--json", code=1)

    error = json.loads(refused.stdout)["error"]
    assert error["code"] == "model_not_trained"
    assert f"tenor train makiuchi2021 --faithful --corpus iemocap=FOLDER --out {house.home}/models" in refused.stderr


def test_fused_scores_follow_in_sql_from_both_sides_and_the_papers_weights(house: House, archive: Path) -> None:
    # Given random models where training would have put them
    tiny_models.faithful_bundles(house.home / "models" / "makiuchi2021" / "bundles")

    # When the calls are analysed as published
    done = house.json("analyze", str(archive), "--profile", "makiuchi2021")

    # Then every fused probability is (0.6 · speech + 1.0 · text) / 1.6, or that of the only side there is
    both = ", ".join(
        f"abs(p_{e} - (0.6 * speech_{e}::float8 + 1.0 * text_{e}::float8) / (0.6 + 1.0)) AS {e}" for e in FOUR
    )
    alone = ", ".join(f"abs(p_{e} - coalesce(speech_{e}, text_{e})) AS {e}" for e in FOUR)
    worst = f"max(greatest({', '.join(FOUR)})) AS worst, count(*) AS n"
    rows = "FROM job_emotions WHERE job_id = :j AND speech_angry IS NOT NULL AND text_angry IS"
    fused = house.rows(f"SELECT {worst} FROM (SELECT {both} {rows} NOT NULL) AS d", j=done["job_id"])[0]
    single = house.rows(f"SELECT {worst} FROM (SELECT {alone} {rows} NULL) AS d", j=done["job_id"])[0]
    assert fused["n"] >= 5 and fused["worst"] < 1e-6
    assert single["n"] > 0 and single["worst"] == 0

    # And both sides decide: neither is the fused one, and they are not the same for all
    spread = house.rows(
        "SELECT max(abs(p_angry - speech_angry)) AS moved, stddev(speech_angry) AS voices, stddev(text_angry) AS words"
        " FROM job_emotions WHERE job_id = :j AND text_angry IS NOT NULL",
        j=done["job_id"],
    )[0]
    assert min(spread["moved"], spread["voices"], spread["words"]) > 1e-4
    assert (
        house.one("SELECT count(*) FROM job_emotions WHERE job_id = :j AND p_fear IS NOT NULL", j=done["job_id"]) == 0
    )


def test_published_classifiers_score_calls_in_the_classes_of_a_label_map(
    house: House, archive: Path, tmp_path: Path
) -> None:
    profile = hub_models.profile(tmp_path)

    done = house.json("analyze", str(archive), "--profile", str(profile))

    rows = house.rows("SELECT * FROM job_emotions WHERE job_id = :j", j=done["job_id"])
    assert len(rows) == done["utterances"] > 5
    for row in rows:
        assert sum(row[f"p_{e}"] for e in ("angry", "happy", "neutral")) == pytest.approx(1, abs=1e-5)
        assert row["p_sad"] is None and row["speech_fear"] is None
        assert (row["text_angry"] is None) == (row["quality"] is not None)
    assert {row["label"] for row in rows} <= {"angry", "happy", "neutral"}


def test_a_label_map_that_lacks_a_label_is_an_error_of_the_command(house: House, archive: Path, tmp_path: Path) -> None:
    profile = hub_models.profile(tmp_path)
    profile.write_text(profile.read_text().replace(', boredom = ""', "", 1))

    refused = house.run("analyze", str(archive), "--profile", str(profile), code=1)

    assert "ears: the label map lacks boredom" in refused.stderr
