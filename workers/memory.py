"""A bound on a process's memory, so that one recording cannot push the whole machine out of it."""

import os
import resource
from pathlib import Path

#: Of the machine's memory, when the setting names no number.
_SHARE = 0.75


def limit(megabytes: int) -> None:
    """Let this process have so much memory for data (0: three quarters of the machine's); more is a `MemoryError`.

    RLIMIT_DATA counts private writable memory, which is what decoding and models take, not mapped files.
    """
    wanted = megabytes * 1_000_000 or int(_SHARE * _available())
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _available() -> int:
    """Bytes of memory that this machine, or the container around this process, has."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(machine, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):
        return machine
