"""Erasing, from the plan to the last file, in steps that can be killed and gone on with.

First the marks are set, so that nothing of it is analysed again, and a row says what is to be done. Then rows go, some
recordings at a time, each transaction writing down by what their files are known: rows before files, for a file without
a row is found by that, while a row without its file would be a result that nobody can explain. When the files are gone,
the row forgets everything but numbers.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, text

from db import erasures
from ml.errors import TenorError
from workers.erasing import datasets, files, person, recordings
from workers.erasing.choosing import Chosen
from workers.erasing.traces import Traces
from workers.ledger.outcomes import finish_jobs
from workers.ledger.patience import transaction
from workers.settings import Settings

#: Recordings, or alignments of a person, whose rows go in one transaction.
CHUNK = 100
#: Workers that commit at the same moment may have to be waited for.
PATIENCE_S = 30.0
#: A retraining run that was stopped in the middle may write a file until its worker notices.
LATE_S = 600


class ErasureUnfinished(TenorError):
    """Files of what is erased could not be removed."""

    code = "erasure_unfinished"
    hint = "Run `tenor erase` again where they can be written; it goes on where it stopped."


@dataclass(frozen=True, slots=True)
class Plan:
    """What an erasure takes away; `seconds` are of audio (recordings) or of a person's speech."""

    recordings: int
    utterances: int
    seconds: float
    #: With those that were corrected since.
    labels: int
    clips: int
    #: Labelled utterances in frozen data sets of retraining.
    frozen: int
    #: Unpacked zip and tar files, cached voices, and open batches' objects.
    files: int
    #: Jobs that work on it now, and go on without it.
    jobs: int
    #: Of a person: utterances of others in the same recordings, and paths, that say the name and stay.
    mentions: int = 0
    paths: int = 0
    #: Of recordings: files that hold them, and archives that these files lie in.
    places: int = 0
    archives: int = 0
    #: Versions of models that have learned from it, and stay as they are.
    learned_from: list[str] = field(default_factory=list)


def plan(conn: Connection, settings: Settings, chosen: Chosen) -> Plan:
    """Count it; changes nothing."""
    counts, found = _counts(conn, chosen), _traces(conn, chosen)
    if chosen.name is not None:
        given = person.values(conn, chosen.name, chosen.alignments)
        counts["labels"] += conn.execute(text(person.ELSEWHERE), given).scalar_one()
        said = conn.execute(text(person.MENTIONS), given).one()
        counts.update(mentions=said.utterances, paths=said.paths)
    else:
        lying = conn.execute(text(recordings.PLACES), {"ids": list(chosen.recordings)}).one()
        counts.update(places=lying.files, archives=lying.archives)
    seen, held = files.look(settings, found), datasets.held(conn, settings, found)
    return Plan(
        recordings=counts["recordings"],
        utterances=counts["utterances"],
        seconds=counts["seconds"],
        labels=counts["labels"],
        clips=seen.clips,
        frozen=sum(held.values()),
        files=seen.batches + seen.cached + seen.unpacked,
        jobs=counts["jobs"],
        mentions=counts["mentions"],
        paths=counts["paths"],
        places=counts["places"],
        archives=counts["archives"],
        learned_from=datasets.learned_from(conn, held),
    )


def _traces(conn: Connection, chosen: Chosen) -> Traces:
    if chosen.name is None:
        return recordings.traces(conn, chosen.recordings)
    return person.traces(conn, chosen.name, chosen.alignments)


def _counts(conn: Connection, chosen: Chosen) -> Counter[str]:
    if chosen.name is None:
        query, values = recordings.COUNTS, {"ids": list(chosen.recordings)}
    else:
        query, values = person.COUNTS, person.values(conn, chosen.name, chosen.alignments)
    row = conn.execute(text(query), values).one()
    return Counter({name: getattr(row, name) for name in ("recordings", "utterances", "seconds", "labels", "jobs")})


def begin(engine: Engine, chosen: Chosen) -> int:
    """Set the marks; from now on nothing of it is analysed. Returns the erasure's number, to `go_on` with."""

    def work(conn: Connection) -> int:
        erasures.alone(conn)
        todo: dict[str, Any] = {"traces": Traces().to_json()}
        if chosen.name is None:
            ids = {"ids": list(chosen.recordings)}
            found = conn.execute(text("SELECT id, sha256 FROM recordings WHERE id = ANY(:ids) ORDER BY id"), ids).all()
            todo["recordings"] = [row.id for row in found]
            return erasures.begin(conn, "recordings", [row.sha256 for row in found], todo)
        # Looked up again, for somebody may have stored more of the person since.
        todo |= {"name": chosen.name, "alignments": person.alignments_of(conn, chosen.name)}
        return erasures.begin(conn, "person", [chosen.name], todo)

    return transaction(engine, work, patience_s=PATIENCE_S)


def go_on(
    engine: Engine, settings: Settings, erasure_id: int, *, advance: Callable[[int], None] = lambda left: None
) -> erasures.Erasure:
    """Do what is left of an erasure; what was done is not done again. Raises `ErasureUnfinished` or `NotFound`.

    `advance` is told how many recordings are left.
    """
    while (left := transaction(engine, lambda conn: _rows(conn, erasure_id), patience_s=PATIENCE_S)) is not None:
        advance(left)
    try:
        transaction(engine, lambda conn: _stop_runs(conn, settings, erasure_id), patience_s=PATIENCE_S)
        return transaction(engine, lambda conn: _files(conn, settings, erasure_id), patience_s=PATIENCE_S)
    except OSError as exc:
        raise ErasureUnfinished(
            f"the rows of erasure {erasure_id} are gone, but {exc.filename or 'a file'} cannot be removed"
            f" ({exc.strerror or type(exc).__name__})"
        ) from exc


def _rows(conn: Connection, erasure_id: int) -> int | None:
    """Delete the rows of some; returns of how many there are rows left, None when there was nothing to do."""
    erasures.alone(conn)
    found = erasures.get(conn, erasure_id, lock=True)
    todo, counts = dict(found.todo or {}), Counter(found.counts)
    traces = Traces.from_json(todo["traces"]) if todo else Traces()
    which = "alignments" if "name" in todo else "recordings"
    chunk, rest = todo.get(which, [])[:CHUNK], todo.get(which, [])[CHUNK:]
    if not chunk:
        if "name" in todo and not todo.get("forgotten"):
            traces.add(person.forget(conn, todo["name"]))
            erasures.note(conn, erasure_id, todo | {"forgotten": True, "traces": traces.to_json()}, counts)
        return None
    if which == "alignments":
        counts.update(_counts(conn, Chosen(name=todo["name"], alignments=tuple(chunk))))
        traces.add(person.erase(conn, todo["name"], chunk, erasure_id))
    else:
        counts.update(_counts(conn, Chosen(recordings=tuple(chunk))))
        traces.add(recordings.erase(conn, chunk))
    finish_jobs(conn)
    erasures.note(conn, erasure_id, todo | {which: rest, "traces": traces.to_json()}, counts)
    return len(rest)


def _stop_runs(conn: Connection, settings: Settings, erasure_id: int) -> None:
    found = erasures.get(conn, erasure_id, lock=True)
    if found.todo is None:
        return
    stopped = datasets.stop_runs(conn, settings, Traces.from_json(found.todo["traces"]))
    if stopped:
        counts = dict(found.counts) | {"stopped_runs": found.counts.get("stopped_runs", 0) + len(stopped)}
        late = conn.execute(text("SELECT extract(epoch FROM now()) + :s"), {"s": LATE_S}).scalar_one()
        erasures.note(conn, erasure_id, dict(found.todo) | {"look_again_at": float(late)}, counts)


def _files(conn: Connection, settings: Settings, erasure_id: int) -> erasures.Erasure:
    found = erasures.get(conn, erasure_id, lock=True)
    if found.todo is None:
        return found
    todo, counts = dict(found.todo), Counter(found.counts)
    traces = Traces.from_json(todo["traces"])
    counts["frozen"] += datasets.erase(conn, settings, traces)
    removed = files.remove(conn, settings, traces)
    counts["clips"] += removed.clips
    counts["files"] += removed.batches + removed.cached + removed.unpacked
    now = conn.execute(text("SELECT extract(epoch FROM now())")).scalar_one()
    if todo.get("look_again_at", 0) > now:
        erasures.note(conn, erasure_id, todo, counts)
    else:
        erasures.finish(conn, erasure_id, counts)
    return erasures.get(conn, erasure_id)


def look_again(engine: Engine, settings: Settings) -> int:
    """Finish erasures that waited for the worker of a stopped run to notice; returns how many."""
    with engine.connect() as conn:
        due = conn.execute(
            text("""
                SELECT id FROM erasures WHERE finished_at IS NULL
                   AND CAST(todo ->> 'look_again_at' AS float) < extract(epoch FROM now())
            """)
        ).scalars().all()  # fmt: skip
    for erasure_id in due:
        go_on(engine, settings, erasure_id)
    return len(due)


def unfinished(conn: Connection) -> Sequence[int]:
    """Erasures that were broken off: not those that only wait to look again."""
    return list(
        conn.execute(
            text("""
                SELECT id FROM erasures WHERE finished_at IS NULL
                   AND (todo ->> 'look_again_at' IS NULL
                        OR CAST(todo ->> 'look_again_at' AS float) < extract(epoch FROM now())) ORDER BY id
            """)
        ).scalars()
    )
