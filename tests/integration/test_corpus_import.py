"""`tenor corpus import` against a real Postgres: labels on recordings, once each, met by what was analysed."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from db.engine import make_engine
from ml.corpora.registry import corpus
from ml.corpora.types import LabelledUtterance
from tests.corpora.acted import write_ravdess
from tests.corpora.iemocap import write_iemocap
from tests.corpora.sound import write_voice
from tests.corpora.texts import write_goemotions
from tests.integration.cli_world import Tenor
from tests.integration.planting import Plant, distribution
from workers.labelling.corpora import NoAudio, import_labels


@pytest.fixture
def tenor(database_url: str, tmp_path: Path) -> Tenor:
    return Tenor(database_url, tmp_path / "home")


def rows(url: str, query: str) -> list[dict[str, Any]]:
    with make_engine(url).connect() as conn:
        return [dict(row) for row in conn.execute(text(query)).mappings()]


def everything(url: str) -> list[dict[str, Any]]:
    return rows(url, "SELECT * FROM labels ORDER BY recording_id, start_s, annotator")


def test_a_corpus_is_imported_once_however_often(tenor: Tenor, database_url: str, tmp_path: Path) -> None:
    folder = write_iemocap(tmp_path / "iemocap", sessions=1, seconds=0.2)
    turns = sorted((folder / "Session1" / "sentences" / "wav" / "Ses01F_impro01").iterdir())
    turns[0].write_bytes(b"no sound at all")

    # When it is imported twice
    first = tenor("corpus", "import", "iemocap", str(folder))
    before = everything(database_url)
    second = tenor("corpus", "import", "iemocap", str(folder), "--json")

    # Then every turn is there, with votes and affect, and the second time nothing was written
    assert (first.returncode, first.stderr) == (0, "")
    assert "27 labels new or changed, 0 as they were, on 27 recordings" in first.stdout
    assert everything(database_url) == before
    assert len(before) == 27
    (turn,) = (row for row in before if row["item_id"] == "Ses01F_impro01_M003")
    assert (turn["label"], turn["annotator"], turn["speaker"]) == ("neutral", "iemocap", "iemocap-Ses01M")
    assert (turn["share_neutral"], turn["share_sad"], turn["share_angry"]) == pytest.approx((2 / 3, 1 / 3, 0))
    assert (turn["gender"], turn["style"]) == ("male", "improvised")
    assert (turn["arousal"], turn["valence"]) == pytest.approx((2.3333, 3.0))
    assert (turn["start_s"], turn["end_s"]) == pytest.approx((0.0, 0.2), abs=1e-3)
    document = json.loads(second.stdout)
    assert document["imported"]["changed"] == 0
    assert document["imported"]["unchanged"] == 27
    assert document["imported"]["left_out"] == {"its audio cannot be read (audio_unreadable)": 1}
    assert document["labels"] == {"angry": 4, "happy": 8, "neutral": 4, "sad": 4, "no label": 8}
    assert document["speakers"]["iemocap-Ses01F"]["happy"] == 4


def test_a_label_that_changed_is_changed(database_url: str, tmp_path: Path) -> None:
    engine = make_engine(database_url)
    items = list(corpus("ravdess", write_ravdess(tmp_path, actors=(1,), emotions=("05",), seconds=0.1)))
    import_labels(engine, items)
    mended = [LabelledUtterance("ravdess", items[0].item_id, "ravdess-01", "sad", "en", audio_path=items[0].audio_path)]

    again = import_labels(engine, mended)

    assert (again.changed, again.unchanged) == (1, 0)
    assert sorted(row["label"] for row in everything(database_url)) == ["angry", "sad"]


def test_a_recording_that_was_analysed_before_is_met_by_its_content(owner_url: str, tmp_path: Path) -> None:
    # Given a recording that was analysed under another path: Anna speaks, then Ben
    audio = write_voice(tmp_path / "talk.wav", "angry", "Anna", seconds=2.0)
    engine = make_engine(owner_url)
    speech = LabelledUtterance("csv", "1", "csv-Anna", "angry", "en", audio_path=audio, start_s=0.0, end_s=0.9)
    import_labels(engine, [speech])
    with engine.begin() as conn:
        plant = Plant(conn)
        (recording,) = plant.rows("SELECT id, duration_s FROM recordings")
        version = plant.version(plant.profile(), 1, champion=True)
        archive = plant.archive("/elsewhere")
        file = plant.file(archive, "copy.wav", recording["id"])
        alignment = plant.alignment(recording["id"], file, [("Anna", 0.0, 1.0, "no"), ("Ben", 1.0, 2.0, "yes")])
        batch = plant.batch(plant.job(archive, version), version)
        plant.score(alignment, version, batch, [distribution(sad=1.0), distribution(happy=1.0)])

    # When somebody else judges the whole of it
    import_labels(
        engine,
        [LabelledUtterance("csv", "2", "csv-?", None, "en", audio_path=audio, arousal=4.0, annotator="Kim")],
    )

    # Then an analyst sees each utterance with the labels it shares time with
    found = rows(
        owner_url,
        "SELECT speaker, label, annotator, labelled, labelled_arousal, round(overlap_s::numeric, 2)::float AS overlap_s"
        "  FROM labelled_utterances ORDER BY utterance_no, annotator DESC",
    )
    assert recording["duration_s"] == 2.0
    assert [tuple(row.values()) for row in found] == [
        ("Anna", "sad", "csv", "angry", None, 0.9),
        ("Anna", "sad", "Kim", None, 4.0, 1.0),
        ("Ben", "happy", "Kim", None, 4.0, 1.0),
    ]


def test_the_same_audio_twice_and_audio_that_cannot_be_read_are_counted(database_url: str, tmp_path: Path) -> None:
    first = write_voice(tmp_path / "a.wav", "sad", "Kim", seconds=0.1)
    (tmp_path / "b.wav").write_bytes(first.read_bytes())
    (tmp_path / "c.wav").write_bytes(b"no sound at all")
    items = [
        LabelledUtterance("csv", name, "csv-Kim", "sad", "en", audio_path=tmp_path / f"{name}.wav") for name in "abcd"
    ]
    text_only = LabelledUtterance("csv", "e", "csv-Kim", "sad", "en", text="Oh dear")

    imported = import_labels(make_engine(database_url), [*items, text_only])

    assert (imported.items, imported.changed, imported.recordings) == (5, 1, 1)
    assert imported.left_out == {
        "the same audio stands for another item already": 1,
        "its audio cannot be read (audio_unreadable)": 1,
        "its audio cannot be opened": 1,
        "text without audio": 1,
    }
    assert [row["item_id"] for row in everything(database_url)] == ["a"]


def test_a_text_corpus_is_refused_and_can_be_counted(tenor: Tenor, database_url: str, tmp_path: Path) -> None:
    folder = write_goemotions(tmp_path / "goemotions")

    refused = tenor("corpus", "import", "goemotions", str(folder))
    counted = tenor("corpus", "import", "goemotions", str(folder), "--dry-run", "--json")

    assert refused.returncode == 1
    assert "labels in the database belong to recordings" in refused.stderr and "--dry-run" in refused.stderr
    assert json.loads(counted.stdout)["labels"] == {"happy": 6, "neutral": 3}
    assert everything(database_url) == []
    with pytest.raises(NoAudio):
        import_labels(make_engine(database_url), [LabelledUtterance("c", "i", "s", "sad", "en", text="Oh")])


def test_another_folder_or_name_is_one_sentence(tenor: Tenor, tmp_path: Path) -> None:
    for arguments, message in (
        (("iemocap", str(tmp_path)), "holds no Session1/dialog/EmoEvaluation"),
        (("enterface", str(tmp_path)), "no corpus enterface. Known are iemocap,"),
    ):
        done = tenor("corpus", "import", *arguments)

        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "wrong", ["label = 'calm'", "end_s = start_s", "start_s = -1", "arousal = 5.5", "share_sad = 1.5", "label = NULL"]
)
def test_the_database_refuses_what_is_no_label(wrong: str, database_url: str, tmp_path: Path) -> None:
    engine = make_engine(database_url)
    audio = write_voice(tmp_path / "a.wav", "sad", "Kim", seconds=0.1)
    import_labels(engine, [LabelledUtterance("csv", "a", "csv-Kim", "sad", "en", audio_path=audio)])

    with pytest.raises(IntegrityError), engine.begin() as conn:
        conn.execute(text(f"UPDATE labels SET {wrong}"))


def test_labels_go_with_a_recording_that_is_erased(database_url: str, tmp_path: Path) -> None:
    engine = make_engine(database_url)
    audio = write_voice(tmp_path / "a.wav", "sad", "Kim", seconds=0.1)
    import_labels(engine, [LabelledUtterance("csv", "a", "csv-Kim", "sad", "en", audio_path=audio)])

    with engine.begin() as conn:
        conn.execute(text("DELETE FROM recordings"))

    assert everything(database_url) == []
