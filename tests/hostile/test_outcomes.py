"""Every hostile file, looked at and aligned without a database: a named error or a documented result, soon."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ml.alignment.options import AlignOptions
from ml.alignment.quality import noted
from ml.alignment.recording import align_recording
from ml.errors import RecordingError
from tests.hostile.conftest import Outcomes
from tests.hostile.corpus import ENTRIES, UNSEEN
from workers.archives.files import audio_files, located, look, storable_path

SLOW = ("ten-hours-of-silence.flac", "thirteen-hours.flac")
NAMES = sorted(storable_path(os.fsdecode(item.name)) for item in ENTRIES if os.fsdecode(item.name) not in UNSEEN)


_DECODE = """
import sys
from pathlib import Path
from ml.audio.reader import open_audio
from ml.errors import RecordingError
try:
    with open_audio(Path(sys.argv[1])):
        pass
except RecordingError as exc:
    # Not getrusage: its peak is inherited from the process of the tests
    print(exc.code, *(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def outcome(root: Path, path: str) -> str:
    """What ingest and align would write down for a file."""
    found = look(root, path, None)
    if found.error is not None:
        return found.error.code
    transcript = None if found.transcript_path is None else located(root, found.transcript_path)
    try:
        alignment = align_recording(located(root, found.path), transcript, AlignOptions())
    except RecordingError as exc:
        assert exc.hint, "an error says what to do next"
        return exc.code
    for utterance in alignment.utterances:
        assert 0 <= utterance.start_s < utterance.end_s <= alignment.duration_s + 0.01
    note = noted(alignment.quality)
    return f"done:{note[0]}" if note else "done"


def test_the_corpus_is_large_and_a_walk_lists_exactly_its_files(corpus: tuple[Path, Outcomes]) -> None:
    folder, expected = corpus

    assert len(expected) >= 80
    # Neither folders that look like recordings nor those that contain themselves.
    assert sorted(map(storable_path, audio_files(folder))) == sorted(expected)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SLOW], ids=lambda name: name[:40])
def test_a_hostile_file_has_its_outcome(corpus: tuple[Path, Outcomes], name: str) -> None:
    folder, expected = corpus
    if name not in expected:
        pytest.skip("this file system or user cannot have such a file")
    started = time.monotonic()

    assert outcome(folder, _as_given(folder, name)) in expected[name]
    assert time.monotonic() - started < 60


def _as_given(folder: Path, name: str) -> str:
    return next(path for path in audio_files(folder) if storable_path(path) == name)


@pytest.mark.parametrize("name", SLOW)
def test_half_a_day_is_decoded_in_bounded_time_and_memory(corpus: tuple[Path, Outcomes], name: str) -> None:
    # In a process of its own, whose peak can be read
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux tells")
    folder, expected = corpus
    done = subprocess.run(
        [sys.executable, "-c", _DECODE, str(folder / name)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
    )

    assert done.returncode == 0, done.stderr
    outcome, kilobytes = done.stdout.split()
    assert outcome in expected[name]
    # The interpreter, its libraries and what stays in memory of a recording of any length
    assert int(kilobytes) < 350_000


def test_no_error_or_note_quotes_a_transcript(corpus: tuple[Path, Outcomes]) -> None:
    folder, expected = corpus
    for name in expected:
        if name.startswith("transcripts/") and "50000" not in name and "megabyte" not in name:
            found = look(folder, name, None)
            if found.transcript_path is None:
                continue
            try:
                alignment = align_recording(folder / name, folder / found.transcript_path, AlignOptions())
            except RecordingError as exc:
                assert "charged" not in f"{exc} {exc.hint}"
            else:
                assert "charged" not in str(alignment.quality)


def test_looking_at_hostile_files_leaves_none_open(corpus: tuple[Path, Outcomes]) -> None:
    folder, expected = corpus
    opened = Path("/proc/self/fd")
    if not opened.exists():
        pytest.skip("only Linux tells")
    before = len(list(opened.iterdir()))
    for name in expected:
        if name not in SLOW:
            look(folder, _as_given(folder, name), None)

    assert len(list(opened.iterdir())) <= before + 2
