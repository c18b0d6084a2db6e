"""A zip or tar file in an object store, brought to this machine's disk to be unpacked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ml.errors import RecordingError
from workers.archives.objects import client
from workers.archives.objects.held import Held
from workers.archives.objects.places import split
from workers.archives.packed.store import Store, Version, version
from workers.errors import ArchiveMissing
from workers.settings import Settings


@contextmanager
def fetched(
    url: str, known: Version | None, settings: Settings, alive: Callable[[], None] = lambda: None
) -> Iterator[tuple[Path, Version]]:
    """The packed archive as a file, and what it is now; not downloaded when it is known and unpacked already.

    Raises `ArchiveMissing` or `StoreUnavailable`.
    """
    bucket, prefix = split(url)
    key = prefix.rstrip("/")
    name = key.rpartition("/")[2]
    held = Held(settings)
    try:
        there = client.look_at(bucket, key)
        same = known is not None and (known.size_bytes, known.mtime_ns) == (there.size_bytes, there.mtime_ns)
        if known is not None and same and Store.of(settings).has(known):
            yield held.folder / name, known
            return
        packed = held.bring(bucket, key, there, name)
        yield packed, version(packed, known if same else None, alive)
    except RecordingError as exc:
        raise ArchiveMissing(f"{url} cannot be read: {exc}") from exc
    finally:
        held.close()
