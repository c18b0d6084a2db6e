"""What the commands about labels of one's own do and print."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from db.engine import make_engine, reading
from db.label_batches import Judged, LabelBatch, Measured, batch, batches, judged, names_of
from ml.emotions import EMOTIONS
from ml.labelling import agreement
from ml.labelling.errors import NothingImported
from ml.labelling.reading import read_labels
from ml.labelling.sampling import Strategy
from ml.labelling.words import read_words
from ops import access, jobs
from ops.cli.session import Session
from ops.cli.text import visible
from workers.settings import load_settings

if TYPE_CHECKING:
    from workers.labelling.importing import Imported

#: Lines that are named on a terminal; `--json` has all of them.
FIRST_REFUSALS = 50


@dataclass(frozen=True, slots=True)
class Source:
    """A file of labels and how to read it, as it was typed."""

    file: Path
    annotator: str | None = None
    tier: str | None = None
    scale: str | None = None
    maps: Sequence[str] = ()


def import_labels(session: Session, source: Source, *, job: int | None, archive: str | None, dry_run: bool) -> int:
    """Read, write unless it is a dry run, and say what became of every line; the number of refused ones.

    Raises `NothingImported` where that is all of them.
    """
    from workers.labelling.importing import import_own

    words = read_words(source.maps, source.scale)
    read = read_labels(source.file, words=words, annotator=source.annotator, tier=source.tier)
    engine = make_engine(access.database(load_settings(), session.say))
    imported = import_own(engine, read, job=job, archive=archive, dry_run=dry_run)
    if session.json_output:
        session.document(asdict(imported))
    else:
        _show_imported(session, imported, dry_run=dry_run)
    refused = len(imported.refused)
    if refused and not imported.recordings:
        count = "The only label" if refused == 1 else f"All {refused:,} labels"
        raise NothingImported(f"{count} of {read.source} {'was' if refused == 1 else 'were'} refused")
    return refused


def _show_imported(session: Session, imported: "Imported", *, dry_run: bool) -> None:
    for refusal in imported.refused[:FIRST_REFUSALS]:
        session.say(visible(str(refusal)))
    if (more := len(imported.refused) - FIRST_REFUSALS) > 0:
        session.say(f"… and {more:,} more, which --json lists")
    for reason, number in imported.left_out.items():
        session.print(f"{number:,} left out: {reason}")
    session.print(
        f"{imported.added:,} labels new, {imported.corrected:,} corrected, {imported.unchanged:,} as they were,"
        f" {len(imported.refused):,} refused; {len(imported.annotators):,} annotators,"
        f" {imported.recordings:,} recordings"
    )
    if imported.agreement is not None:
        _show_agreement(session, imported.agreement)
    if dry_run:
        session.print("Nothing was written (--dry-run).")
    elif imported.batch_id is not None:
        session.print(f"Batch {imported.batch_id}: `tenor labels show {imported.batch_id}`")


def list_batches(session: Session) -> None:
    """A line for each import."""
    with reading(make_engine(access.look(load_settings()).database_url)) as conn:
        found = batches(conn)
    if session.json_output:
        session.document(found)
        return
    if not found:
        session.say("No labels of your own yet; `tenor labels sample` proposes what to label.")
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("batch", "new", "corrected", "refused"):
        table.add_column(column, justify="right")
    for column in ("imported", "file", "annotators", "alpha: emotion", "arousal", "valence"):
        table.add_column(column, overflow="fold")
    for one in found:
        table.add_row(
            *(f"{number:,}" for number in (one.id, one.added, one.corrected, one.refused)),
            f"{one.created_at:%Y-%m-%d %H:%M}",
            Text(visible(one.source)),
            Text(visible(", ".join(one.annotators))),
            *(_alpha(measured) for measured in one.agreement.values()),
        )
    session.out.print(table)


def show_batch(session: Session, batch_id: int, *, disputed: int) -> None:
    """One import: agreement, confusion between annotators, the most disputed stretches."""
    with reading(make_engine(access.look(load_settings()).database_url)) as conn:
        found, stretches = batch(conn, batch_id), judged(conn, batch_id)
        ranked = _most_disputed(stretches)[:disputed]
        names = names_of(conn, [stretch.recording_id for stretch, _ in ranked])
    confused = agreement.confusion([_labels(stretch) for stretch in stretches])
    lines = [_disputed(stretch, share, names) for stretch, share in ranked]
    if session.json_output:
        pairs = [
            {"annotators": pair, "said": [[*said, number] for said, number in sorted(counts.items())]}
            for pair, counts in confused.items()
        ]
        session.document({"batch": found, "confusion": pairs, "disputed": lines})
        return
    _show_head(session, found)
    _show_confusion(session, confused)
    _show_disputed(session, lines)


def sample(
    session: Session,
    job: int | None,
    out: Path | None,
    *,
    count: int,
    strategy: Strategy,
    seed: int,
    with_text: bool,
    predictions: bool,
) -> None:
    """Choose, cut, write, and say what was chosen."""
    from workers.labelling import sampling

    settings = load_settings()
    engine = make_engine(access.look(settings).database_url)
    with reading(engine) as conn:
        chosen = jobs.latest(conn) if job is None else jobs.status(conn, job).job_id
    folder = out if out is not None else Path(f"labels-job-{chosen}")
    with Progress(console=session.err, transient=True, disable=not session.err.is_terminal) as progress:
        task = progress.add_task("Cutting clips", total=None)
        made = sampling.sample(
            engine,
            settings,
            chosen,
            folder,
            count=count,
            strategy=strategy,
            seed=seed,
            with_text=with_text,
            predictions=predictions,
            advance=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if session.json_output:
        session.document({"job_id": chosen, **asdict(made)})
        return
    classes = ", ".join(f"{number} {emotion}" for emotion, number in made.classes.items())
    session.print(f"{made.proposed:,} of {made.pool:,} utterances of {made.speakers:,} speakers: {classes}")
    session.print(
        f"mean uncertainty {made.uncertainty:.2f}, of all that were looked at {made.pool_uncertainty:.2f}"
        " (0 certain, 1 all classes alike)"
    )
    for reason, number in made.left_out.items():
        session.print(f"{number:,} left out: {reason}")
    session.print(f"Tasks and clips: {visible(str(made.folder))}; README.md there says how to label them")


def _show_head(session: Session, found: LabelBatch) -> None:
    session.print(f"{visible(found.source)}, imported {found.created_at:%Y-%m-%d %H:%M}")
    session.print(f"annotators: {visible(', '.join(found.annotators))}")
    session.print(
        f"{found.added:,} labels new, {found.corrected:,} corrected, {found.unchanged:,} as they were,"
        f" {found.refused:,} refused"
    )
    _show_agreement(session, found.agreement)


def _show_agreement(session: Session, found: Mapping[str, Measured]) -> None:
    for measure, measured in found.items():
        if measured.alpha is not None:
            session.print(f"alpha of {measure}: {_alpha(measured)} on {measured.items:,} stretches")
        elif measured.items or measure == "emotion":
            session.print(f"alpha of {measure}: none, {measured.note}")


def _alpha(measured: Measured) -> str:
    if measured.alpha is None:
        return "–"
    if measured.low is None or measured.high is None:
        return f"{measured.alpha:.2f}"
    return f"{measured.alpha:.2f} ({measured.low:.2f} to {measured.high:.2f})"


def _show_confusion(session: Session, confused: Mapping[tuple[str, str], Counter[tuple[str, str]]]) -> None:
    """A matrix for each pair of annotators: rows are the first one's words, columns the second's."""
    for (first, second), counts in confused.items():
        used = [emotion for emotion in EMOTIONS if any(emotion in said for said in counts)]
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        table.add_column(Text(visible(f"{first} ↓  {second} →")))
        for emotion in used:
            table.add_column(emotion, justify="right")
        for said in used:
            table.add_row(said, *(f"{counts[said, other]:,}" if counts[said, other] else "·" for other in used))
        session.out.print(table)


def _show_disputed(session: Session, lines: Sequence[Mapping[str, Any]]) -> None:
    if not lines:
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("disputed", overflow="fold")
    for column in ("start s", "end s"):
        table.add_column(column, justify="right")
    table.add_column("who said what", overflow="fold")
    for line in lines:
        said = ", ".join(f"{who}: {label}" for who, label in line["said"].items())
        start, end = (f"{line[name]:.3f}" for name in ("start_s", "end_s"))
        table.add_row(Text(visible(line["recording"])), start, end, Text(visible(said)))
    session.out.print(table)


def _most_disputed(stretches: Sequence[Judged]) -> list[tuple[Judged, float]]:
    """Stretches on which annotators differ, those on which most pairs do first."""
    shares = [(stretch, agreement.dispute(list(_labels(stretch).values()))) for stretch in stretches]
    return sorted((pair for pair in shares if pair[1] > 0), key=lambda pair: (-pair[1], -len(pair[0].opinions)))


def _labels(stretch: Judged) -> dict[str, str]:
    return {who: opinion.label for who, opinion in stretch.opinions.items() if opinion.label is not None}


def _disputed(stretch: Judged, share: float, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "recording": names.get(stretch.recording_id, f"recording {stretch.recording_id}"),
        "recording_id": stretch.recording_id,
        "start_s": stretch.start_s,
        "end_s": stretch.end_s,
        "said": _labels(stretch),
        "pairs_that_differ": round(share, 3),
    }
