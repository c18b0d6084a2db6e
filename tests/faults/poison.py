"""Recordings that do to a worker what a hostile file can: an archive with some of them among healthy ones."""

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

#: Kind of recording (see planted/sitecustomize.py) → the error codes that are right for it.
QUICK: Mapping[str, Collection[str]] = {
    "segfault": {"worker_lost"},
    "segfault2": {"worker_lost"},
    "hungry": {"recording_too_large"},
    "endless": {"recording_too_slow"},
}
#: A loop that no signal interrupts costs the hard limit each time it is tried; not for everyday.
ALL: Mapping[str, Collection[str]] = {**QUICK, "stuck": {"stage_too_long", "worker_lost"}}


def neighbours(archive: Path, source: Path, count: int) -> list[Path]:
    """Copy so many healthy recordings with their transcripts; returns those that were left over."""
    found = sorted(path for path in source.rglob("*") if path.suffix in {".flac", ".wav"})
    for path in found[:count]:
        target = archive / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        if (words := path.with_suffix(".txt")).exists():
            shutil.copy(words, target.with_suffix(".txt"))
    return found[count:]


def plant(archive: Path, source: Path, kinds: Mapping[str, Collection[str]], count: int) -> dict[str, Collection[str]]:
    """Copy healthy recordings and put one of each kind among them.

    Returns what each of those has to fail with, by path.
    """
    # Other sounds than any neighbour's: equal content would be one recording.
    spare = neighbours(archive, source, count)
    folders = sorted(path for path in (archive, *archive.rglob("*")) if path.is_dir())
    failures: dict[str, Collection[str]] = {}
    for place, (kind, codes) in enumerate(kinds.items()):
        target = folders[place % len(folders)] / f"{kind}-{place}{spare[place].suffix}"
        shutil.copy(spare[place], target)
        failures[target.relative_to(archive).as_posix()] = codes
    return failures
