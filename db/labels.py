"""Writing labels: many at once, and the same ones again without a change."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

from sqlalchemy import Connection, text

from db import erasures
from db.copying import copy_rows
from db.tables.labels import SHARES

_KEY = ("recording_id", "start_s", "end_s", "annotator")
_VALUES = ("corpus", "item_id", "label", "source_label", "arousal", "valence", "speaker", "dialogue", "session",
           "split", "language", "note", "gender", "style")  # fmt: skip
#: What stands before a speaker's name in labels of one's own.
OWN = "archive-"
#: Why a label is left out.
ABOUT_ERASED = "whoever it is about was erased"


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One row of `labels`; `shares` are [7] in the order of the classes, None without votes."""

    recording_id: int
    start_s: float
    end_s: float
    annotator: str
    corpus: str
    item_id: str
    label: str | None
    source_label: str | None
    arousal: float | None
    valence: float | None
    speaker: str | None
    dialogue: str | None
    session: str | None
    split: str | None
    language: str | None
    note: str | None
    shares: Sequence[float] | None
    #: What it was drawn as, where a tool says so: the same region elsewhere is the same label, moved.
    region: str | None = None
    gender: str | None = None
    style: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What became of rows; those that were there in the same form are in neither."""

    added: int
    corrected: int

    @property
    def changed(self) -> int:
        """Rows that were not there in the same form."""
        return self.added + self.corrected


def write_labels(conn: Connection, rows: Iterable[LabelRow], *, batch_id: int | None = None) -> Written:
    """Insert, change or move rows; no key may occur twice. What is changed goes into `replaced_labels` as it was.

    A label of the same annotator, recording and region at other seconds is moved, which counts as corrected.
    `batch_id` is the import that brings them; rows that stay as they are keep theirs.
    """
    columns = (*_KEY, *_VALUES, *SHARES, "region")
    values = (*_VALUES, *SHARES)
    same_key = " AND ".join(f"l.{name} = n.{name}" for name in _KEY)
    moved = (
        f"l.region = n.region AND l.recording_id = n.recording_id AND l.annotator = n.annotator AND NOT ({same_key})"
    )
    differs = (
        f"({', '.join(f'l.{name}' for name in values)}) IS DISTINCT FROM ({', '.join(f'n.{name}' for name in values)})"
    )
    # One writer at a time: what is compared below must not change before it is written.
    conn.execute(text("LOCK TABLE labels IN SHARE ROW EXCLUSIVE MODE"))
    conn.execute(text("CREATE TEMP TABLE new_labels (LIKE labels INCLUDING DEFAULTS) ON COMMIT DROP"))
    copy_rows(conn, "new_labels", columns, (_fields(row) for row in rows))
    conn.execute(
        text(f"""
            INSERT INTO replaced_labels ({", ".join(_KEY)}, was, imported_at, replaced_by)
            SELECT DISTINCT {_keys("l")},
                   jsonb_strip_nulls(to_jsonb(l) - CAST(:key AS text[]) - 'imported_at' - 'region'),
                   l.imported_at, CAST(:batch AS bigint)
              FROM labels l JOIN new_labels n ON ({same_key} AND {differs}) OR ({moved})
        """),
        {"key": list(_KEY), "batch": batch_id},
    )
    # Written anew below, since it may go where another one has been.
    gone = conn.execute(text(f"DELETE FROM labels l USING new_labels n WHERE {moved}")).rowcount
    # What was imported before regions were known gets to know its own.
    conn.execute(
        text(f"""
            UPDATE labels l SET region = n.region FROM new_labels n
             WHERE {same_key} AND n.region IS NOT NULL AND l.region IS DISTINCT FROM n.region
        """)
    )
    corrected = conn.execute(
        text(f"""
            UPDATE labels l
               SET ({", ".join(values)}, batch_id, imported_at)
                   = ({", ".join(f"n.{name}" for name in values)}, :batch, now())
              FROM new_labels n WHERE {same_key} AND {differs}
        """),
        {"batch": batch_id},
    ).rowcount
    added = conn.execute(
        text(f"""
            INSERT INTO labels ({", ".join(columns)}, batch_id) SELECT {", ".join(columns)}, :batch FROM new_labels n
             WHERE NOT EXISTS (SELECT FROM labels l WHERE {same_key})
        """),
        {"batch": batch_id},
    ).rowcount
    conn.execute(text("DROP TABLE new_labels"))
    return Written(added - gone, corrected + gone)


def without_erased(conn: Connection, rows: Sequence[LabelRow]) -> list[LabelRow]:
    """Rows that are about nobody who was erased; keeps erasures waiting to the end of the transaction."""
    erasures.share(conn)
    names = {name for row in rows if row.speaker is not None for name in (row.speaker, row.speaker.removeprefix(OWN))}
    gone = erasures.erased(conn, "person", names)
    return [row for row in rows if row.speaker not in gone and (row.speaker or "").removeprefix(OWN) not in gone]


def _keys(table: str) -> str:
    return ", ".join(f"{table}.{name}" for name in _KEY)


def _fields(row: LabelRow) -> list[object]:
    *fields, shares, region, gender, style = astuple(row)
    return [*fields, gender, style, *(shares if shares is not None else [None] * len(SHARES)), region]
