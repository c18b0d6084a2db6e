"""What Postgres itself refuses about stages, whatever statement asks for it."""

import uuid
from itertools import permutations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from db.states import STAGE_STATES, TRANSITIONS
from tests.integration.planting import Plant

LEASE = {"owner": "host/boot/1/1", "lease_until": "2030-01-01"}


@pytest.fixture
def job(plant: Plant) -> int:
    return plant.job(plant.archive(), plant.version(plant.profile(), 1))


def stage(plant: Plant, job: int, **values: object) -> int:
    return plant.row("stages", job_id=job, root_id=uuid.uuid4(), **{"stage": "ingest", "state": "ready", **values})


@pytest.mark.parametrize(("old", "new"), list(permutations(STAGE_STATES, 2)))
def test_a_stage_makes_the_moves_of_the_state_machine_and_no_other(plant: Plant, job: int, old: str, new: str) -> None:
    # Given a stage in one state
    made = stage(plant, job, state=old, **(LEASE if old == "running" else {}))
    move = text("UPDATE stages SET state = :s, owner = :owner, lease_until = :lease WHERE id = :id")
    lease = LEASE if new == "running" else {"owner": None, "lease_until": None}
    values = {"s": new, "owner": lease["owner"], "lease": lease["lease_until"], "id": made}

    # When it is set to another, then only the table's moves succeed
    if new in TRANSITIONS[old]:
        assert plant.conn.execute(move, values).rowcount == 1
    else:
        with pytest.raises(IntegrityError, match=f"stage {made} cannot go from {old} to {new}"):
            plant.conn.execute(move, values)


def test_a_lease_is_renewed_and_taken_over_without_a_move(plant: Plant, job: int) -> None:
    made = stage(plant, job, state="running", **LEASE)

    plant.conn.execute(
        text("UPDATE stages SET state = 'running', owner = 'other', attempt = attempt + 1 WHERE id = :id"), {"id": made}
    )

    assert plant.rows("SELECT owner, attempt FROM stages") == [{"owner": "other", "attempt": 1}]


@pytest.mark.parametrize(
    "values",
    [
        {"state": "running"},
        {"state": "running", "owner": "host"},
        {"state": "running", "lease_until": "2030-01-01"},
        {"state": "ready", **LEASE},
        {"state": "done", "owner": "host"},
        {"state": "waiting", "lease_until": "2030-01-01"},
    ],
    ids=str,
)
def test_a_stage_has_a_lease_exactly_while_it_runs(plant: Plant, job: int, values: dict[str, str]) -> None:
    with pytest.raises(IntegrityError, match="ck_stages_lease"):
        stage(plant, job, **values)


@pytest.mark.parametrize(
    ("name", "group", "batch"),
    [
        ("ingest", True, False),
        ("ingest", False, True),
        ("align", False, False),
        ("align", True, True),
        ("extract", False, False),
        ("fuse", True, False),
        ("ter", True, True),
    ],
)
def test_a_stage_belongs_to_one_unit_of_its_kind(plant: Plant, job: int, name: str, group: bool, batch: bool) -> None:
    version = plant.rows("SELECT id FROM profile_versions")[0]["id"]
    units = {
        "group_id": plant.row("groups", job_id=job, seconds=1.0) if group else None,
        "batch_id": plant.batch(job, version) if batch else None,
    }

    with pytest.raises(IntegrityError, match="ck_stages_unit"):
        stage(plant, job, stage=name, **units)


def test_a_unit_has_each_stage_once(plant: Plant, job: int) -> None:
    version = plant.rows("SELECT id FROM profile_versions")[0]["id"]
    units = (
        {"stage": "ingest"},
        {"stage": "align", "group_id": plant.row("groups", job_id=job, seconds=1.0)},
        {"stage": "ser", "batch_id": plant.batch(job, version)},
    )
    for unit in units:
        stage(plant, job, **unit)
        with pytest.raises(IntegrityError, match="uq_stages"), plant.conn.begin_nested():
            stage(plant, job, **unit)


def test_unknown_stages_and_states_are_refused(plant: Plant, job: int) -> None:
    for values in ({"stage": "dream"}, {"state": "asleep"}):
        with pytest.raises(IntegrityError, match="ck_stages"), plant.conn.begin_nested():
            stage(plant, job, **values)
