"""Erasing recordings and people, as a program sees it: choose, look at the plan, erase, allow again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine

from db import erasures
from db.erasures import Erasure

if TYPE_CHECKING:
    from workers.erasing.choosing import Chosen
    from workers.erasing.erase import Plan
    from workers.settings import Settings

#: What Tenor cannot take back, whatever is erased.
REMAINS = (
    "the archive itself: Tenor never writes to it, so its files are yours to delete",
    "back-ups made before, exports, reports and samples for labelling that were handed out",
    "deleted rows in Postgres' files until they are vacuumed, and in its write-ahead log and replicas",
)


@dataclass(frozen=True, slots=True)
class Erased:
    """What came of it. `finished` False: a worker of a stopped run may still write; what it writes is removed later."""

    erasure: int
    #: recordings or person
    kind: str
    finished: bool
    counts: dict[str, float]


def choose(conn: Connection, recordings: Sequence[str], speaker: str | None) -> "Chosen":
    """What is meant; raises `NotFound` or `RecordingAmbiguous`."""
    from workers.erasing import choosing

    return choosing.recordings(conn, recordings) if speaker is None else choosing.somebody(conn, speaker)


def plan(conn: Connection, settings: "Settings", chosen: "Chosen") -> "Plan":
    """Count what would go."""
    from workers.erasing import erase

    return erase.plan(conn, settings, chosen)


def erase(
    engine: Engine, settings: "Settings", chosen: "Chosen", *, advance: Callable[[int], None] = lambda left: None
) -> Erased:
    """Erase it; a call that is killed is gone on with by `resume`. Raises `ErasureUnfinished`."""
    from workers.erasing import erase as erasing

    return _done(erasing.go_on(engine, settings, erasing.begin(engine, chosen), advance=advance))


def resume(engine: Engine, settings: "Settings", *, advance: Callable[[int], None] = lambda left: None) -> list[Erased]:
    """Finish erasures that were broken off. Raises `ErasureUnfinished`."""
    from workers.erasing import erase as erasing

    with engine.connect() as conn:
        left = erasing.unfinished(conn)
    return [_done(erasing.go_on(engine, settings, erasure_id, advance=advance)) for erasure_id in left]


def _done(found: Erasure) -> Erased:
    return Erased(found.id, found.kind, found.finished_at is not None, dict(found.counts))


def allow(engine: Engine, erasure_id: int) -> None:
    """Let what an erasure took be analysed again when it is enqueued. Raises `NotFound`."""
    with engine.begin() as conn:
        erasures.allow(conn, erasure_id)


def listed(conn: Connection) -> list[Erasure]:
    """All erasures, the newest first."""
    return erasures.listed(conn)
