"""Recordings in unusual places, under unusual names."""

import os
from pathlib import Path

from tests.hostile.entries import Samples, entry, wav

# Places and names.


@entry("link.wav", "done")
def _(path: Path, samples: Samples) -> None:
    target = path.parent / ".hidden-target.wav"
    wav(target, samples)
    path.symlink_to(target.name)


@entry("dangling-link.wav", "audio_missing")
def _(path: Path, _s: Samples) -> None:
    path.symlink_to("nowhere.wav")


@entry("link-to-itself.wav", "audio_missing")
def _(path: Path, _s: Samples) -> None:
    path.symlink_to(path.name)


@entry("loop/loop.wav", "unseen")
def _(path: Path, _s: Samples) -> None:
    # A folder that contains itself.
    path.symlink_to(path.parent, target_is_directory=True)


@entry("folder.wav", "unseen")
def _(path: Path, _s: Samples) -> None:
    path.mkdir()


@entry("folder.wav/inside.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples)


@entry("pipe.wav", "audio_unreadable", optional=True)
def _(path: Path, _s: Samples) -> None:
    os.mkfifo(path)


@entry("device.wav", "audio_unreadable", optional=True)
def _(path: Path, _s: Samples) -> None:
    path.symlink_to("/dev/zero")


@entry("no-permission.wav", "done" if os.geteuid() == 0 else "audio_missing")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples)
    path.chmod(0)


@entry("line\nbreak 'quoted\" back\\slash $HOME;--.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples)


@entry("-rf.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples)


@entry("n" * 251 + ".wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples)


@entry(b"not utf-8 \xff\xfe\x80.wav", "done", optional=True)
def _(path: Path, samples: Samples) -> None:
    wav(path, samples)


@entry("caf\u00e9.wav", "done")
def _(path: Path, samples: Samples) -> None:
    wav(path, samples)


@entry("cafe\u0301.wav", "done", optional=True)
def _(path: Path, samples: Samples) -> None:
    wav(path, samples)
