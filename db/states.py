"""The legal states of a stage and of a job, and the moves between them.

A trigger on `stages` refuses any other move (a test compares it with this table), so that no statement anywhere can,
for example, finish a stage that nobody holds.
"""

from typing import Final

#: Stages in the order a recording passes them.
STAGES: Final = ("ingest", "align", "extract", "ser", "ter", "fuse")
#: The stages of a batch; each one makes the next ready.
BATCH_STAGES: Final = ("extract", "ser", "ter", "fuse")

#: state → states it may move to. `running → ready` is a retry; a batch that starts anew takes its stages from
#: everywhere back to `waiting` and its first one to `ready`.
TRANSITIONS: Final[dict[str, frozenset[str]]] = {
    "waiting": frozenset({"ready", "cancelled"}),
    "ready": frozenset({"running", "waiting", "cancelled"}),
    "running": frozenset({"done", "ready", "dead", "waiting", "cancelled"}),
    "done": frozenset({"ready", "waiting"}),
    "dead": frozenset({"ready", "waiting"}),
    "cancelled": frozenset({"ready", "waiting"}),
}
STAGE_STATES: Final = tuple(TRANSITIONS)
#: Stages of a retraining run, and the states of the run; only `running` has a lease.
RUN_STAGES: Final = ("prepare", "train", "evaluate", "promote")
RUN_STATES: Final = ("waiting", "ready", "running", "done", "refused", "failed", "cancelled")
RUN_OPEN: Final = ("waiting", "ready", "running")
JOB_STATES: Final = ("queued", "running", "done", "failed", "cancelled")


def next_stage(stage: str) -> str | None:
    """The stage of the same batch that follows, None after the last."""
    position = BATCH_STAGES.index(stage)
    return BATCH_STAGES[position + 1] if position + 1 < len(BATCH_STAGES) else None
