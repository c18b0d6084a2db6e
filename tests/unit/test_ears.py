"""A worker that no longer hears its queues notices it, and one that hears does not end itself."""

from workers.ears import LOOKS, Ears

HEARD = 7


def looks(ears: Ears, count: int, waiting: dict[str, int] | None, *, busy: bool = False, heard: int = HEARD) -> bool:
    seen = [ears.is_deaf(waiting, busy, heard) for _ in range(count)]
    return any(seen)


def test_messages_that_an_idle_worker_leaves_waiting_make_it_deaf() -> None:
    ears = Ears({"gpu"})

    assert not looks(ears, LOOKS, {"gpu": 3}), "the first look only learns what was heard before"
    assert looks(ears, 1, {"gpu": 3})


def test_a_busy_worker_may_let_messages_wait() -> None:
    assert not looks(Ears({"gpu"}), 5 * LOOKS, {"gpu": 3}, busy=True)


def test_messages_for_others_are_not_its_own() -> None:
    assert not looks(Ears({"gpu"}), 5 * LOOKS, {"gpu": 0, "align": 9})


def test_a_worker_that_hears_now_and_then_is_not_deaf() -> None:
    ears = Ears({"gpu"})

    assert not any(looks(ears, LOOKS - 1, {"gpu": 3}, heard=heard) for heard in range(5))


def test_a_redis_that_is_away_is_not_the_workers_fault() -> None:
    ears = Ears({"gpu"})

    assert not looks(ears, LOOKS, {"gpu": 3})
    assert not looks(ears, 1, None)
    assert not looks(ears, LOOKS - 1, {"gpu": 3})
