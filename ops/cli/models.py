"""What `tenor models …` and `tenor rescore` do and print."""

from rich.box import SIMPLE_HEAD
from rich.table import Table
from sqlalchemy import Engine

from db.engine import make_engine, reading
from ops import access, models
from ops.cli.session import Session
from ops.cli.text import visible
from workers.settings import load_settings


def list_models(session: Session, profile: str | None) -> None:
    """Versions, the champion marked."""
    with reading(_engine()) as conn:
        found = models.versions(conn, profile)
    if session.json_output:
        session.document(found)
        return
    if not found:
        session.say("No profile was used yet; `tenor analyze PATH` uses one.")
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("profile", "version", "", "speech", "text", "from", "jobs", "drift (psi)"):
        table.add_column(column, justify="right" if column in {"version", "jobs", "drift (psi)"} else "left")
    for one in found:
        origin = f"run {one.run}" if one.run is not None else "its file"
        psi = "" if one.psi is None else f"{one.psi:.2f}"
        mark = "champion" if one.champion else ""
        speech, words = visible(one.speech), visible(one.text or "–")
        table.add_row(one.profile, str(one.version), mark, speech, words, origin, str(one.jobs), psi)
    session.out.print(table)


def show(session: Session, profile: str, version: int | None) -> None:
    """One version."""
    with reading(_engine()) as conn:
        found = models.show(conn, profile, version)
    if session.json_output:
        session.document(found)
        return
    row = found.row
    session.print(f"{row.profile} version {row.version}" + (", champion" if row.champion else ""))
    for side in ("speech", "text"):
        if side in found.spec:
            own = found.spec[side]
            session.print(f"{side:<9}{visible(own['name'])} ({own['kind']}, {own['sha256'][:12]}): {own['licence']}")
    fusion = found.spec["fusion"]
    session.print(f"labels   {', '.join(row.labels)}")
    session.print(f"fusion   speech {fusion['w_speech']:.2f}, text {fusion['w_text']:.2f}")
    for reign in found.reigns:
        by = f" ({reign['by']})" if reign["by"] else ""
        said = visible(f"{reign['before'] or '–'} → {reign['after']}: {reign['why']}{by}")
        session.print(f"{reign['at']:%Y-%m-%d %H:%M}  {said}")
    for one in found.drift:
        said = "drifted" if one["drifted"] else "as it was"
        session.print(f"{one['measured_at']:%Y-%m-%d %H:%M}  psi {one['psi']:.2f} ({one['psi_worst_of']}), {said}")


def compare(session: Session, profile: str, first: int, second: int) -> None:
    """Two versions side by side."""
    with reading(_engine()) as conn:
        found = models.compare(conn, profile, first, second)
    if session.json_output:
        session.document(found)
        return
    before, after = found["balanced_accuracy"]
    session.print(
        f"{profile} {first} → {second}: balanced accuracy {before:.3f} → {after:.3f}, "
        f"{found['difference']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"
    )
    session.print(f"{found['items']:,} labelled utterances of {found['speakers']} people; {found['drawn']} drawn anew")


def promote(session: Session, run_id: int, override: str | None) -> None:
    """By hand."""
    settings = load_settings()
    version = models.promote(_written(session), settings, run_id, override)
    if session.json_output:
        session.document({"run": run_id, "version": version})
    else:
        session.print(f"The model of run {run_id} is version {version} and champion; jobs from now on use it.")


def rollback(session: Session, profile: str, to: int | None) -> None:
    """Back to the champion before."""
    before, now = models.roll_back(_written(session), profile, to)
    if session.json_output:
        session.document({"profile": profile, "from": before, "to": now})
    else:
        session.print(f"{profile}: version {now} is champion again, instead of {before}. Running jobs keep theirs.")


def rescore(session: Session, job_id: int, version: int | None) -> None:
    """Back-fill a job's recordings."""
    settings = load_settings()
    made = models.rescore(_reached(session), settings, job_id, version)
    if session.json_output:
        session.document({"job_id": made, "of": job_id})
    else:
        session.print(f"Job {made} scores the recordings of job {job_id} again: tenor status {made} --watch")


def _engine() -> Engine:
    return make_engine(access.look(load_settings()).database_url)


def _written(session: Session) -> Engine:
    """A champion is a row: nobody has to be told, so no broker has to run."""
    return make_engine(access.database(load_settings(), session.say))


def _reached(session: Session) -> Engine:
    return make_engine(access.reach(load_settings(), session.say).database_url)
