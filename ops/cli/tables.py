"""What `analyze`, `status` and `errors` print for a person."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text
from sqlalchemy import make_url

from db.engine import libpq_url
from ops.access import Access
from ops.analyze import AnalysisResult
from ops.cli.session import Session
from ops.cli.text import visible
from ops.flower.words import tasks_url
from ops.jobs import Backlog, JobStatus, Running
from ops.progress import clock
from ops.troubles import FileError, GivenUp, JobErrors

if TYPE_CHECKING:
    from ops.local import Check

#: Errors that `analyze` shows; `tenor errors` has the rest.
FIRST_ERRORS = 10


def summary(result: AnalysisResult, session: Session) -> None:
    """The end of `tenor analyze`: what was done, and how to go on."""
    new_s = max(0.0, result.audio_s - result.audio_reused_s)
    audio = f"{clock(result.audio_s)} in {clock(result.elapsed_s)}"
    if result.reused:
        audio = f"{clock(new_s)} in {clock(result.elapsed_s)}, and {clock(result.audio_reused_s)} analysed before"
    if new_s > 0 and result.elapsed_s > 0:
        audio += f" ({new_s / result.elapsed_s:.1f} × real time)"
    rows = [
        ("job", str(result.job_id)),
        ("profile", f"{result.profile} version {result.version}"),
        ("recordings", f"{result.files:,}"),
        ("analysed", f"{result.done:,}" + (f" ({result.reused:,} of them before)" if result.reused else "")),
        ("failed", f"{result.failed:,}"),
        *_warned(result),
        ("utterances", f"{result.utterances:,}"),
        ("audio", audio),
    ]
    if result.first_score_s is not None:
        rows.append(("first score", f"after {result.first_score_s:.1f} s"))
    _facts(rows, session)


def _erased(status: JobStatus) -> str:
    if not status.erased:
        return ""
    return f" ({status.erased:,} of them erased before, not analysed: `tenor errors {status.job_id}`)"


def _warned(counts: AnalysisResult | JobStatus) -> list[tuple[str, str]]:
    """What was analysed, but not as it was meant; nothing where there is nothing."""
    parts = [f"{counts.warnings:,} with warnings"] if counts.warnings else []
    if counts.manifest_problems:
        parts.append(f"{counts.manifest_problems:,} not followed in manifest or lists")
    return [("warnings", f"{', '.join(parts)}: `tenor errors {counts.job_id}`")] if parts else []


def how_to_go_on(result: AnalysisResult, session: Session) -> None:
    """The lines to continue with: SQL here, SQL in psql, Flower."""
    query = (
        "select recording, speaker, label, count(*) from job_emotions "
        f"where job_id = {result.job_id} group by 1, 2, 3 order by 1, 2, 4 desc"
    )
    session.print(f'tenor sql "{query}"')
    session.print(f"psql {psql_target(result.analyst_url, embedded=result.embedded)}")
    if result.flower_url is not None:
        login = f" ({result.flower_user} / {result.flower_password})" if result.flower_password else ""
        session.print(f"Flower: {tasks_url(result.flower_url, job=result.job_id)}{login}")


def psql_target(analyst_url: str, *, embedded: bool) -> str:
    """The login for psql, quoted for a shell; a password from somebody's settings is not repeated."""
    url = make_url(analyst_url)
    url = url if embedded else url._replace(password=None)
    return shlex.quote(libpq_url(url.render_as_string(hide_password=False)))


def services(access: Access, session: Session) -> None:
    """What `tenor up` started."""
    session.print(f"psql {psql_target(access.analyst_url, embedded=access.embedded)}")
    if access.flower_url is not None:
        login = f" ({access.flower_user} / {access.flower_password})" if access.flower_password else ""
        session.print(f"Flower: {access.flower_url}{login}")


def checks(found: Sequence["Check"], session: Session) -> None:
    """What `tenor doctor` found; hints only where something is wrong."""
    width = max(len(check.name) for check in found) + 2
    for check in found:
        session.print(f"{'ok   ' if check.ok else 'WRONG'}  {check.name:<{width}}{visible(check.detail)}")
        if not check.ok and check.hint:
            session.print(f"{'':<{width + 7}}{check.hint}")


def job(
    status: JobStatus,
    left: Sequence[Backlog],
    session: Session,
    held: Sequence[Running] = (),
    flower: str | None = None,
) -> None:
    """One job, what is left of its stages, what runs at this moment, and where Flower shows it."""
    rows = [
        ("job", str(status.job_id)),
        ("archive", visible(status.archive)),
        ("profile", f"{status.profile} version {status.version}"),
        ("state", status.state),
        ("recordings", f"{status.files:,}" + ("" if status.listed or status.ended else " so far")),
        ("analysed", f"{status.done:,}" + (f" ({status.reused:,} of them before)" if status.reused else "")),
        ("failed", f"{status.failed:,}" + _erased(status)),
        *_warned(status),
        ("open", f"{status.open:,}"),
        ("utterances", f"{status.utterances:,}"),
        ("audio", f"{clock(status.audio_done_s)} of {clock(status.audio_s)}"),
        ("elapsed", clock(status.elapsed_s)),
    ]
    if status.cancelled:
        rows.append(("cancelled", f"{status.cancelled:,}"))
    if status.error:
        rows.append(("error", visible(status.error)))
    if flower:
        rows.append(("flower", flower))
    _facts(rows, session)
    if left:
        table = _table("stage", ">waiting", ">ready", ">running", ">dead")
        for item in left:
            table.add_row(item.stage, str(item.waiting), str(item.ready), str(item.running), str(item.dead))
        session.out.print(table)
    if held:
        table = _table("running", ">recordings", ">minutes", ">for", "on", "how far")
        for one in held:
            table.add_row(
                one.stage,
                "" if one.recordings is None else f"{one.recordings:,}",
                "" if one.minutes is None else f"{one.minutes:.1f}",
                clock(one.elapsed_s),
                _cell(one.host),
                _cell(one.progress or ""),
            )
        session.out.print(table)


def job_list(found: Sequence[JobStatus], session: Session) -> None:
    """The newest jobs."""
    if not found:
        session.say("There is no job yet; `tenor analyze PATH` makes one.")
        return
    table = _table(">job", "state", ">recordings", ">analysed", ">failed", ">utterances", ">elapsed", "archive")
    for one in found:
        table.add_row(
            str(one.job_id),
            one.state,
            f"{one.files:,}",
            f"{one.done:,}",
            f"{one.failed:,}",
            f"{one.utterances:,}",
            clock(one.elapsed_s),
            _cell(one.archive),
        )
    session.out.print(table)


def job_errors(found: JobErrors, session: Session) -> None:
    """Failed recordings, lines of manifest and lists, dead stages, and how many more there are."""
    if found.error:
        session.print(f"Job {found.job_id}: {visible(found.error)}")
    if found.recordings:
        _files(found.recordings, session)
        counts = ", ".join(f"{count:,} × {code}" for code, count in found.by_code.items())
        session.print(f"{found.failed:,} failed: {counts}")
        if (more := found.failed - len(found.recordings)) > 0:
            session.print(f"{more:,} more: tenor errors {found.job_id} --limit 0")
    if found.warnings:
        _files(found.warnings, session)
        session.print(f"{found.warned:,} analysed, but with a warning")
    if found.manifest:
        table = _table(">line", "error", "what it means")
        for problem in found.manifest:
            table.add_row(str(problem.line or ""), problem.code, _cell(problem.error))
        session.out.print(table)
        session.print(f"{found.manifest_problems:,} not followed in manifest or lists")
    if found.dead:
        table = _table(">stage id", "stage", ">attempts", "error", "what it means")
        for stage in found.dead:
            table.add_row(str(stage.stage_id), stage.stage, str(stage.attempts), stage.code, _cell(stage.error))
        session.out.print(table)
        session.print(f"{found.dead_stages:,} dead; after the cause is gone: tenor retry {found.job_id}")


def given_up(found: Sequence[GivenUp], session: Session) -> None:
    """Kinds of failure over all jobs, and how to go on."""
    table = _table("what", "error", ">how many", "jobs", "the newest says")
    for kind in found:
        jobs = ", ".join(map(str, kind.jobs[-5:])) + (", …" if len(kind.jobs) > 5 else "")
        what = f"{kind.stage}, dead" if kind.stage else "recordings"
        table.add_row(what, kind.code, f"{kind.count:,}", jobs, _cell(kind.error))
    session.out.print(table)
    if again := [kind.code for kind in found if kind.retried]:
        session.print(f"When the cause is gone: tenor retry --all, or --code {again[0]}. To give up: tenor cancel JOB.")


def _files(errors: Sequence[FileError], session: Session) -> None:
    table = _table("recording", "error", "what it means")
    for error in errors:
        table.add_row(_cell(error.path), error.code, _cell(error.error))
    session.out.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        side: JustifyMethod = "right" if column.startswith(">") else "left"
        table.add_column(column.lstrip(">"), justify=side, overflow="fold")
    return table


def _cell(text: str) -> Text:
    return Text(visible(text))


def _facts(rows: Sequence[tuple[str, str]], session: Session) -> None:
    for name, value in rows:
        session.print(f"{name:<12}{value}")
