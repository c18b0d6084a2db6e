"""Versions of profiles as a program sees them: list, show, compare, promote, roll back, back-fill."""

import getpass
import os
import socket
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, text

from ml.errors import TenorError

if TYPE_CHECKING:
    from workers.settings import Settings


class NothingToCompare(TenorError):
    """No utterance has a label and scores by both versions."""

    code = "nothing_to_compare"
    hint = "Score the same archive by both (`tenor rescore JOB --version N`) and import labels for it."


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version of a profile; `run` made it (None: the profile's file did)."""

    profile: str
    version: int
    champion: bool
    speech: str
    text: str | None
    labels: list[str]
    run: int | None
    created_at: datetime
    #: Jobs that pinned it, and utterances that it scored, as recordings' roll-ups count them.
    jobs: int
    #: The last measurement of drift; None: none yet.
    psi: float | None


_LIST = """
    SELECT p.name AS profile, v.version, v.id = p.champion_id AS champion,
           v.spec #>> '{speech,name}' AS speech, v.spec #>> '{text,name}' AS text, v.label_set AS labels,
           (SELECT min(r.id) FROM training_runs r WHERE r.challenger_id = v.id) AS run, v.created_at,
           (SELECT count(*) FROM jobs j WHERE j.profile_version_id = v.id) AS jobs,
           (SELECT m.psi FROM quality_measures m WHERE m.profile_version_id = v.id
             ORDER BY m.measured_at DESC LIMIT 1) AS psi
      FROM profile_versions v JOIN profiles p ON p.id = v.profile_id
     WHERE CAST(:profile AS text) IS NULL OR p.name = :profile
     ORDER BY p.name, v.version
"""


def versions(conn: Connection, profile: str | None = None) -> list[VersionRow]:
    """All versions of a profile, or of all."""
    return [VersionRow(*row) for row in conn.execute(text(_LIST), {"profile": profile})]


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """Everything about a version: its specification, how it became champion and ceased to be, its drift."""

    row: VersionRow
    spec: dict[str, Any]
    reigns: list[dict[str, Any]]
    drift: list[dict[str, Any]]


def show(conn: Connection, profile: str, version: int | None = None) -> VersionFacts:
    """A version by number, by default the champion; raises `NotFound`."""
    from workers.jobs.versions import profile_id, version_id

    own = profile_id(conn, profile)
    wanted = (
        version_id(conn, own, version)
        if version is not None
        else conn.execute(text("SELECT champion_id FROM profiles WHERE id = :p"), {"p": own}).scalar_one()
    )
    number, spec = conn.execute(
        text("SELECT version, spec FROM profile_versions WHERE id = :v"), {"v": wanted}
    ).one()  # fmt: skip
    reigns = conn.execute(
        text("""
            SELECT e.at, was.version AS before, now.version AS after, e.detail ->> 'why' AS why,
                   e.detail ->> 'by' AS by
              FROM events e
              LEFT JOIN profile_versions was ON was.id = CAST(e.detail ->> 'from' AS bigint)
              JOIN profile_versions now ON now.id = CAST(e.detail ->> 'to' AS bigint)
             WHERE e.kind = 'champion' AND :v IN (was.id, now.id) ORDER BY e.id
        """),
        {"v": wanted},
    ).mappings()
    drift = conn.execute(
        text("""
            SELECT measured_at, utterances, psi, psi_worst_of, drifted, mmd, mmd_p, mmd_voices, mmd_voices_p
              FROM model_quality WHERE profile = :p AND version = :n ORDER BY measured_at DESC LIMIT 10
        """),
        {"p": profile, "n": number},
    ).mappings()
    row = next(one for one in versions(conn, profile) if one.version == number)
    return VersionFacts(row, spec, [dict(one) for one in reigns], [dict(one) for one in drift])


def compare(conn: Connection, profile: str, first: int, second: int) -> dict[str, Any]:
    """Two versions on the labelled utterances that both have scored: balanced accuracy, difference, interval.

    A label counts for an utterance that it covers by half or more. Whoever was trained on these labels is flattered:
    the figures of runs, on people never learned from, decide. Raises `NotFound` or `NothingToCompare`.
    """
    import numpy as np

    from ml.emotions import EMOTIONS
    from ml.gate.comparing import Pair
    from ml.gate.comparing import compare as by_bootstrap
    from workers.jobs.versions import profile_id, version_id

    own = profile_id(conn, profile)
    rows = conn.execute(
        text("""
            SELECT DISTINCT ON (a.alignment_id, a.utterance_no) l.label, a.label AS first, b.label AS second,
                   coalesce(l.speaker, sp.name) AS speaker
              FROM scores a
              JOIN scores b ON b.profile_version_id = :second AND b.alignment_id = a.alignment_id
                           AND b.utterance_no = a.utterance_no
              JOIN utterances u ON u.alignment_id = a.alignment_id AND u.utterance_no = a.utterance_no
              JOIN speakers sp ON sp.id = u.speaker_id
              JOIN alignments al ON al.id = a.alignment_id
              JOIN labels l ON l.recording_id = al.recording_id AND l.label IS NOT NULL
                           AND least(u.end_s, l.end_s) - greatest(u.start_s, l.start_s) >= 0.5 * (u.end_s - u.start_s)
             WHERE a.profile_version_id = :first AND a.label IS NOT NULL AND b.label IS NOT NULL
             ORDER BY a.alignment_id, a.utterance_no, l.imported_at DESC
        """),
        {"first": version_id(conn, own, first), "second": version_id(conn, own, second)},
    ).all()
    if not rows:
        raise NothingToCompare(f"versions {first} and {second} of {profile} have no labelled utterance in common")

    def numbers(column: str) -> "np.typing.NDArray[np.int64]":
        return np.asarray([EMOTIONS.index(getattr(row, column)) for row in rows], dtype=np.int64)

    pair = Pair(
        "labelled utterances", numbers("label"), [row.speaker for row in rows], numbers("first"), numbers("second")
    )
    found = asdict(by_bootstrap(pair))
    before, after = found.pop("champion"), found.pop("challenger")
    return {"profile": profile, "first": first, "second": second, "balanced_accuracy": [before, after], **found}


def _who() -> str:
    """The person at the keyboard, as the system knows him: somebody has to answer for what the gate did not decide."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"user {os.getuid()}"  # A container may run under a number that has no name.
    return f"{name}@{socket.gethostname()}"


def promote(engine: Engine, settings: "Settings", run_id: int, override: str | None = None) -> int:
    """Promote the challenger of a run that ended; returns the version's number. See `promote_by_hand`."""
    from workers.retraining.promote import promote_by_hand

    with engine.begin() as conn:
        made = promote_by_hand(conn, settings, run_id, override, by=_who())
        return int(
            conn.execute(text("SELECT version FROM profile_versions WHERE id = :v"), {"v": made}).scalar_one()
        )  # fmt: skip


def roll_back(engine: Engine, profile: str, to: int | None = None) -> tuple[int, int]:
    """Make the champion before the present one champion again; returns version numbers (before, now)."""
    from workers.jobs.versions import profile_id
    from workers.jobs.versions import roll_back as back

    with engine.begin() as conn:
        before, now = back(conn, profile_id(conn, profile), to=to, why="rolled back by hand", by=_who())
        numbers = {
            row.id: int(row.version)
            for row in conn.execute(
                text("SELECT id, version FROM profile_versions WHERE id = ANY(:ids)"), {"ids": [before, now]}
            )
        }
        return numbers[before], numbers[now]


def rescore(engine: Engine, settings: "Settings", job_id: int, version: int | None) -> int:
    """Have a job's recordings scored by another version of its profile; returns the id of the job that does it."""
    from workers.app import app
    from workers.jobs.rescoring import rescore as by_rows
    from workers.ledger import dispatch

    with engine.begin() as conn:
        made = by_rows(conn, settings, job_id, version)
        opened = dispatch.admit(conn, settings)
    dispatch.send(app, engine, opened)
    return made
