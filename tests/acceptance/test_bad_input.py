"""Bad recordings end with a name and a sentence; their neighbours are analysed; nothing is stored twice."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ml.audio.decode import decode
from tests.acceptance.house import SAMPLES, House, tone, write_wav

GOOD = "appointment.ogg"


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Five seconds of a sample call, both channels, 16 kHz: [2, n]."""
    return decode(SAMPLES / GOOD)[:, 16_000 : 6 * 16_000]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, speech: np.ndarray) -> Path:
    made = tmp_path_factory.mktemp("bad") / "ärchive"
    made.mkdir()
    shutil.copy(SAMPLES / GOOD, made / "good.ogg")
    (made / "empty.wav").touch()
    (made / "noise.mp3").write_bytes(np.random.default_rng(1).bytes(5000))
    (made / "notes.wav").write_text("this is not audio")
    write_wav(made / "silent.wav", np.zeros((32_000, 1), dtype=np.float32))
    write_wav(made / "tone.wav", tone(3.0))
    write_wav(made / "short.wav", tone(0.05))
    write_wav(made / "nan.wav", np.full((32_000, 1), np.nan, dtype=np.float32))
    write_wav(made / "telephone.wav", speech.T[::2], 8_000, "PCM_16")
    soundfile.write(made / "three channels.flac", np.vstack([speech, speech[:1] * 0.5]).T, 16_000)
    write_wav(made / "wrong words.wav", speech.mean(axis=0)[:, None])
    (made / "wrong words.txt").write_text(
        "Photosynthesis converts electromagnetic radiation throughout chloroplast membranes efficiently"
        " whenever carbohydrate biochemistry necessitates extraordinary metabolic throughput indefinitely.\n"
    )
    write_wav(made / "binary words.wav", speech[0][:, None])
    (made / "binary words.txt").write_bytes(b"\x00\x01\x02\x03" * 20)
    return made


EXPECTED = {
    "empty.wav": "audio_empty",
    "noise.mp3": "audio_unreadable",
    "notes.wav": "audio_unreadable",
    "silent.wav": "audio_silent",
    "tone.wav": "no_speech",
    "short.wav": "audio_too_short",
    "nan.wav": "audio_unreadable",
}
WARNED = {"wrong words.wav": "transcript_mismatch", "binary words.wav": "transcript_unreadable"}


def test_each_bad_recording_has_its_name_and_the_others_are_analysed(house: House, folder: Path) -> None:
    first = house.json("analyze", str(folder))

    rows = house.rows(
        """
        SELECT f.path, r.state, r.error_code, r.error FROM job_recordings r JOIN archive_files f ON f.id = r.file_id
         WHERE r.job_id = :j
        """,
        j=first["job_id"],
    )
    failed = {row["path"]: row["error_code"] for row in rows if row["state"] == "failed"}
    warned = {row["path"]: row["error_code"] for row in rows if row["state"] == "done" and row["error_code"]}
    assert failed == EXPECTED
    assert warned == WARNED
    assert all(row["error"].endswith((".", "!")) or row["state"] == "done" for row in rows if row["error"])
    assert {row["path"] for row in rows if row["state"] == "done"} == {
        "good.ogg",
        "telephone.wav",
        "three channels.flac",
        *WARNED,
    }
    words = " ".join(row["error"] for row in rows if row["error"]).lower()
    assert "photosynthesis" not in words, "errors quote no transcript"

    again = house.json("analyze", str(folder))
    assert again["done"] == again["reused"] == first["done"]
    assert again["failed"] == first["failed"]
    doubled = "SELECT count(*) FROM (SELECT 1 FROM recordings GROUP BY sha256 HAVING count(*) > 1) d"
    assert house.one(doubled) == 0


def test_a_mismatched_transcript_leaves_the_voice_analysed_without_text(house: House, folder: Path) -> None:
    house.json("analyze", str(folder))
    rows = house.rows(
        "SELECT text, quality FROM utterance_emotions WHERE recording = 'wrong words.wav' AND profile = 'mini'"
    )
    assert rows
    for row in rows:
        assert row["text"] is None
        assert "transcript_mismatch" in row["quality"]


def test_a_replaced_recording_is_a_recording_of_its_own(house: House, tmp_path: Path, speech: np.ndarray) -> None:
    write_wav(tmp_path / "call.wav", speech[0][:, None])
    first = house.json("analyze", str(tmp_path))
    write_wav(tmp_path / "call.wav", speech[1][:, None])

    second = house.json("analyze", str(tmp_path))

    assert second["reused"] == 0
    assert house.values(first["job_id"]) != house.values(second["job_id"])
    current = "SELECT count(DISTINCT recording_id) FROM utterance_emotions WHERE archive = :a"
    assert house.one(current, a=str(tmp_path)) == 1, "the view shows what the path holds now"


def test_an_archive_that_is_missing_or_holds_no_audio_is_a_sentence(house: House, tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("hello")
    for path, word in ((tmp_path / "nowhere", "does not exist"), (tmp_path, "no audio file")):
        done = house.run("analyze", str(path), code=1)
        assert word in done.stderr and "Traceback" not in done.stderr
    assert house.json("analyze", str(tmp_path), code=1)["error"]["code"] == "archive_empty"


def test_a_job_without_text_keeps_none(house: House, tmp_path: Path) -> None:
    for suffix in ("ogg", "txt"):
        shutil.copy(SAMPLES / f"bereavement.{suffix}", tmp_path)

    job = house.json("analyze", str(tmp_path), "--no-keep-text")

    rows = house.rows("SELECT text, text_sad FROM job_emotions WHERE job_id = :j", j=job["job_id"])
    assert any(row["text_sad"] is not None for row in rows), "the words were read for their emotion"
    assert all(row["text"] is None for row in rows)
    stored = "SELECT count(*) FROM utterances u JOIN alignments a ON a.id = u.alignment_id"
    stored += " WHERE (a.options ->> 'keep_text') = 'false' AND (u.text IS NOT NULL OR u.words IS NOT NULL)"
    assert house.one(stored) == 0
