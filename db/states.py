"""The legal states of a stage and of a job, and the moves between them."""

from typing import Final

#: Stages in the order a recording passes them.
STAGES: Final = ("ingest", "align", "extract", "ser", "ter", "fuse")
#: The stages of a batch; each one makes the next ready.
BATCH_STAGES: Final = ("extract", "ser", "ter", "fuse")

#: state → states it may move to. `running → ready` is a retry, `dead → ready` is `tenor retry`.
TRANSITIONS: Final[dict[str, frozenset[str]]] = {
    "waiting": frozenset({"ready", "cancelled"}),
    "ready": frozenset({"running", "cancelled", "dead"}),
    "running": frozenset({"done", "ready", "dead", "cancelled", "running"}),
    "done": frozenset(),
    "dead": frozenset({"ready", "cancelled"}),
    "cancelled": frozenset({"waiting", "ready"}),
}
STAGE_STATES: Final = tuple(TRANSITIONS)
JOB_STATES: Final = ("queued", "running", "done", "failed", "cancelled")
OPEN_JOB_STATES: Final = ("queued", "running")


def next_stage(stage: str) -> str | None:
    """The stage of the same batch that follows, None after the last."""
    position = BATCH_STAGES.index(stage)
    return BATCH_STAGES[position + 1] if position + 1 < len(BATCH_STAGES) else None


def check_transition(old: str, new: str) -> None:
    """Raise ValueError for a move that the table does not name."""
    if new not in TRANSITIONS[old]:
        raise ValueError(f"a stage cannot go from {old} to {new}")
