"""A selection of the faults, for every run of the tests; `make faults` has all of them."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.faults import poison
from tests.faults.archive import make_archive
from tests.faults.injections import BY_NAME, FAULTS
from tests.faults.rig import LEASE_S, Rig
from tests.faults.running import Reference, at_random, one_upon_the_other, reference, under

SEED = 20_190_527
RECORDINGS = 208


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults") / "archive"
    make_archive(folder, recordings=RECORDINGS)
    return folder


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    made = Rig(tmp_path_factory.mktemp("rig"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def expected(rig: Rig, archive: Path) -> Reference:
    return reference(rig, archive)


@pytest.mark.parametrize(
    "name",
    [
        "kill -9 of a child in extract",
        "kill -9 of the worker in align",
        "kill -9 of Redis, its file lost",
        "Postgres restarted",
        "every message twice",
    ],
)
def test_a_run_under_a_fault_ends_with_the_values_of_one_without(
    rig: Rig, archive: Path, expected: Reference, name: str
) -> None:
    fault = BY_NAME[name]

    result = under(rig, archive, expected, [fault] * fault.times, Random(SEED))

    assert result.times >= 1, "the fault found nothing to break"
    assert result.verdict, result.verdict
    if name.startswith("kill"):
        assert max(result.recoveries_s) < 2 * LEASE_S


@pytest.mark.timeout(600)
def test_a_dozen_faults_at_random_lose_and_double_nothing(rig: Rig, archive: Path, expected: Reference) -> None:
    random = Random(SEED)
    times = 0
    for result in one_upon_the_other(rig, archive, expected, at_random(FAULTS, 12, random), random, pause_s=0.2):
        assert result.verdict, (result.verdict, result.counts)
        times += result.times

    assert times >= 8


def test_recordings_that_kill_or_never_end_fail_alone(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> None:
    base = tmp_path_factory.mktemp("poisoned")
    healthy, sick = base / "healthy", base / "sick"
    poison.neighbours(healthy, archive, 16)
    failures = poison.plant(sick, archive, poison.QUICK, 16)
    rig = Rig(base / "rig", planted=True)
    try:
        result = under(rig, sick, reference(rig, healthy), [], Random(SEED), failures=failures)
    finally:
        rig.close()

    assert result.verdict, result.verdict
