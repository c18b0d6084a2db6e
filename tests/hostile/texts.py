"""Transcripts that are not as they should be, beside recordings that are."""

import os
from collections.abc import Callable
from pathlib import Path

from ml.audio.decode import SAMPLE_RATE
from tests.hostile.entries import ENTRIES, Entry, Samples, wav

# Transcripts beside sound recordings.


def with_transcript(name: str, *outcomes: str) -> Callable[[Callable[[Path, float], None]], None]:
    """Register a recording that is sound, with a transcript that is not; the maker gets its path and the seconds."""

    def register(make: Callable[[Path, float], None]) -> None:
        def both(path: Path, samples: Samples) -> None:
            wav(path, samples)
            make(path.with_suffix(".txt"), len(samples) / SAMPLE_RATE)

        ENTRIES.append(Entry(f"transcripts/{name}.wav", both, outcomes))

    return register


def text(name: str, content: str | bytes, *outcomes: str) -> None:
    """Register a recording with this transcript."""
    raw = content.encode() if isinstance(content, str) else content
    with_transcript(name, *outcomes)(lambda path, _: path.write_bytes(raw) and None)


UNREADABLE, MISMATCH = "done:transcript_unreadable", "done:transcript_mismatch"
NO_ALIGNER = "done:language_not_aligned"
SAID = "You have charged me twice. Again! This is the third month in a row."

text("empty", "", "done")
text("white-space", " \n\t\r\n \n", "done")
text("latin-1", f"{SAID} Señor Nuñez, ça va?".encode("latin-1"), "done", MISMATCH)
text("utf-16", "\ufeff".encode("utf-16-le") + SAID.encode("utf-16-le"), "done", MISMATCH)
text("binary", bytes(range(256)) * 20, UNREADABLE)
text("half-a-utf-16", b"\xff\xfe\x00", UNREADABLE, "done", MISMATCH)
text("zero-characters", f"{SAID}\0{SAID}", UNREADABLE)
text("control-characters", f"\x01\x02\x1b[31m{SAID}\x7f\u202e", "done", MISMATCH)
text("times-beyond-the-audio", f"100.0 104.0 [Ann] {SAID}\n", MISMATCH)
text("times-half-beyond", f"0.1 9000 [Ann] {SAID}\n", "done", MISMATCH)
text("overlapping", "0.0 2.0 [Ann] You have charged me\n0.5 2.5 [Ben] charged me twice\n", "done", MISMATCH)
text("out-of-order", "1.5 2.8 [Ben] third month in a row\n0.0 1.5 [Ann] You have charged me twice\n", "done", MISMATCH)
text("negative-times", "-1.0 2.0 [Ann] You have charged me\n-0.5 1.0 [Ben] twice\n", "done", MISMATCH, UNREADABLE)
text("not-a-number-times", "nan 2.0 [Ann] You have\ninf inf [Ben] charged me\n", "done", MISMATCH, UNREADABLE)
text("end-before-start", "2.0 1.0 [Ann] You have charged me twice\n", UNREADABLE)
text(
    "enormous-times", "1e400 2e400 [Ann] twice\n" + "9" * 400 + " " + "9" * 401 + " [Ann] twice\n", UNREADABLE, MISMATCH
)
text("50000-words", "word " * 50_000, MISMATCH)
text("one-line-of-a-megabyte", "x" * 1_000_000, MISMATCH)
text("20-megabytes-too-many", b"You have charged me twice. " * 800_000, UNREADABLE)
text("korean", "두 번이나 청구하셨어요. 또요! 이번이 세 번째 달이에요.", NO_ALIGNER)
text("arabic", "لقد خصمتم مني مرتين", NO_ALIGNER)
text("only-punctuation", "... --- !!! ???", MISMATCH)
text("long-speaker-name", f"0.1 2.9 [{'A' * 5000}] {SAID}\n", "done", MISMATCH, UNREADABLE)


@with_transcript("a-folder", "done")
def _(path: Path, _s: float) -> None:
    path.mkdir()


@with_transcript("a-pipe", "done")
def _(path: Path, _s: float) -> None:
    os.mkfifo(path)


@with_transcript("no-permission", *(("done", MISMATCH) if os.geteuid() == 0 else (UNREADABLE,)))
def _(path: Path, _s: float) -> None:
    path.write_text(SAID)
    path.chmod(0)


@with_transcript("dangling", "done")
def _(path: Path, _s: float) -> None:
    path.symlink_to("nowhere.txt")
