"""The parts of `scores`, one per profile version, which workers make without rights to the schema."""

import threading

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from db.engine import make_engine
from tests.integration.planting import Plant

PARTITIONS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'scores'::regclass ORDER BY 1"


@pytest.fixture
def versions(database_url: str) -> list[int]:
    """Two committed profile versions without partitions."""
    with make_engine(database_url).begin() as conn:
        plant = Plant(conn)
        profile = plant.profile()
        return [
            plant.row(
                "profile_versions", profile_id=profile, version=n, fingerprint=f"{n}", spec="{}", label_set=["sad"]
            )
            for n in (1, 2)
        ]


def test_a_partition_is_made_once_however_often_it_is_asked_for(database_url: str, versions: list[int]) -> None:
    with make_engine(database_url).begin() as conn:
        for _ in range(2):
            for version in versions:
                conn.execute(text("SELECT add_profile_version_partition(:v)"), {"v": version})

        assert conn.execute(text(PARTITIONS)).scalars().all() == [f"scores_v{version}" for version in versions]


def test_workers_that_meet_a_new_version_at_once_get_one_partition(database_url: str, versions: list[int]) -> None:
    # Given eight workers with open transactions
    start, failures = threading.Barrier(8), []

    def add(place: int) -> None:
        try:
            with make_engine(database_url).begin() as conn:
                conn.execute(text("SELECT 1"))
                start.wait()
                conn.execute(text("SELECT add_profile_version_partition(:v)"), {"v": versions[place % 2]})
        except Exception as exc:
            failures.append(exc)

    threads = [threading.Thread(target=add, args=(place,)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # Then nobody fails
    assert failures == []
    with make_engine(database_url).connect() as conn:
        assert conn.execute(text(PARTITIONS)).scalars().all() == [f"scores_v{version}" for version in versions]


def test_a_partition_has_the_keys_checks_and_indexes_of_scores(database_url: str, versions: list[int]) -> None:
    with make_engine(database_url).begin() as conn:
        conn.execute(text("SELECT add_profile_version_partition(:v)"), {"v": versions[0]})
        table = f"scores_v{versions[0]}"
        constraints = conn.execute(
            text("SELECT contype::text, count(*) FROM pg_constraint WHERE conrelid = to_regclass(:t) GROUP BY 1"),
            {"t": table},
        ).all()
        indexes = conn.execute(text("SELECT count(*) FROM pg_indexes WHERE tablename = :t"), {"t": table}).scalar()

    counts = {row[0]: row[1] for row in constraints}
    assert (counts["p"], counts["c"], indexes) == (1, 3, 2)


def test_a_partition_is_made_while_others_read_and_write_scores(database_url: str, versions: list[int]) -> None:
    # Given one transaction that has read all scores and written some, and is still open
    first, second = versions
    with make_engine(database_url).begin() as conn:
        conn.execute(text("SELECT add_profile_version_partition(:v)"), {"v": first})
    with make_engine(database_url).connect() as busy, make_engine(database_url).connect() as other:
        busy.execute(text("SELECT count(*) FROM scores"))
        busy.execute(
            text("INSERT INTO scores (profile_version_id, alignment_id, utterance_no, batch_id) VALUES (:v, 1, 1, 1)"),
            {"v": first},
        )

        # When another makes a partition, then it need not wait
        other.execute(text("SET lock_timeout = '1s'"))
        other.execute(text("SELECT add_profile_version_partition(:v)"), {"v": second})
        other.commit()

        # And the first goes on
        busy.execute(text("SELECT count(*) FROM scores"))


def test_the_function_runs_with_its_owners_rights_and_a_fixed_search_path(database_url: str) -> None:
    with make_engine(database_url).connect() as conn:
        (row,) = conn.execute(
            text("SELECT prosecdef, proconfig FROM pg_proc WHERE proname = 'add_profile_version_partition'")
        )

    assert (row.prosecdef, row.proconfig) == (True, ["search_path=pg_catalog, public, pg_temp"])


def test_a_version_that_does_not_exist_gets_no_partition(database_url: str) -> None:
    with make_engine(database_url).connect() as conn, pytest.raises(DBAPIError, match="there is no profile version 99"):
        conn.execute(text("SELECT add_profile_version_partition(99)"))


def test_a_workers_own_objects_do_not_divert_the_function(database_url: str, versions: list[int]) -> None:
    # Given a temporary table that claims to be the partition
    with make_engine(database_url).begin() as conn:
        conn.execute(text(f"CREATE TEMP TABLE scores_v{versions[0]} (x int)"))
        conn.execute(text("CREATE TEMP TABLE profile_versions (id bigint)"))

        conn.execute(text("SELECT add_profile_version_partition(:v)"), {"v": versions[0]})

        assert conn.execute(text(PARTITIONS)).scalars().all() == [f"public.scores_v{versions[0]}"]
