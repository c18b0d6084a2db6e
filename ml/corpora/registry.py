"""Every corpus that can be imported, by name."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from ml.corpora.goemotions import goemotions
from ml.corpora.importer import Importer
from ml.corpora.meld import meld
from ml.corpora.nemo import nemo
from ml.corpora.ravdess import ravdess
from ml.corpora.types import CorpusUnknown, LabelledUtterance, Skipped

IMPORTERS: dict[str, Importer] = {importer.name: importer for importer in (ravdess, nemo, meld, goemotions)}


def find_importer(name: str) -> Importer:
    """The importer of a name; raises `CorpusUnknown`."""
    if name not in IMPORTERS:
        raise CorpusUnknown(f"there is no corpus {name}", hint=f"Known are {', '.join(IMPORTERS)}.")
    return IMPORTERS[name]


def corpus(name: str, folder: Path, skipped: Skipped | None = None) -> Iterator[LabelledUtterance]:
    """Yield the corpus of a name, which lies in `folder`; see `Importer`."""
    return find_importer(name)(folder, skipped)


def of_classes(items: Iterable[LabelledUtterance], classes: Collection[str]) -> Iterator[LabelledUtterance]:
    """The items that have one of some labels, e.g. the four classes of IEMOCAP's literature."""
    return (item for item in items if item.label in classes)
