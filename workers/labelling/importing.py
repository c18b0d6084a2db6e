"""Labels of one's own into the database: on recordings that are known, once each, as a batch with its agreement."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine

from db.label_batches import Judged, Measured, Opinion, close_batch, drop_batch, judged, open_batch
from db.labels import ABOUT_ERASED, LabelRow, Written, without_erased, write_labels
from ml.corpora.registry import IMPORTERS
from ml.labelling import agreement
from ml.labelling.types import Judgement, Read, Refusal
from workers.labelling.places import Place, Places, scope
from workers.ledger.patience import transaction

#: The corpus of labels of one's own.
ARCHIVE = "archive"
PATIENCE_S = 5.0


@dataclass(slots=True)
class Imported:
    """What became of a file of labels. `batch_id` is None when nothing was changed by it."""

    source: str
    format: str
    annotators: list[str]
    recordings: int
    added: int = 0
    corrected: int = 0
    unchanged: int = 0
    refused: list[Refusal] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    batch_id: int | None = None
    #: By measure; None when nothing was changed.
    agreement: dict[str, Measured] | None = None


def import_own(
    engine: Engine, read: Read, *, job: int | None = None, archive: Path | str | None = None, dry_run: bool = False
) -> Imported:
    """Write what was read, in one transaction; the same once more changes nothing. Raises `NotFound`.

    Lines about recordings that the database does not know are refused like lines that could not be read. `dry_run`
    finds out all the same, and takes it back.
    """
    work = partial(_import, read=read, job=job, archive=archive)
    if not dry_run:
        return transaction(engine, work, patience_s=PATIENCE_S)
    with engine.connect() as conn:
        imported = work(conn)
        conn.rollback()
    imported.batch_id = None
    return imported


def _import(conn: Connection, *, read: Read, job: int | None, archive: Path | str | None) -> Imported:
    rows, refused, left_out = _rows(conn, read, job=job, archive=archive)
    given, rows = len(rows), without_erased(conn, rows)
    if len(rows) < given:
        left_out[ABOUT_ERASED] = given - len(rows)
    annotators = sorted({row.annotator for row in rows})
    imported = Imported(read.source, read.format, annotators, len({row.recording_id for row in rows}))
    imported.refused, imported.left_out = refused, left_out
    batch_id = open_batch(conn, source=read.source, sha256=read.sha256, format=read.format, annotators=annotators)
    written = write_labels(conn, rows, batch_id=batch_id)
    imported.added, imported.corrected = written.added, written.corrected
    imported.unchanged = len(rows) - written.changed
    if not written.changed:
        drop_batch(conn, batch_id)
        return imported
    imported.batch_id, imported.agreement = batch_id, measured(judged(conn, batch_id))
    _close(conn, imported, written, batch_id)
    return imported


def _close(conn: Connection, imported: Imported, written: Written, batch_id: int) -> None:
    close_batch(
        conn,
        batch_id,
        added=written.added,
        corrected=written.corrected,
        unchanged=imported.unchanged,
        refused=len(imported.refused),
        left_out=imported.left_out,
        agreement=imported.agreement or {},
    )


def measured(stretches: Iterable[Judged]) -> dict[str, Measured]:
    """Agreement on the label (nominal), arousal and valence (interval) of stretches that two or more judged."""
    opinions = [list(stretch.opinions.values()) for stretch in stretches]

    def said(of: Callable[[Opinion], float | None]) -> list[list[float]]:
        return [[value for one in several if (value := of(one)) is not None] for several in opinions]

    found = {
        "emotion": agreement.nominal([[one.label for one in several if one.label] for several in opinions]),
        "arousal": agreement.interval(said(lambda one: one.arousal)),
        "valence": agreement.interval(said(lambda one: one.valence)),
    }
    return {measure: Measured(**asdict(one)) for measure, one in found.items()}


def _rows(
    conn: Connection, read: Read, *, job: int | None, archive: Path | str | None
) -> tuple[list[LabelRow], list[Refusal], dict[str, int]]:
    """Rows with keys of their own, refusals in the file's order of kinds, and what says nothing."""
    places = Places(conn, scope(conn, job=job, archive=archive), read.judgements)
    refused, left_out = list(read.refusals), dict(read.left_out)
    rows: dict[tuple[object, ...], tuple[LabelRow, Judgement]] = {}
    for judgement in read.judgements:
        try:
            row = _row(judgement, places.find(judgement))
        except ValueError as exc:
            refused.append(Refusal(judgement.file, judgement.where, str(exc)))
            continue
        key = (row.recording_id, row.start_s, row.end_s, row.annotator)
        if key not in rows:
            rows[key] = (row, judgement)
        elif rows[key][0] == row:
            left_out["the same judgement twice"] = left_out.get("the same judgement twice", 0) + 1
        else:
            reason = f"its annotator judges this stretch otherwise at {rows[key][1].where}"
            refused.append(Refusal(judgement.file, judgement.where, reason))
    return [row for row, _ in rows.values()], refused, left_out


def _row(judgement: Judgement, place: Place) -> LabelRow:
    if judgement.annotator in IMPORTERS:
        raise ValueError("its annotator has the name of a corpus, which stands for what that publishes")
    return LabelRow(
        recording_id=place.recording_id,
        start_s=place.start_s,
        end_s=place.end_s,
        annotator=judgement.annotator,
        corpus=ARCHIVE,
        item_id=f"{place.sha256[:16]}@{place.start_s:.3f}-{place.end_s:.3f}",
        label=judgement.label,
        source_label=judgement.source_label,
        arousal=judgement.arousal,
        valence=judgement.valence,
        speaker=_speaker(judgement.speaker),
        dialogue=None,
        session=None,
        split=None,
        language=judgement.language,
        note=judgement.note,
        shares=judgement.shares,
        region=judgement.region,
        gender=judgement.gender,
    )


def _speaker(name: str | None) -> str | None:
    """As the analysis would name the person, so that splits keep him together; a corpus's speaker stays himself."""
    if name is None or name.startswith(tuple(f"{corpus}-" for corpus in (*IMPORTERS, ARCHIVE))):
        return name
    return f"{ARCHIVE}-{name}"
