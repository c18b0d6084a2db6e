"""An archive in an object store, as those see it who read a few of its recordings."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ml.audio.errors import AudioMissing
from ml.errors import RecordingError
from workers.archives.files import is_audio, usable_path
from workers.archives.objects import client
from workers.archives.objects.held import Held
from workers.archives.objects.index import Index
from workers.archives.objects.places import is_usable, split
from workers.archives.packed import is_packed
from workers.errors import ArchiveEmpty, ArchiveMissing
from workers.settings import Settings


def first_look(url: str) -> tuple[str, str | None]:
    """(URL of a prefix or of a zip or tar file, None), or (URL of its prefix, name) for a single recording.

    Raises `ArchiveMissing`, `ArchiveEmpty` or `StoreUnavailable`.
    """
    url = url.rstrip("/")
    bucket, prefix = split(url)
    key = prefix.rstrip("/")
    above, _, name = url.rpartition("/")
    if key and (is_packed(Path(name)) or is_audio(name)):
        try:
            client.look_at(bucket, key)
        except RecordingError as exc:
            raise ArchiveMissing(f"{url} cannot be read: {exc}", hint="Check the key and the credentials.") from exc
        return (url, None) if is_packed(Path(name)) else (above, name)
    for page in client.pages(bucket, prefix):
        if any(is_audio(key) for key, _ in page):
            return url, None
    raise ArchiveEmpty(f"there is no recording below {url}")


class Bucket:
    """Brings recordings into a folder that looks like the archive's own, as long as they are read."""

    def __init__(self, url: str, settings: Settings) -> None:
        self.bucket, self.prefix = split(url)
        self._held = Held(settings)

    @property
    def folder(self) -> Path:
        """Where files of the archive are while they are `here`."""
        return self._held.folder

    @contextmanager
    def here(self, path: str, transcript: str | None = None) -> Iterator[None]:
        """A recording, and its transcript with what belongs to it, lie in the folder; paths as the database has them.

        Raises a `RecordingError` of the recording, or `StoreUnavailable`.
        """
        path = usable_path(path)
        brought = [path]
        try:
            self._bring(path)
            if transcript is not None:
                brought += self._bring_text(usable_path(transcript))
            yield
        finally:
            for name in brought:
                self._held.drop(name)

    def _bring(self, path: str) -> None:
        if not is_usable(path):
            raise AudioMissing("its key is no path of a file", hint="Give the object another key.")
        key = self.prefix + path
        self._held.bring(self.bucket, key, client.look_at(self.bucket, key), path, keep=True)

    def _bring_text(self, path: str) -> list[str]:
        """What reads a transcript says when it is not there."""
        folder, slash, name = path.rpartition("/")
        near, index = f"{folder}{slash}{name.partition('.')[0]}", Index()
        try:
            for page in client.pages(self.bucket, self.prefix + near, flat=True):
                index.add((key[len(self.prefix) :], found) for key, found in page)
            wanted = index.beside(path)
            if (own := index.get(path)) is not None:
                wanted[path] = own
        finally:
            index.close()
        for name, found in wanted.items():
            if is_usable(name) and not is_audio(name):
                try:
                    self._held.bring(self.bucket, self.prefix + name, found, name)
                except RecordingError:
                    continue
        return list(wanted)
