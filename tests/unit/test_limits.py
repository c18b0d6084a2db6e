"""How long work may take, and what stops it."""

import threading
import time

import pytest

from workers import memory
from workers.ledger import limits
from workers.ledger.deadline import deadline


class Late(Exception):
    """Too late."""


def test_more_audio_may_take_longer_up_to_the_longest_stage() -> None:
    assert limits.stage_s(10, 7200) < limits.stage_s(100, 7200) < limits.stage_s(10_000, 7200) == 7200
    assert limits.stage_s(None, 7200) == 7200


def test_one_recording_is_stopped_before_its_whole_group_is() -> None:
    for seconds in (0.5, 60, 36_000):
        assert limits.recording_s(seconds, 7200) < limits.stage_s(seconds, 7200) < limits.hard_s(7200)


def test_a_block_that_takes_too_long_is_interrupted() -> None:
    started = time.monotonic()

    with pytest.raises(Late), deadline(0.1, Late()):
        while True:
            time.sleep(0.01)

    assert time.monotonic() - started < 5


def test_a_block_in_time_is_left_alone_and_the_timer_is_off_afterwards() -> None:
    with deadline(0.05, Late()):
        pass
    time.sleep(0.1)


def test_outside_of_the_main_thread_nothing_is_limited() -> None:
    reached = []

    def work() -> None:
        with deadline(0.01, Late()):
            time.sleep(0.05)
            reached.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert reached == [True]


def test_memory_beyond_the_bound_is_an_error_and_not_the_end_of_the_machine() -> None:
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_hungry) == "MemoryError"


def _hungry() -> str:
    memory.limit(600)
    try:
        return str(len(bytearray(2_000_000_000)))
    except MemoryError:
        return "MemoryError"
