"""What makes a function an importer: a name, a licence, and an account of what it left out."""

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ml.corpora.types import SPEAKER, CorpusMissing, LabelledUtterance, Skipped

logger = logging.getLogger(__name__)

Reader = Callable[[Path, Skipped], Iterator[LabelledUtterance]]


@dataclass(frozen=True, slots=True)
class Importer:
    """Reads one corpus in its published layout: `importer(folder)`.

    Items come in a fixed order, each at most once. `Skipped` counts what is left out on purpose or for want of audio;
    whoever gives none gets the counts as a warning in the log, at the end. What a listener felt is left out unless
    `roles` asks for it: it is not what is heard in the voice. Raises a `CorpusError`.
    """

    name: str
    #: One line for people.
    about: str
    licence: str
    read: Reader

    def __call__(
        self, folder: Path, skipped: Skipped | None = None, *, roles: Collection[str] = (SPEAKER,)
    ) -> Iterator[LabelledUtterance]:
        """Yield the corpus in `folder`."""
        if not folder.exists():
            raise CorpusMissing(
                f"there is nothing at {folder}", hint="Check the path; for `csv` it is the table itself."
            )
        account = Skipped() if skipped is None else skipped
        for item in self.read(folder, account):
            if item.role in roles:
                yield item
            else:
                account.add(f"the {item.role}'s rating", item.item_id)
        if skipped is None and account.counts:
            logger.warning("%s: %s", self.name, account)


def importer(name: str, *, about: str, licence: str) -> Callable[[Reader], Importer]:
    """Make an importer of a function that reads `folder` and counts what it skips."""
    return lambda read: Importer(name, about, licence, read)
