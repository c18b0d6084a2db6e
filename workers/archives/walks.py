"""What ingest asks of an archive, wherever it lies; here for a folder on a disk."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from workers.archives.files import Found, Known, absence, audio_files, located, look, storable_path
from workers.archives.lists import Lists
from workers.archives.manifest import Line
from workers.errors import LinkLeadsOut


class Walk(Protocol):
    """One walk through an archive."""

    #: Folders that cannot be read; every walk meets all of them, also one that goes on where another stopped.
    closed: set[str]

    @property
    def folder(self) -> Path:
        """Where the manifest and lists of transcripts are read from."""

    def audio_files(self, after: str | None = None) -> Iterator[str]:
        """Relative paths of the audio files, in order; `after` leaves out what comes up to that path."""

    def look(
        self, paths: Sequence[str], known: Mapping[str, Known], line: Callable[[str], Line | None], base: str,
        lists: Lists,
    ) -> list[Found]:  # fmt: skip
        """Each path as it is now; `known` goes by the path as the database has it, `line` is the manifest's."""

    def absence(self, path: str) -> str | None:
        """Why the walk does not come by a path, as a sentence; None when it does."""


class FolderWalk:
    """A folder; `only` is the one recording that matters."""

    def __init__(self, folder: Path, only: str | None = None, reach: Callable[[Path], bool] = lambda _: True) -> None:
        self._folder, self._only, self._reach = folder, only, reach
        self.closed: set[str] = set()

    @property
    def folder(self) -> Path:
        """The folder itself."""
        return self._folder

    def audio_files(self, after: str | None = None) -> Iterator[str]:
        """See `workers.archives.files.audio_files`."""
        if self._only is not None:
            return iter([self._only])
        return audio_files(self._folder, after=after, closed=self.closed)

    def look(
        self, paths: Sequence[str], known: Mapping[str, Known], line: Callable[[str], Line | None], base: str,
        lists: Lists,
    ) -> list[Found]:  # fmt: skip
        """See `workers.archives.files.look`."""
        return [self._look(path, known.get(storable_path(path)), line(path), base, lists) for path in paths]

    def _look(self, path: str, known: Known | None, line: Line | None, base: str, lists: Lists) -> Found:
        if not self._reach(self._folder / path):
            out = LinkLeadsOut("the recording is a link that leads out of the archive")
            return Found(storable_path(path), 0, 0, error=out, line=line)
        found = look(self._folder, path, known, line, base, lists)
        if found.transcript_path and not self._reach(located(self._folder, found.transcript_path)):
            out = LinkLeadsOut("the transcript is a link that leads out of the archive")
            return Found(found.path, 0, 0, error=out, line=line)
        return found

    def absence(self, path: str) -> str | None:
        """See `workers.archives.files.absence`."""
        return absence(self._folder, path, self.closed)
