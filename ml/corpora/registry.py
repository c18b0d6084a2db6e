"""Every corpus that can be imported, by name."""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from ml.corpora.cremad import cremad
from ml.corpora.emodb import emodb
from ml.corpora.generic import generic
from ml.corpora.goemotions import goemotions
from ml.corpora.iemocap import iemocap
from ml.corpora.importer import Importer
from ml.corpora.kemdy19 import kemdy19
from ml.corpora.kemdy20 import kemdy20
from ml.corpora.meld import meld
from ml.corpora.nemo import nemo
from ml.corpora.ravdess import ravdess
from ml.corpora.types import SPEAKER, CorpusUnknown, LabelledUtterance, Skipped

IMPORTERS: dict[str, Importer] = {
    importer.name: importer
    for importer in (iemocap, kemdy19, kemdy20, meld, ravdess, nemo, emodb, cremad, goemotions, generic)
}


def find_importer(name: str) -> Importer:
    """The importer of a name; raises `CorpusUnknown`."""
    if name not in IMPORTERS:
        raise CorpusUnknown(f"there is no corpus {name}", hint=f"Known are {', '.join(IMPORTERS)}.")
    return IMPORTERS[name]


def corpus(
    name: str, folder: Path, skipped: Skipped | None = None, *, roles: Collection[str] = (SPEAKER,)
) -> Iterator[LabelledUtterance]:
    """Yield the corpus of a name, which lies in `folder`; see `Importer`."""
    return find_importer(name)(folder, skipped, roles=roles)


def of_classes(items: Iterable[LabelledUtterance], classes: Collection[str]) -> Iterator[LabelledUtterance]:
    """The items that have one of some labels, e.g. the four classes of IEMOCAP's literature."""
    return (item for item in items if item.label in classes)
