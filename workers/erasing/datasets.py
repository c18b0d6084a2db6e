"""Frozen data sets of retraining without what is erased, and runs and models that say so."""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from db.states import RUN_OPEN
from workers.erasing.traces import SHORT, Traces
from workers.retraining.data import HELD, TARGET
from workers.retraining.due import DATA_ERASED, KEPT_FOR_KILLS
from workers.retraining.evaluate import REFERENCE
from workers.settings import Settings

if TYPE_CHECKING:
    from ml.corpora.manifest import Frozen

REPORT = "report.md"
_NOTE = "> Erased since: "


def held(conn: Connection, settings: Settings, traces: Traces) -> dict[Path, int]:
    """Frozen data sets that hold something of it, and how many utterances."""
    from ml.corpora.manifest import ManifestBroken, count

    found = {}
    for path in _manifests(conn, settings):
        try:
            if rows := count(path, traces.has_item):
                found[path] = rows
        except ManifestBroken:
            continue  # Whoever reads it next says so; nothing can be found in it.
    return found


def _manifests(conn: Connection, settings: Settings) -> Iterator[Path]:
    registered = conn.execute(text("SELECT manifest FROM training_corpora")).scalars()
    found = {path for path in map(Path, registered) if path.is_file()}
    yield from sorted({*found, *(settings.models / "runs").glob("*/*.parquet")})


def learned_from(conn: Connection, paths: Mapping[Path, int]) -> list[str]:
    """Versions whose models have learned from data sets, as "profile version": weights cannot be taken back."""
    rows = conn.execute(
        text("""
            SELECT DISTINCT p.name, v.version FROM training_runs r
              JOIN profile_versions v ON v.id = r.challenger_id JOIN profiles p ON p.id = v.profile_id
             WHERE r.folder = ANY(:folders) ORDER BY 1, 2
        """),
        {"folders": sorted({str(path.parent) for path in paths})},
    )
    return [f"{row.name} version {row.version}" for row in rows]


def stop_runs(conn: Connection, settings: Settings, traces: Traces) -> list[int]:
    """Cancel runs under way that may learn from it: those that read labels now, and those whose data holds it.

    What they have computed goes too (`retrain.due`); a schedule makes another run, of what is left.
    """
    rows = conn.execute(
        text("SELECT id, stage, state, folder FROM training_runs WHERE state = ANY(:open) FOR UPDATE"),
        {"open": list(RUN_OPEN)},
    ).all()
    folders = {path.parent for path in held(conn, settings, traces)}
    stopped = [
        row.id
        for row in rows
        if (row.stage == "prepare" and row.state == "running") or (row.folder and Path(row.folder) in folders)
    ]
    conn.execute(
        text("""
            UPDATE training_runs
               SET state = 'cancelled', owner = NULL, lease_until = NULL, finished_at = now(), progress = NULL,
                   error_code = :code, reason = 'stopped, because something of its data was erased'
             WHERE id = ANY(:ids)
        """),
        {"ids": stopped, "code": DATA_ERASED},
    )
    return stopped


def erase(conn: Connection, settings: Settings, traces: Traces) -> int:
    """Rewrite data sets without it, and have runs, corpora, bundles and references say so; returns utterances.

    Can be repeated: what rows say is brought to what the files say, so a call that was killed is made good.
    """
    from ml.corpora.manifest import ManifestBroken, without

    frozen: dict[Path, Frozen] = {}
    gone = sum(held(conn, settings, traces).values())
    for path in _manifests(conn, settings):
        try:
            frozen[path] = without(path, traces.has_item)
        except ManifestBroken:
            continue
    for row in conn.execute(text("SELECT id, manifest FROM training_corpora")).all():
        found = frozen.get(Path(row.manifest))
        if found is None or not found.erased:
            continue
        if found.rows:
            conn.execute(
                text("UPDATE training_corpora SET fingerprint = :f WHERE id = :id"),
                {"id": row.id, "f": found.fingerprint},
            )
        else:
            conn.execute(text("DELETE FROM training_corpora WHERE id = :id"), {"id": row.id})
    marked = _mark_runs(conn, frozen)
    _forget_people(conn, traces)
    _forget_voices(conn, traces, marked)
    for file in (settings.models / "runs").glob("*/**/*"):
        if file.name in {REPORT, REFERENCE, "bundle.json"}:
            _scrub(file, traces, voices=file.name == REFERENCE and file.parent in marked)
    return gone


def _mark_runs(conn: Connection, frozen: "Mapping[Path, Frozen]") -> set[Path]:
    """Have runs say how much of their data was erased; returns their folders."""
    marked = set()
    for run in conn.execute(
        text("SELECT id, folder, state, fingerprint FROM training_runs WHERE folder IS NOT NULL")
    ).all():
        folder = Path(run.folder)
        erased = sum(found.erased for path, found in frozen.items() if path.parent == folder)
        if not erased:
            continue
        marked.add(folder)
        target, holdout = frozen.get(folder / TARGET), frozen.get(folder / HELD)
        now = f"{target.fingerprint[:32]}{holdout.fingerprint[:32]}" if target and holdout else run.fingerprint
        conn.execute(
            text("""
                UPDATE training_runs
                   SET fingerprint = :now, numbers = jsonb_set(coalesce(numbers, '{}'), '{erased}', jsonb_build_object(
                           'utterances', CAST(:erased AS int),
                           'fingerprint_before', coalesce(numbers #>> '{erased,fingerprint_before}', fingerprint)))
                 WHERE id = :id
            """),
            {"id": run.id, "now": now, "erased": erased},
        )
        _note(folder / REPORT, erased)
        if run.state not in RUN_OPEN:
            for kept in KEPT_FOR_KILLS:
                shutil.rmtree(folder / kept, ignore_errors=True)
    return marked


def _note(report: Path, erased: int) -> None:
    """Say it in the report, below its title."""
    if not report.is_file():
        return
    title, *lines = report.read_text(encoding="utf-8").splitlines()
    rest = [line for line in lines if not line.startswith(_NOTE)]
    said = f"{_NOTE}{erased} utterances of the data below. All figures were measured with them."
    _write(report, "\n".join([title, "", said, *rest]) + "\n")


def _forget_people(conn: Connection, traces: Traces) -> None:
    conn.execute(
        text(f"""
            DELETE FROM speaker_parts WHERE speaker = ANY(:people) OR left(speaker, {SHORT}) = ANY(:short)
        """),
        {"people": sorted(traces.people), "short": sorted(traces.short)},
    )
    for table, columns in (("training_runs", ("numbers", "plan", "challenger", "progress")), ("models", ("meta",))):
        for row in conn.execute(text(f"SELECT id, {', '.join(columns)} FROM {table}")).mappings().all():
            for column in columns:
                if (scrubbed := traces.scrubbed(row[column])) != row[column]:
                    conn.execute(
                        text(f"UPDATE {table} SET {column} = CAST(:value AS jsonb) WHERE id = :id"),
                        {"id": row["id"], "value": json.dumps(scrubbed)},
                    )


def _forget_voices(conn: Connection, traces: Traces, marked: set[Path]) -> None:
    """Samples of voices that drift is measured against say not whose they are, so those of all go."""
    conn.execute(
        text("""
            UPDATE quality_references q SET reference = jsonb_set(reference, '{voices}', 'null')
             WHERE q.reference -> 'voices' <> 'null'
               AND (q.source = 'first' AND q.profile_version_id = ANY(:versions)
                    OR q.profile_version_id IN (
                       SELECT challenger_id FROM training_runs WHERE folder = ANY(:folders)))
        """),
        {"versions": sorted(traces.versions), "folders": sorted(map(str, marked))},
    )


def _scrub(file: Path, traces: Traces, *, voices: bool) -> None:
    """Take people, contents and, of a reference, voices out of a small file, where they are in it."""
    content = file.read_text(encoding="utf-8")
    if file.suffix == ".json":
        said: dict[str, Any] = traces.scrubbed(json.loads(content))
        if voices and said.get("reference"):
            said["reference"]["voices"] = None
        if said != json.loads(content):
            _write(file, json.dumps(said, ensure_ascii=False, indent=2) + "\n")
        return
    cleaned = content
    for word in sorted({*traces.people, *traces.short}, key=len, reverse=True):
        cleaned = cleaned.replace(word, "(erased)")
    if cleaned != content:
        _write(file, cleaned)


def _write(file: Path, content: str) -> None:
    draft = file.with_name(f".{file.name}.erasing")
    draft.write_text(content, encoding="utf-8")
    draft.replace(file)
