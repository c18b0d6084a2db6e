"""Writing labels: many at once, and the same ones again without a change."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass

from sqlalchemy import Connection, text

from db.copying import copy_rows
from db.tables.labels import SHARES

_KEY = ("recording_id", "start_s", "end_s", "annotator")
_VALUES = ("corpus", "item_id", "label", "source_label", "arousal", "valence", "speaker", "dialogue", "session",
           "split", "language")  # fmt: skip


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
    speaker: str
    dialogue: str | None
    session: str | None
    split: str | None
    language: str
    shares: Sequence[float] | None


def write_labels(conn: Connection, rows: Iterable[LabelRow]) -> int:
    """Insert or change rows; no key may occur twice. Returns how many were not there in the same form."""
    columns = (*_KEY, *_VALUES, *SHARES)
    conn.execute(text("CREATE TEMP TABLE new_labels (LIKE labels INCLUDING DEFAULTS) ON COMMIT DROP"))
    copy_rows(conn, "new_labels", columns, (_fields(row) for row in rows))
    values = (*_VALUES, *SHARES)
    changed = conn.execute(
        text(f"""
            INSERT INTO labels ({", ".join(columns)}) SELECT {", ".join(columns)} FROM new_labels
            ON CONFLICT ({", ".join(_KEY)}) DO UPDATE
               SET ({", ".join(values)}, imported_at) = ({", ".join(f"excluded.{name}" for name in values)}, now())
             WHERE ({", ".join(f"labels.{name}" for name in values)})
                   IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in values)})
        """)
    ).rowcount
    conn.execute(text("DROP TABLE new_labels"))
    return int(changed)


def _fields(row: LabelRow) -> list[object]:
    *fields, shares = astuple(row)
    return [*fields, *(shares if shares is not None else [None] * len(SHARES))]
