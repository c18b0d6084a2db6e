"""What the commands about labelled corpora do and print."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from ml.corpora.registry import IMPORTERS, find_importer
from ml.corpora.types import LabelledUtterance, Skipped
from ml.emotions import EMOTIONS
from ops import access
from ops.cli.session import Session
from ops.cli.text import visible
from workers.settings import load_settings

if TYPE_CHECKING:
    from workers.labelling.corpora import Imported

#: A table with a row for more speakers than these tells nobody anything.
MOST_SPEAKERS = 60
UNLABELLED = "no label"


@dataclass(frozen=True, slots=True)
class Counts:
    """Items of a corpus per label, and per speaker and label; labels in the order of the classes."""

    labels: dict[str, int]
    speakers: dict[str, dict[str, int]]


def list_corpora(session: Session) -> None:
    """Names, what they are, licences."""
    if session.json_output:
        session.document([{"name": i.name, "about": i.about, "licence": i.licence} for i in IMPORTERS.values()])
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("name", "what it is", "licence"):
        table.add_column(column, overflow="fold")
    for importer in IMPORTERS.values():
        table.add_row(importer.name, importer.about, importer.licence)
    session.out.print(table)


def import_corpus(session: Session, name: str, path: Path, *, dry_run: bool) -> None:
    """Read, write unless it is a dry run, and show the counts."""
    importer, skipped = find_importer(name), Skipped()
    items = list(importer(path, skipped))
    imported = None if dry_run else _write(session, items)
    counts = count(items)
    if session.json_output:
        session.document(
            {
                "corpus": name,
                "licence": importer.licence,
                "items": len(items),
                "skipped": dict(skipped.counts),
                "imported": asdict(imported) if imported else None,
                **asdict(counts),
            }
        )
        return
    _show(session, counts)
    session.print(f"{name}: {len(items):,} items, {len(counts.speakers):,} speakers; licence: {importer.licence}")
    for reason, number in skipped.counts.items():
        session.print(f"{number:,} left out: {reason} (first {visible(skipped.first[reason])})")
    if imported is None:
        session.print("Nothing was written (--dry-run).")
    else:
        _show_written(session, imported)


def count(items: Sequence[LabelledUtterance]) -> Counts:
    """Count by label, and by speaker and label."""
    speakers: dict[str, Counter[str]] = {}
    for item in items:
        speakers.setdefault(item.speaker, Counter())[item.label or UNLABELLED] += 1
    total = sum(speakers.values(), Counter())
    order = [label for label in (*EMOTIONS, UNLABELLED) if total[label]]
    return Counts(
        {label: total[label] for label in order},
        {speaker: {label: speakers[speaker][label] for label in order} for speaker in sorted(speakers)},
    )


def _write(session: Session, items: Sequence[LabelledUtterance]) -> "Imported":
    from db.engine import make_engine
    from workers.labelling.corpora import import_labels

    engine = make_engine(access.database(load_settings(), session.say))
    with Progress(console=session.err, transient=True, disable=not session.err.is_terminal) as progress:
        task = progress.add_task("Importing", total=len(items))
        return import_labels(engine, items, advance=lambda done: progress.advance(task, done))


def _show(session: Session, counts: Counts) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("speaker", overflow="fold")
    for label in (*counts.labels, "all"):
        table.add_column(label, justify="right")
    listed = counts.speakers if len(counts.speakers) <= MOST_SPEAKERS else {}
    for speaker, labels in listed.items():
        table.add_row(Text(visible(speaker)), *map(str, labels.values()), str(sum(labels.values())))
    if listed:
        table.add_section()
    table.add_row("all", *(f"{number:,}" for number in counts.labels.values()), f"{sum(counts.labels.values()):,}")
    session.out.print(table)


def _show_written(session: Session, imported: "Imported") -> None:
    for reason, number in imported.left_out.items():
        session.print(f"{number:,} not in the database: {reason}")
    session.print(
        f"{imported.changed:,} labels new or changed, {imported.unchanged:,} as they were,"
        f" on {imported.recordings:,} recordings"
    )
