"""What a trainer is given: labels of several people resolved, with the speaker and audio of the archive."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import soundfile
from sqlalchemy import text

from db.engine import make_engine
from db.labels import LabelRow, write_labels
from db.targets import resolved, targets
from ml.corpora.manifest import freeze
from ml.corpora.types import Skipped
from ml.emotions import EMOTIONS
from tests.corpora.sound import write_voice
from tests.integration.planting import Plant, distribution
from workers.retraining.labelled import labelled_utterances


class Calls:
    """An archive of one recording, in which Anna and an unnamed voice speak; the voice has the second channel."""

    def __init__(self, url: str, folder: Path) -> None:
        self.engine, self.folder = make_engine(url), folder
        self.audio = write_voice(folder / "call.wav", "angry", "Anna", seconds=3.0)
        self.sha256 = hashlib.sha256(self.audio.read_bytes()).hexdigest()
        status = self.audio.stat()
        with self.engine.begin() as conn:
            plant = Plant(conn)
            self.archive = plant.archive(str(folder))
            self.recording = plant.row("recordings", sha256=self.sha256, size_bytes=status.st_size, duration_s=3.0)
            file = plant.row(
                "archive_files",
                archive_id=self.archive,
                path="call.wav",
                recording_id=self.recording,
                size_bytes=status.st_size,
                mtime_ns=status.st_mtime_ns,
            )
            spoken = [("Anna", 0.0, 1.0, "no"), ("speaker 2", 1.0, 2.5, "why"), ("Anna", 2.5, 3.0, "so")]
            alignment = plant.alignment(self.recording, file, spoken)
            voice = plant.row("speakers", name="speaker 2", recording_id=self.recording)
            conn.execute(
                text("UPDATE utterances SET speaker_id = :s WHERE alignment_id = :a AND utterance_no = 1"),
                {"s": voice, "a": alignment},
            )

    def judge(self, annotator: str, label: str | None, start: float = 0.0, end: float = 1.0, **more: object) -> None:
        row = LabelRow(
            self.recording, start, end, annotator, "archive", f"call@{start}", label, None, None, None, None, None,
            None, None, None, None, None,
        )  # fmt: skip
        with self.engine.begin() as conn:
            write_labels(conn, [replace(row, **more)])


@pytest.fixture
def archive(database_url: str, tmp_path: Path) -> Calls:
    return Calls(database_url, tmp_path)


def test_the_votes_of_annotators_become_one_target(archive: Calls) -> None:
    # Given two who say angry, one who is torn, and one who says something about arousal alone
    archive.judge("Kim", "angry", arousal=4.0)
    archive.judge("Lee", "angry")
    archive.judge("Max", None, shares=distribution(angry=0.5, sad=0.5))
    archive.judge("Ida", None, arousal=2.0)

    with archive.engine.connect() as conn:
        (target,) = targets(conn)

    assert target.annotators == ("Ida", "Kim", "Lee", "Max")
    assert target.label == "angry"
    assert target.shares == pytest.approx(distribution(angry=2.5 / 3, sad=0.5 / 3))
    assert (target.arousal, target.valence) == (3.0, None)
    assert (target.voice, target.voice_is_named, target.text) == ("Anna", True, "no")


def test_a_tie_has_votes_and_no_label(archive: Calls) -> None:
    archive.judge("Kim", "angry")
    archive.judge("Lee", "sad")

    with archive.engine.connect() as conn:
        (target,) = targets(conn)

    assert target.label is None
    assert target.shares == pytest.approx(distribution(angry=0.5, sad=0.5))


@pytest.mark.parametrize(("said", "expected"), [('{"language": "pl"}', "pl"), ('{"language": "auto"}', "und")])
def test_without_words_the_language_is_what_the_owner_said(archive: Calls, said: str, expected: str) -> None:
    archive.judge("Kim", "angry")
    with archive.engine.begin() as conn:
        conn.execute(text("UPDATE utterances SET text = NULL, language = NULL"))
        conn.execute(text("UPDATE alignments SET options = CAST(:o AS jsonb)"), {"o": said})
        (item,) = labelled_utterances(conn)

    assert item.language == expected


@pytest.mark.parametrize(
    ("rate", "channels", "own", "groups"),
    [
        (8000, 2, 1, ("telephone", "right")),
        (44_100, 2, None, ("wideband", "mixed")),
        (16_000, 1, None, ("wideband", "mono")),
        (11_025, 4, 2, ("wideband", "channel 3")),
        (None, None, None, (None, None)),
    ],
)
def test_an_item_says_who_speaks_and_what_it_was_recorded_over(
    archive: Calls,
    rate: int | None,
    channels: int | None,
    own: int | None,
    groups: tuple[str | None, str | None],
) -> None:
    archive.judge("Kim", "angry")
    archive.judge("Lee", "angry", gender="female", style="spontaneous")
    with archive.engine.begin() as conn:
        conn.execute(text("UPDATE recordings SET sample_rate = :r, channels = :c"), {"r": rate, "c": channels})
        conn.execute(text("UPDATE utterances SET channel = :c"), {"c": own})
        (item,) = labelled_utterances(conn)

    assert (item.band, item.channel) == groups
    assert (item.gender, item.style) == ("female", "spontaneous")


def test_what_a_corpus_publishes_is_one_vote_among_others() -> None:
    votes = distribution(happy=2 / 3, neutral=1 / 3)

    assert resolved([("happy", votes)]) == ("happy", pytest.approx(tuple(votes)))
    assert resolved([(None, votes)]) == (None, pytest.approx(tuple(votes))), "the corpus says: nothing was agreed"
    assert resolved([("sad", None)]) == ("sad", None)
    both = resolved([("happy", votes), ("neutral", None)])
    assert both == ("neutral", pytest.approx(tuple(distribution(happy=1 / 3, neutral=2 / 3))))


def test_items_can_be_frozen_and_name_people_across_recordings(archive: Calls, tmp_path: Path) -> None:
    archive.judge("Kim", "angry")
    archive.judge("Kim", "sad", 1.0, 2.5)
    archive.judge("Kim", "happy", 2.5, 3.0, speaker="csv-Anna", language="de")

    with archive.engine.connect() as conn:
        items = labelled_utterances(conn, archives=[archive.archive])
    manifest = freeze(items, tmp_path / "manifest.parquet")

    assert [item.speaker for item in items] == ["archive-Anna", f"{archive.sha256[:16]}-speaker 2", "csv-Anna"]
    assert [(item.start_s, item.end_s, item.label) for item in items] == [
        (0.0, 1.0, "angry"),
        (1.0, 2.5, "sad"),
        (2.5, 3.0, "happy"),
    ]
    assert [item.language for item in items] == ["en", "en", "de"]
    assert [item.text for item in items] == ["no", "why", "so"]
    assert set(manifest.audio_sha256) == {archive.sha256}
    assert [EMOTIONS[item.class_no] for item in manifest.items] == ["angry", "sad", "happy"]


def test_stretches_can_be_cut_into_files_of_their_own(archive: Calls, tmp_path: Path) -> None:
    archive.judge("Kim", "sad", 1.0, 2.5)

    with archive.engine.connect() as conn:
        (item,) = labelled_utterances(conn, clips=tmp_path / "clips")

    assert item.audio_path is not None and item.start_s is None
    samples, rate = soundfile.read(item.audio_path)
    whole, _ = soundfile.read(archive.audio)
    assert (rate, samples.shape) == (16_000, (24_000,))
    assert samples == pytest.approx(whole[16_000:40_000], abs=1e-3)


def test_another_archive_and_what_was_known_before_are_left_out(archive: Calls) -> None:
    archive.judge("Kim", "angry")
    archive.judge("Kim", "sad", 1.0, 2.5)
    before = datetime.now(UTC)
    archive.judge("Lee", "sad")

    with archive.engine.connect() as conn:
        assert labelled_utterances(conn, archives=[archive.archive + 1]) == []
        (item,) = labelled_utterances(conn, since=before)
        assert labelled_utterances(conn, since=datetime.now(UTC)) == []

    assert (item.start_s, item.label) == (0.0, None), "what was said before counts in it"


def test_a_file_that_was_replaced_or_removed_is_counted_not_learnt(archive: Calls) -> None:
    archive.judge("Kim", "angry")
    skipped = Skipped()

    write_voice(archive.audio, "sad", "Ben", seconds=2.0)
    with archive.engine.connect() as conn:
        replaced = labelled_utterances(conn, skipped=skipped)
        archive.audio.unlink()
        removed = labelled_utterances(conn, skipped=skipped)

    assert replaced == removed == []
    assert dict(skipped.counts) == {
        "the file was replaced after it was enqueued": 1,
        "its file is not there": 1,
    }


def test_a_corrected_label_replaces_the_earlier_one_and_the_history_says_so(archive: Calls) -> None:
    archive.judge("Kim", "angry", note="shouts")
    archive.judge("Kim", "angry", note="shouts")
    archive.judge("Kim", "sad")

    with archive.engine.connect() as conn:
        (label,) = conn.execute(text("SELECT label, note FROM labels")).all()
        (before,) = conn.execute(text("SELECT annotator, was, replaced_by FROM replaced_labels")).all()

    assert tuple(label) == ("sad", None)
    assert before.annotator == "Kim"
    assert (before.was["label"], before.was["note"]) == ("angry", "shouts")
