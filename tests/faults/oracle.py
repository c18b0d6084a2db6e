"""Was anything lost, doubled or changed? Plain SQL and arithmetic, none of the pipeline's own code."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

SIDES = ("speech", "text", "fused")
EMOTIONS = ("angry", "happy", "neutral", "sad", "fear", "disgust", "surprise")
TOLERANCE = 1e-6
#: (recording's path, start in ms, channel) → its 21 probabilities.
Values = Mapping[tuple[str, int, int | None], tuple[float | None, ...]]

_COLUMNS = ", ".join(f"s.{side}_{emotion}" for side in SIDES for emotion in EMOTIONS)
_SCORES = f"""
    SELECT f.path, round(u.start_s * 1000)::int AS start_ms, u.channel, {_COLUMNS}
      FROM job_recordings r
      JOIN archive_files f ON f.id = r.file_id
      JOIN utterances u ON u.alignment_id = r.alignment_id
      JOIN scores s ON s.alignment_id = u.alignment_id AND s.utterance_no = u.utterance_no
                   AND s.profile_version_id = r.profile_version_id
     WHERE r.job_id = %(job)s AND r.state = 'done'
"""


@dataclass
class Verdict:
    """What became of a job."""

    lost: int = 0
    doubled: int = 0
    changed: int = 0
    #: Everything else that must not be, in words.
    wrong: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return not (self.lost or self.doubled or self.changed or self.wrong)


def all_values(cursor: Any, job_id: int) -> Values:
    """The probabilities of every utterance of a job; raises where one is there twice."""
    cursor.execute(_SCORES, {"job": job_id})
    found: dict[tuple[str, int, int | None], tuple[float | None, ...]] = {}
    for row in cursor.fetchall():
        key = (row[0], row[1], row[2])
        if key in found:
            raise ValueError(f"twice: {key}")
        found[key] = tuple(row[3:])
    return found


def judge(cursor: Any, job_id: int, expected: Values, failures: Mapping[str, Collection[str]]) -> Verdict:
    """Compare a job that has ended with a fault-free run.

    `failures` are the recordings that were made to fail, by path, with the error codes that are right for each; every
    other recording has to be done.
    """
    verdict = Verdict()
    cursor.execute(_SCORES, {"job": job_id})
    seen: dict[tuple[str, int, int | None], tuple[float | None, ...]] = {}
    for row in cursor.fetchall():
        key, values = (row[0], row[1], row[2]), tuple(row[3:])
        verdict.doubled += key in seen
        seen[key] = values
        for side in range(len(SIDES)):
            given = [v for v in values[7 * side : 7 * side + 7] if v is not None]
            if given and abs(sum(given) - 1) > 1e-4:
                verdict.wrong.append(f"{SIDES[side]} of {key} sums to {sum(given)}")
        if values[0] is None or values[14] is None:
            verdict.wrong.append(f"{key} has a row without probabilities")
    verdict.lost = len(expected.keys() - seen.keys())
    verdict.doubled += len(seen.keys() - expected.keys())
    verdict.changed = sum(_differ(values, expected[key]) for key, values in seen.items() if key in expected)
    _stages(cursor, verdict)
    _recordings(cursor, job_id, failures, verdict)
    return verdict


def _differ(values: tuple[float | None, ...], wanted: tuple[float | None, ...]) -> bool:
    return any(
        (value is None) != (other is None)
        or (value is not None and other is not None and abs(value - other) > TOLERANCE)
        for value, other in zip(values, wanted, strict=True)
    )


def _stages(cursor: Any, verdict: Verdict) -> None:
    for what, sql in {
        "stages not ended": "SELECT count(*) FROM stages WHERE state IN ('waiting', 'ready', 'running')",
        "leases left over": "SELECT count(*) FROM stages WHERE owner IS NOT NULL OR lease_until IS NOT NULL",
        "batches open": "SELECT count(*) FROM batches WHERE finished_at IS NULL",
        "jobs open": "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')",
        "recordings open": "SELECT count(*) FROM job_recordings WHERE state IN ('aligning', 'scoring')",
        "utterances in two batches": """
            SELECT count(*) FROM batch_members a JOIN batch_members b
                ON b.alignment_id = a.alignment_id AND b.profile_version_id = a.profile_version_id
               AND b.batch_id > a.batch_id AND b.first_no <= a.last_no AND a.first_no <= b.last_no
        """,
        "keys scored twice": """
            SELECT count(*) FROM (SELECT FROM scores GROUP BY profile_version_id, alignment_id, utterance_no
                                  HAVING count(*) > 1) d
        """,
        "roll-ups that miss utterances": """
            SELECT count(*) FROM recording_scores r
             WHERE r.state = 'done' AND r.utterances
                   <> (SELECT count(*) FROM utterances u WHERE u.alignment_id = r.alignment_id)
        """,
        "moves that were not logged": """
            SELECT count(*) FROM stages s WHERE s.state = 'done'
               AND NOT EXISTS (SELECT FROM events e WHERE e.stage_id = s.id AND e.kind = 'stage.done')
        """,
    }.items():
        cursor.execute(sql)
        (count,) = cursor.fetchone()
        if count:
            verdict.wrong.append(f"{count} {what}")


def _recordings(cursor: Any, job_id: int, failures: Mapping[str, Collection[str]], verdict: Verdict) -> None:
    cursor.execute(
        """
        SELECT f.path, r.state, r.error_code FROM job_recordings r JOIN archive_files f ON f.id = r.file_id
         WHERE r.job_id = %(job)s
        """,
        {"job": job_id},
    )
    found = {path: (state, code) for path, state, code in cursor.fetchall()}
    for path, (state, code) in found.items():
        if path in failures:
            if state != "failed" or code not in failures[path]:
                verdict.wrong.append(f"{path} should have failed with {sorted(failures[path])}, is {state} ({code})")
        elif state != "done":
            verdict.wrong.append(f"{path} is {state} ({code})")
    if missing := failures.keys() - found.keys():
        verdict.wrong.append(f"never seen: {sorted(missing)}")
