"""A manifest turned into an index on disk, because a walk meets files in its own order.

A million lines take one pass.
"""

import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import islice
from pathlib import Path

from ml.transcripts import Excerpt, Place
from workers.archives.manifest import Line, Problem, find_manifest, read_manifest
from workers.archives.scratch import scratch, writing
from workers.errors import ManifestUnreadable

_JSON = json.JSONEncoder(ensure_ascii=False)
#: Problems that are handed on together.
_PROBLEMS = 500


def open_listing(root: Path, *, packed: bool, report: Callable[[Sequence[Problem]], None]) -> "Listing":
    """The index of an archive's manifest; without a manifest an empty one. Raises as `Listing.fill` does.

    Whoever packs a folder often packs the folder itself. So the manifest of a packed archive may also lie in the one
    folder at its top.
    """
    manifest, base = find_manifest(root), ""
    if manifest is None and packed:
        top = list(islice(root.iterdir(), 2))
        if len(top) == 1 and top[0].is_dir():
            manifest, base = find_manifest(top[0]), f"{top[0].name}/"
    if manifest is None:
        return Listing()
    if not manifest.resolve().is_relative_to(root.resolve()):
        raise ManifestUnreadable(
            f"{manifest.name} is a link that leads out of the archive", hint="Put the file itself there."
        )
    listing = Listing(f"{base}{manifest.name}", base)
    listing.fill(manifest, report)
    return listing


class Listing:
    """The lines of a manifest by the path within the archive of the recording that they are about.

    `base` is the manifest's folder within the archive, "" or ending with "/".
    """

    def __init__(self, name: str = "", base: str = "") -> None:
        #: The manifest's path within the archive; "" when there is none.
        self.name, self.base = name, base
        self._manifest = Path()
        self._index = scratch("CREATE TABLE lines (path TEXT PRIMARY KEY, number INTEGER, said TEXT) WITHOUT ROWID")

    def fill(self, manifest: Path, report: Callable[[Sequence[Problem]], None]) -> None:
        """Read the manifest; problems go to `report`, a few hundred at a time.

        Of several lines about one path the first counts. Raises `ManifestUnreadable` or `DiskFull`.
        """
        self._manifest = manifest
        problems: list[Problem] = []
        with writing("the manifest"):
            for item in read_manifest(manifest):
                if isinstance(item, Problem):
                    problems.append(item)
                elif not self._add(item):
                    (first,) = self._index.execute("SELECT number FROM lines WHERE path = ?", (item.path,)).fetchone()
                    said = f"line {first} is about the same recording; this one is left out"
                    problems.append(Problem(item.number, "manifest_path_twice", said, item.path))
                if len(problems) >= _PROBLEMS:
                    report(problems)
                    problems = []
        report(problems)

    def _add(self, line: Line) -> bool:
        moment = line.recorded_at.isoformat() if line.recorded_at else None
        text = line.text and (asdict(line.text.place), line.text.sha256)
        said = _JSON.encode([line.transcript, text, line.dialogue, moment, line.options, line.metadata])
        row = (line.path, line.number, said)
        return self._index.execute("INSERT OR IGNORE INTO lines VALUES (?, ?, ?)", row).rowcount == 1

    def line(self, path: str) -> Line | None:
        """What the manifest says about a path within the archive, however its letters are composed."""
        if not path.startswith(self.base):
            return None
        key = unicodedata.normalize("NFC", path[len(self.base) :])
        try:
            row = self._index.execute("SELECT path, number, said FROM lines WHERE path = ?", (key,)).fetchone()
        except UnicodeEncodeError:
            # A file name that is not UTF-8; no manifest can hold it.
            return None
        return None if row is None else self._line(*row)

    def paths(self) -> Iterator[tuple[int, str]]:
        """(line, path within the archive) of every recording that is listed."""
        for number, path in self._index.execute("SELECT number, path FROM lines ORDER BY number"):
            yield number, self.base + path

    def _line(self, path: str, number: int, said: str) -> Line:
        transcript, text, dialogue, moment, options, metadata = json.loads(said)
        return Line(
            number,
            path,
            transcript,
            Excerpt(self._manifest, Place(**text[0]), text[1]) if text else None,
            dialogue,
            datetime.fromisoformat(moment) if moment else None,
            options,
            metadata,
        )
