"""The states of a stage and the order of stages."""

import pytest

from db.states import BATCH_STAGES, STAGES, TRANSITIONS, next_stage


def test_stages_follow_each_other_within_a_batch() -> None:
    assert [next_stage(stage) for stage in BATCH_STAGES] == ["ser", "ter", "fuse", None]


@pytest.mark.parametrize("stage", ["ingest", "align"])
def test_what_follows_ingest_and_align_is_not_one_stage(stage: str) -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        next_stage(stage)


def test_batch_stages_are_stages_in_the_same_order() -> None:
    assert [stage for stage in STAGES if stage in BATCH_STAGES] == list(BATCH_STAGES)


def test_every_move_leads_to_another_known_state() -> None:
    for old, moves in TRANSITIONS.items():
        assert moves <= set(TRANSITIONS) - {old}


def test_only_a_running_stage_ends() -> None:
    assert [old for old, moves in TRANSITIONS.items() if moves & {"done", "dead"}] == ["running"]


def test_only_a_ready_stage_is_taken() -> None:
    assert [old for old, moves in TRANSITIONS.items() if "running" in moves] == ["ready"]
