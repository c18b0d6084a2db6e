"""What `tenor retrain` and `tenor models runs` do and print."""

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text
from sqlalchemy import Engine

from db.engine import make_engine, reading
from ml.errors import TenorError
from ops import access, retraining
from ops.cli.session import Session
from ops.cli.text import visible
from ops.progress import clock
from ops.retraining import RunStatus
from workers.settings import Settings, load_settings

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
#: Between two looks at a run that is followed.
LOOK_S = 1.0


class NotUnderstood(TenorError):
    """An option holds something that means nothing."""

    code = "option_invalid"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was typed."""

    profile: str | None
    method: str | None
    side: str | None
    setting: list[str] | None
    now: bool
    watch: bool
    every: str | None
    min_labels: int | None
    drift: float | None
    off: bool
    corpus: list[str] | None
    by_hand: bool
    trust_labels: bool
    unlabelled: int | None
    methods: bool
    dry_run: bool
    cancel: int | None

    @property
    def schedules(self) -> bool:
        """Whether it says when to retrain."""
        return any(value is not None for value in (self.every, self.min_labels, self.drift))

    def plan(self) -> dict[str, Any]:
        """How to retrain, as it stands on a run."""
        plan: dict[str, Any] = {"method": self.method or "finetune"}
        given = dict(map(_setting, self.setting or ()))
        if words := {name.partition(".")[2]: value for name, value in given.items() if name.startswith("text.")}:
            plan["text"] = words
        if own := {name: value for name, value in given.items() if not name.startswith("text.")}:
            plan["training"] = {"methods": [{"name": "finetune"}], **own}
        if self.side is not None:
            plan["side"] = self.side
        if self.by_hand:
            plan["promote"] = "by hand"
        if self.trust_labels:
            plan["trust_labels"] = True
        if self.unlabelled is not None:
            plan["unlabelled"] = self.unlabelled
        return plan


def retrain(session: Session, wishes: Wishes) -> None:
    """Do what was typed: list methods, look, cancel, keep a corpus, set a schedule, or start a run."""
    if wishes.methods:
        _methods(session)
        return
    settings = load_settings()
    profile = wishes.profile or settings.profile
    engine = make_engine(access.reach(settings, session.say).database_url)
    if wishes.cancel is not None:
        _cancel(session, engine, wishes.cancel)
        return
    done = False
    if wishes.corpus:
        alone = not (wishes.schedules or wishes.now or wishes.dry_run or wishes.off)
        _register(session, engine, settings, profile, wishes.corpus, alone=alone)
        done = True
    if wishes.dry_run:
        _outlook(session, engine, settings, profile)
        return
    if wishes.off:
        retraining.stop_schedule(engine, settings, profile)
        _answer(session, {"profile": profile, "scheduled": False}, f"{profile} is retrained by hand only.")
        return
    if wishes.schedules:
        _schedule(session, engine, settings, profile, wishes)
        done = True
    if wishes.now or not done:
        _start(session, engine, settings, profile, wishes)


def _start(session: Session, engine: Engine, settings: Settings, profile: str, wishes: Wishes) -> None:
    run_id = retraining.start(engine, settings, profile, wishes.plan(), now=wishes.now)
    if wishes.watch:
        status = _follow(session, engine, run_id)
        _show(session, status)
        return
    _answer(session, {"run": run_id}, f"Run {run_id}; follow it: tenor models runs {run_id}")


def _follow(session: Session, engine: Engine, run_id: int) -> RunStatus:
    said = ""
    while True:
        with reading(engine) as conn:
            status = retraining.run(conn, run_id)
        line = _where(status)
        if line != said:
            session.say(f"run {run_id}: {line}")
            said = line
        if status.ended:
            return status
        time.sleep(LOOK_S)


def _where(status: RunStatus) -> str:
    if status.ended:
        return status.decision or status.state
    percent = "" if status.percent is None else f" {status.percent:.0f} %"
    left = "" if status.eta_s is None else f", {clock(status.eta_s)} left"
    return f"{status.stage} {status.state}" + (f": {status.doing}{percent}{left}" if status.doing else "")


def _schedule(session: Session, engine: Engine, settings: Settings, profile: str, wishes: Wishes) -> None:
    made = retraining.set_schedule(
        engine,
        settings,
        profile,
        wishes.plan(),
        interval_s=None if wishes.every is None else seconds(wishes.every),
        min_labels=wishes.min_labels,
        drift_limit=wishes.drift,
    )
    reasons = [
        *([f"every {wishes.every}"] if wishes.every else []),
        *([f"whenever {made.min_labels} labels are new"] if made.min_labels else []),
        *([f"when the stability index exceeds {made.drift_limit}"] if made.drift_limit else []),
    ]
    if not wishes.now:
        _answer(session, made, f"{made.profile} is retrained {', '.join(reasons)}, if there are new labels.")


def _register(
    session: Session, engine: Engine, settings: Settings, profile: str, said: Sequence[str], *, alone: bool
) -> None:
    places = []
    for one in said:
        name, _, folder = one.partition("=")
        if not folder:
            raise NotUnderstood(f"--corpus {one} names no folder", hint="Write NAME=PATH, as in ravdess=RAVDESS/.")
        places.append((name, Path(folder).expanduser()))
    counts = retraining.register_corpora(engine, settings, profile, places)
    if session.json_output and alone:
        session.document({"profile": profile, "kept": counts})
    for name, count in counts.items():
        session.say(f"{name}: {count:,} labelled utterances are kept; no later version of {profile} may do worse on it")


def _outlook(session: Session, engine: Engine, settings: Settings, profile: str) -> None:
    found = retraining.outlook(engine, settings, profile)
    if session.json_output:
        session.document(found)
        return
    table = _table("", ">utterances", ">people", "classes")
    for name, own in (("to learn from", found.learned), ("new people", found.held)):
        classes = ", ".join(f"{c} {n}" for c, n in own["classes"].items())
        table.add_row(name, str(own["utterances"]), str(own["speakers"]), classes)
    session.out.print(table)
    session.print(f"champion: version {found.champion} of {found.profile}; new labels: {found.new_labels:,}")
    if found.corpora:
        session.print(f"measured on as well: {', '.join(found.corpora)}")
    for reason, number in found.left_out.items():
        session.print(f"{number:,} left out: {reason}")
    session.print(
        f"It would be refused: {found.refusal}"
        if found.refusal
        else f"There is enough to retrain {' and '.join(found.sides)}."
    )


def _methods(session: Session) -> None:
    from ml.adaptation.registry import rows

    header, *found = rows()
    if session.json_output:
        session.document([dict(zip(header, row, strict=True)) for row in found])
        return
    table = _table(*header)
    for row in found:
        table.add_row(*row)
    session.out.print(table)


def list_runs(session: Session, limit: int) -> None:
    """The newest runs."""
    with reading(make_engine(access.look(load_settings()).database_url)) as conn:
        found = retraining.runs(conn, limit=limit)
    if session.json_output:
        session.document(found)
        return
    if not found:
        session.say("There was no retraining yet; `tenor retrain` makes a run.")
        return
    table = _table(">run", "profile", "due to", "state", ">labels", "champion → challenger", "difference", "reason")
    for one in found:
        figures = difference = ""
        if one.champion_balanced_accuracy is not None and one.challenger_balanced_accuracy is not None:
            figures = f"{one.champion_balanced_accuracy:.3f} → {one.challenger_balanced_accuracy:.3f}"
            difference = f"[{one.difference_low:+.3f}, {one.difference_high:+.3f}]"
        state = one.decision or (one.state if one.ended else _where(one))
        reason = Text(visible(one.reason or one.error or ""))
        table.add_row(str(one.run), one.profile, one.trigger, state, str(one.labels or ""), figures, difference, reason)
    session.out.print(table)


def show_run(session: Session, run_id: int) -> None:
    """One run with its report."""
    with reading(make_engine(access.look(load_settings()).database_url)) as conn:
        status = retraining.run(conn, run_id)
    _show(session, status)


def _show(session: Session, status: RunStatus) -> None:
    if session.json_output:
        session.document(status)
        return
    if (report := retraining.report_of(status)) is not None:
        session.print(report.rstrip())
        session.print("")
    session.print(f"run {status.run} of {status.profile}: {_where(status)}")
    for name, value in (("reason", status.reason), ("error", status.error), ("folder", status.folder)):
        if value:
            session.print(f"{name:<9}{visible(value)}")
    if status.challenger is not None:
        session.print(f"It is version {status.challenger} now; back: tenor models rollback {status.profile}")


def cancel(session: Session, run_id: int) -> None:
    """End an open run."""
    _cancel(session, make_engine(access.reach(load_settings(), session.say).database_url), run_id)


def _cancel(session: Session, engine: Engine, run_id: int) -> None:
    retraining.cancel(engine, run_id)
    _answer(session, {"run": run_id, "cancelled": True}, f"Run {run_id} is cancelled; its champion stays.")


def seconds(said: str) -> float:
    """A time as it is typed: 90s, 30m, 12h, 7d."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", said.strip())
    if found is None or float(found[1]) <= 0:
        raise NotUnderstood(f"{said} is no time", hint="Write 90s, 30m, 12h or 7d.")
    return float(found[1]) * _UNITS[found[2]]


def _setting(said: str) -> tuple[str, Any]:
    name, equals, value = said.partition("=")
    if not equals:
        raise NotUnderstood(f"--set {said} gives no value", hint="Write NAME=VALUE, as in head_steps=400.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _answer(session: Session, document: object, line: str) -> None:
    if session.json_output:
        session.document(document)
    else:
        session.print(line)


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left", overflow="fold")
    return table
