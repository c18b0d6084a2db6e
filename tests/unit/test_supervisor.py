"""How soon what ends is started again."""

import itertools

from ops.local.supervisor import LONGEST_PAUSE_S, SETTLED_S, Pauses


def test_what_has_run_for_long_is_started_again_at_once() -> None:
    pauses = Pauses()

    assert pauses.may_start("gpu", 0.0)
    assert not pauses.may_start("gpu", 0.5)
    assert pauses.may_start("gpu", 2.0)
    assert pauses.may_start("gpu", 2.0 + SETTLED_S)


def test_what_keeps_ending_is_started_more_and_more_slowly() -> None:
    pauses, starts, now = Pauses(), [], 0.0
    while now < 1000:
        if pauses.may_start("gpu", now):
            starts.append(now)
        now += 1.0

    gaps = [after - before for before, after in itertools.pairwise(starts)]
    assert gaps[0] < gaps[2] < gaps[4]
    assert LONGEST_PAUSE_S <= gaps[-1] <= LONGEST_PAUSE_S + 1
    assert len(starts) > 10, "it is never given up"


def test_each_has_its_own_pauses() -> None:
    pauses = Pauses()
    for moment in range(3):
        pauses.may_start("gpu", float(moment))

    assert pauses.may_start("align", 3.0)
