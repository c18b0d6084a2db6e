"""Erasures as rows: the log of them, and the marks that keep what was erased from being analysed again.

A mark is a digest of a content's hash or of a person's name. Whoever has the audio, or knows the name, can find out
that it was erased; from the mark alone neither follows (though names can be guessed and tried).
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, text

from db.errors import NotFound

Kind = Literal["recordings", "person"]
#: Who writes what could have been erased shares it; who erases is alone.
_LOCK = 7_367_005


@dataclass(frozen=True, slots=True)
class Erased:
    """By which erasure something went, and when."""

    erasure_id: int
    erased_at: datetime

    def __str__(self) -> str:
        return f"erased on {self.erased_at:%Y-%m-%d}"


@dataclass(frozen=True, slots=True)
class Erasure:
    """A row of `erasures`; `todo` is None when nothing is left to remove."""

    id: int
    kind: str
    erased_at: datetime
    counts: Mapping[str, Any]
    todo: Mapping[str, Any] | None
    finished_at: datetime | None
    allowed_at: datetime | None


def share(conn: Connection) -> None:
    """Keep erasures waiting to the end of the transaction, which is about to store what a recording holds."""
    conn.execute(text("SELECT pg_advisory_xact_lock_shared(:k)"), {"k": _LOCK})


def alone(conn: Connection) -> None:
    """Wait until nobody stores what a recording holds, and keep others from it to the end of the transaction."""
    conn.execute(text("SELECT pg_advisory_xact_lock(:k)"), {"k": _LOCK})


def digest(kind: Kind, value: str) -> str:
    """The mark of a content's SHA-256, or of a person's name."""
    return hashlib.sha256(f"tenor erased {kind}\0{value}".encode("utf-8", "surrogatepass")).hexdigest()


def erased(conn: Connection, kind: Kind, values: Iterable[str]) -> dict[str, Erased]:
    """Those of some hashes, or names, that were erased."""
    by_digest = {digest(kind, value): value for value in values}
    if not by_digest:
        return {}
    rows = conn.execute(
        text("""
            SELECT m.digest, e.id, e.erased_at FROM erased_marks m JOIN erasures e ON e.id = m.erasure_id
             WHERE m.digest = ANY(:digests)
        """),
        {"digests": list(by_digest)},
    )
    return {by_digest[row.digest]: Erased(row.id, row.erased_at) for row in rows}


def begin(conn: Connection, kind: Kind, values: Collection[str], todo: Mapping[str, Any]) -> int:
    """A new erasure with its marks; from its commit on nothing of it is analysed. Returns its id."""
    made = int(
        conn.execute(
            text("INSERT INTO erasures (kind, todo) VALUES (:kind, CAST(:todo AS jsonb)) RETURNING id"),
            {"kind": kind, "todo": json.dumps(dict(todo))},
        ).scalar_one()
    )
    conn.execute(
        text("""
            INSERT INTO erased_marks (digest, erasure_id) SELECT d, :id FROM unnest(CAST(:digests AS text[])) AS d
            ON CONFLICT (digest) DO UPDATE SET erasure_id = excluded.erasure_id
        """),
        {"id": made, "digests": [digest(kind, value) for value in values]},
    )
    return made


def note(conn: Connection, erasure_id: int, todo: Mapping[str, Any], counts: Mapping[str, Any]) -> None:
    """Write down what is left to do, and what is done."""
    conn.execute(
        text("UPDATE erasures SET todo = CAST(:todo AS jsonb), counts = CAST(:counts AS jsonb) WHERE id = :id"),
        {"id": erasure_id, "todo": json.dumps(dict(todo)), "counts": json.dumps(dict(counts))},
    )


def finish(conn: Connection, erasure_id: int, counts: Mapping[str, Any]) -> None:
    """Nothing is left of it; what was to be done is forgotten."""
    conn.execute(
        text("""
            UPDATE erasures SET todo = NULL, finished_at = now(), counts = CAST(:counts AS jsonb) WHERE id = :id
        """),
        {"id": erasure_id, "counts": json.dumps(dict(counts))},
    )


def get(conn: Connection, erasure_id: int, *, lock: bool = False) -> Erasure:
    """One erasure; raises `NotFound`."""
    locking = "FOR UPDATE" if lock else ""
    row = conn.execute(text(f"SELECT * FROM erasures WHERE id = :id {locking}"), {"id": erasure_id}).one_or_none()
    if row is None:
        raise NotFound(f"there is no erasure {erasure_id}", hint="`tenor erase --list` lists those there are.")
    return Erasure(**row._mapping)


def listed(conn: Connection) -> list[Erasure]:
    """All erasures, the newest first."""
    return [Erasure(**row._mapping) for row in conn.execute(text("SELECT * FROM erasures ORDER BY id DESC"))]


def allow(conn: Connection, erasure_id: int) -> None:
    """Let what was erased be analysed again when it is enqueued; nothing of it comes back by itself.

    Alignments that a person's words were taken out of no longer stand for their recording, transcript and options, so
    that the next job makes them anew; until then they show what they have. Raises `NotFound`.
    """
    alone(conn)
    found = get(conn, erasure_id, lock=True)
    conn.execute(text("DELETE FROM erased_marks WHERE erasure_id = :id"), {"id": erasure_id})
    conn.execute(
        text("""
            UPDATE alignments SET options_hash = options_hash || '-before-' || id
             WHERE (quality -> 'erasures' @> to_jsonb(CAST(:id AS bigint))
                    OR state = 'failed' AND error_code = 'speaker_erased' AND :person)
               AND options_hash NOT LIKE '%-before-%'
        """),
        {"id": erasure_id, "person": found.kind == "person"},
    )
    conn.execute(
        text("UPDATE erasures SET allowed_at = coalesce(allowed_at, now()) WHERE id = :id"), {"id": erasure_id}
    )
