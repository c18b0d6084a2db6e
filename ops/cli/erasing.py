"""What `tenor erase` does and prints."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from sqlalchemy import Engine

from db.engine import make_engine, reading
from db.errors import NotFound
from ml.errors import TenorError
from ops import access, erasing
from ops.cli.session import Session
from ops.cli.text import visible
from ops.progress import clock
from workers.settings import load_settings

if TYPE_CHECKING:
    from ops.erasing import Erased
    from workers.erasing.erase import Plan


class NotConfirmed(TenorError):
    """Nobody has said yes."""

    code = "not_confirmed"
    hint = "Look at the plan, then answer y, or give --yes."


class NothingUnfinished(TenorError):
    """There is neither anything to erase nor anything to go on with."""

    code = "nothing_to_erase"
    hint = "Name recordings, or a person with --speaker; `tenor erase --help` explains."


def erase(session: Session, recordings: list[str], speaker: str | None, *, yes: bool, dry_run: bool) -> None:
    """Plan, ask, erase."""
    settings, engine = load_settings(), _engine(session)
    resumed = [] if dry_run else _resumed(session, engine)
    try:
        with reading(engine) as conn:
            chosen = erasing.choose(conn, recordings, speaker)
            plan = erasing.plan(conn, settings, chosen)
    except NotFound:
        if not resumed:
            raise
        # It was this call that had been broken off.
        _say_done(session, None, resumed)
        return
    if dry_run:
        if session.json_output:
            session.document({"plan": plan, "remains": erasing.REMAINS})
        else:
            _plan(session, plan, speaker, say=session.print)
        return
    _plan(session, plan, speaker, say=session.say)
    if not yes:
        _ask(session)
    done = erasing.erase(engine, settings, chosen, advance=_left(session))
    _say_done(session, plan, [*resumed, done])


def _left(session: Session) -> Callable[[int], None]:
    return lambda left: session.say(f"{left:,} left") if left else None


def _plan(session: Session, plan: "Plan", speaker: str | None, *, say: Any) -> None:
    whose = "of audio" if speaker is None else "of speech"
    lie = f", in {plan.places:,} files of {plan.archives:,} archives" if plan.archives > 1 else ""
    rows = [
        ("recordings", f"{plan.recordings:,}" + (lie if speaker is None else ", in which others stay")),
        ("utterances", f"{plan.utterances:,}, {clock(plan.seconds)} {whose}"),
        ("labels", f"{plan.labels:,}"),
        ("clips", f"{plan.clips:,}"),
        ("data sets", f"{plan.frozen:,} utterances frozen for retraining"),
        ("other files", f"{plan.files:,} caches, unpacked archives and objects between stages"),
    ]
    if plan.jobs:
        rows.append(("under way", f"{plan.jobs:,} jobs, which go on without it"))
    for name, value in rows:
        say(f"{name:<12} {value}")
    if plan.mentions or plan.paths:
        say(
            f"It stays where others say the name ({plan.mentions:,} utterances) and in {plan.paths:,} paths;"
            " erase these recordings to be rid of it."
        )
    say("What stays:")
    for left in erasing.REMAINS:
        say(f"- {left}")
    for name in plan.learned_from:
        say(f"- the weights of {visible(name)}, which has learned from it: roll it back, and retrain")


def _ask(session: Session) -> None:
    """Raise `NotConfirmed` unless a person at a terminal says yes."""
    if not sys.stdin.isatty():
        raise NotConfirmed("nothing was erased: there is no terminal to ask at")
    session.err.print("Erase this for good? [y/N] ", end="", markup=False, highlight=False)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise NotConfirmed("nothing was erased")


def resume(session: Session) -> None:
    """Go on with what was broken off."""
    found = _resumed(session, _engine(session))
    if not found:
        raise NothingUnfinished("nothing is named, and no erasure was broken off")
    _say_done(session, None, found)


def _resumed(session: Session, engine: Engine) -> "list[Erased]":
    found = erasing.resume(engine, load_settings(), advance=_left(session))
    for one in found:
        session.say(f"Erasure {one.erasure} had been broken off; it is finished now.")
    return found


def _say_done(session: Session, plan: "Plan | None", done: "list[Erased]") -> None:
    if session.json_output:
        session.document({"plan": plan, "erased": [asdict(one) for one in done], "remains": erasing.REMAINS})
        return
    for one in done:
        number = {name: f"{one.counts.get(name, 0):,.0f}" for name in ("recordings", "utterances", "labels", "clips")}
        what = f"{number['utterances']} utterances, {number['labels']} labels, {number['clips']} clips"
        what = (
            f"{number['recordings']} recordings, {what}"
            if one.kind == "recordings"
            else (f"a person's {what}, of {number['recordings']} recordings")
        )
        session.print(f"Erasure {one.erasure}: {what} are gone.")
        session.print(f"Enqueued again, it is not analysed; tenor erase --allow {one.erasure} lifts that.")
        if not one.finished:
            session.print("A retraining run was stopped; what its worker may still write is removed in ten minutes.")


def show(session: Session) -> None:
    """All erasures."""
    with reading(make_engine(access.look(load_settings()).database_url)) as conn:
        found = erasing.listed(conn)
    if session.json_output:
        session.document(
            [{name: value for name, value in asdict(one).items() if name != "todo"} for one in found]
        )  # fmt: skip
        return
    if not found:
        session.say("Nothing was erased yet.")
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("erasure", "when", "what", "recordings", "utterances", "labels", ""):
        table.add_column(column, justify="right" if column in {"recordings", "utterances", "labels"} else "left")
    for one in found:
        state = "may be analysed again" if one.allowed_at else "" if one.finished_at else "not finished"
        counted = (f"{one.counts.get(name, 0):,.0f}" for name in ("recordings", "utterances", "labels"))
        table.add_row(str(one.id), f"{one.erased_at:%Y-%m-%d %H:%M}", one.kind, *counted, state)
    session.out.print(table)


def allow(session: Session, erasure_id: int) -> None:
    """Lift the marks."""
    erasing.allow(_engine(session), erasure_id)
    if session.json_output:
        session.document({"erasure": erasure_id, "allowed": True})
    else:
        session.print(f"What erasure {erasure_id} took is analysed when enqueued again. Nothing came back by itself.")


def _engine(session: Session) -> Engine:
    return make_engine(access.database(load_settings(), session.say))
