"""A walk through an archive in an object store: listed once, looked at a few files at a time.

What is looked at lies for that moment in a folder that looks like the archive's own: audio that is new or changed, with
its transcript, the manifest, lists of transcripts; for audio that is known a file without content, which has its size
and time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ml.audio.errors import AudioMissing
from ml.errors import RecordingError
from workers.archives.files import Found, Known, is_audio, look, storable_path
from workers.archives.lists import Lists, folders_of
from workers.archives.manifest import NAMES, Line
from workers.archives.objects import client
from workers.archives.objects.held import Held
from workers.archives.objects.index import Index
from workers.archives.objects.places import Object, is_usable, split
from workers.errors import ArchiveEmpty
from workers.settings import Settings

#: Objects that are fetched at once, and the part of the bound that one walk takes at a time.
_PARALLEL, _SHARE = 8, 4


class BucketWalk:
    """The archive `url`; `only` is the one recording that matters. Raises `ArchiveMissing` or `StoreUnavailable`."""

    def __init__(
        self, url: str, settings: Settings, *, only: str | None = None, alive: Callable[[], None] = lambda: None
    ) -> None:
        self.bucket, self.prefix = split(url)
        self.closed: set[str] = set()
        self._only = only
        self._listed: dict[str, list[str]] = {}
        self._held, self._index = Held(settings), Index()
        for page in client.pages(self.bucket, self.prefix, flat=only is not None):
            self._index.add((key[len(self.prefix) :], found) for key, found in page)
            alive()
        if only is not None and self._index.get(only) is None:
            raise ArchiveEmpty(f"there is no object {only} in {url}", hint="Check the key.")
        for name in NAMES:
            if (found := self._index.get(name)) is not None:
                self._fetch(name, found)

    @property
    def folder(self) -> Path:
        """Where the manifest is, and where files are while they are looked at."""
        return self._held.folder

    def audio_files(self, after: str | None = None) -> Iterator[str]:
        """Paths of the audio files behind one of them, in the order of a walk on a disk."""
        return iter([self._only]) if self._only is not None else self._index.audio(after)

    def look(
        self, paths: Sequence[str], known: Mapping[str, Known], line: Callable[[str], Line | None], base: str,
        lists: Lists,
    ) -> list[Found]:  # fmt: skip
        """As `workers.archives.files.look` for each path; raises `StoreUnavailable`."""
        found: list[Found] = []
        for part in self._parts(paths, known):
            lines = {path: line(path) for path in part}
            self._fetch_lists(part)
            wanted = self._wanted(part, known, lines, base)
            with ThreadPoolExecutor(_PARALLEL) as pool:
                errors = dict(zip(part, pool.map(lambda one: self._bring(*one), wanted), strict=True))
            for path in part:
                error = errors[path]
                found.append(
                    Found(storable_path(path), 0, 0, error=error, line=lines[path])
                    if error is not None
                    else look(self.folder, path, known.get(storable_path(path)), lines[path], base, lists)
                )
            for path in part:
                self._held.drop(path)
                for name in self._index.beside(path):
                    self._held.drop(name)
        return found

    def absence(self, path: str) -> str | None:
        """Why a walk does not come by a path, as a sentence; None when it does."""
        if any(part.startswith(".") for part in path.split("/")):
            return "hidden files are left out"
        if self._index.composed(path) is not None:
            return None
        return "it is a folder" if self._index.is_folder(path) else "there is no such object"

    def _parts(self, paths: Sequence[str], known: Mapping[str, Known]) -> Iterator[list[str]]:
        """Paths whose new content fits on the disk together."""
        part: list[str] = []
        left = self._held.limit_bytes // _SHARE
        for path in paths:
            there = self._index.get(path)
            size = there.size_bytes if there is not None and not _is_known(path, there, known) else 0
            if part and size > left:
                yield part
                part, left = [], self._held.limit_bytes // _SHARE
            part.append(path)
            left -= size
        if part:
            yield part

    def _wanted(
        self, part: Sequence[str], known: Mapping[str, Known], lines: Mapping[str, Line | None], base: str
    ) -> list[tuple[str, Object | None, bool, dict[str, Object]]]:
        """(path, object, whether it is known, texts) of each; the index is one thread's."""
        wanted = []
        for path in part:
            there, texts = self._index.get(path), self._index.beside(path)
            line = lines[path]
            if line is not None and line.transcript is not None:
                named = self._index.composed(base + line.transcript)
                if named is not None and (own := self._index.get(named)) is not None:
                    texts |= {named: own, **self._index.beside(named)}
            wanted.append((path, there, there is not None and _is_known(path, there, known), texts))
        return wanted

    def _bring(
        self, path: str, there: Object | None, known: bool, texts: Mapping[str, Object]
    ) -> RecordingError | None:
        try:
            if there is None or not is_usable(path):
                return AudioMissing("its key is no path of a file", hint="Give the object another key.")
            if known:
                self._held.stand_in(path, there)
            else:
                self._fetch(path, there)
        except RecordingError as exc:
            return exc
        for name, text in texts.items():
            try:
                self._fetch(name, text)
            except RecordingError:
                # As with a file that cannot be opened: what reads it says so.
                continue
        return None

    def _fetch_lists(self, part: Sequence[str]) -> None:
        """The lists of the folders of these paths and those above; a walk does not come back to folders it has left."""
        wanted = {folder for path in part for folder in folders_of(path)}
        for folder in self._listed.keys() - wanted:
            for name in self._listed.pop(folder):
                self._held.drop(name)
        for folder in sorted(wanted - self._listed.keys()):
            lists = self._index.lists(folder)
            self._listed[folder] = list(lists)
            for name, there in lists.items():
                try:
                    self._fetch(name, there)
                except RecordingError:
                    continue  # As a file that cannot be opened.

    def _fetch(self, path: str, there: Object) -> None:
        if is_usable(path):
            self._held.bring(self.bucket, self.prefix + path, there, path, keep=is_audio(path))


def _is_known(path: str, there: Object, known: Mapping[str, Known]) -> bool:
    before = known.get(storable_path(path))
    return (
        before is not None
        and before.recording_id is not None
        and (before.size_bytes, before.mtime_ns) == (there.size_bytes, there.mtime_ns)
    )
