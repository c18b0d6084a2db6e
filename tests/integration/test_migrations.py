"""Bringing a database up to date: forth, back, at once from two sides, and against what the code declares."""

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, make_url, text
from sqlalchemy.exc import ProgrammingError

from db.engine import make_engine
from db.errors import DatabaseBusy, DatabaseUnavailable, SchemaOutdated
from db.migrate import PUBLIC_VIEWS, VIEWS, check, current, downgrade, head, is_current, upgrade
from db.tables import Base
from tests.integration.conftest import Server

REPOSITORY = Path(__file__).parents[2]

#: Everything that tables consist of, as Postgres itself describes it.
CATALOGUE = """
    SELECT 'table' AS kind, c.relname::text AS name, concat_ws(' | ', c.relkind, pg_get_partkeydef(c.oid),
           obj_description(c.oid, 'pg_class')) AS definition
      FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    UNION ALL
    SELECT 'column', c.relname || '.' || a.attname, concat_ws(' | ', format_type(a.atttypid, a.atttypmod),
           a.attnotnull, a.attidentity, pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum))
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    UNION ALL
    SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid <> 0
    UNION ALL
    SELECT 'index', tablename || '.' || indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
"""


def catalogue(conn: Connection) -> set[tuple[str, str, str]]:
    return {
        (row.kind, row.name, row.definition)
        for row in conn.execute(text(CATALOGUE))
        if not row.name.startswith("alembic_version")
    }


def tables_of(url: str) -> set[str]:
    with make_engine(url).connect() as conn:
        return set(conn.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars())


def test_up_down_and_up_again_gives_the_same_schema(empty_database: str) -> None:
    # Given a new database brought to the newest revision
    upgrade(empty_database)
    with make_engine(empty_database).connect() as conn:
        first = catalogue(conn)

    # When it goes all the way back
    downgrade(empty_database, "base")

    # Then nothing is left
    assert tables_of(empty_database) == {"alembic_version"}
    with make_engine(empty_database).connect() as conn:
        left = conn.execute(text("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"))
        assert left.scalars().all() == []

    # And up again is as before
    upgrade(empty_database)
    with make_engine(empty_database).connect() as conn:
        assert catalogue(conn) == first
        assert current(conn.engine) == head()


def test_a_database_with_partitions_can_go_back(owner_url: str) -> None:
    with make_engine(owner_url).begin() as conn:
        conn.execute(text("INSERT INTO profiles (name) VALUES ('mini')"))
        version = conn.execute(
            text("""
                INSERT INTO profile_versions (profile_id, version, fingerprint, spec, label_set)
                SELECT id, 1, 'f', '{}', '{}' FROM profiles RETURNING id
            """)
        ).scalar_one()
        conn.execute(text("SELECT add_profile_version_partition(:v)"), {"v": version})

    downgrade(owner_url, "base")

    assert tables_of(owner_url) == {"alembic_version"}


def test_migrations_make_what_the_models_declare(owner_url: str, empty_database: str) -> None:
    # Given a migrated database, and one made from the models
    declared = make_engine(empty_database)
    Base.metadata.create_all(declared)

    # When both are described by Postgres
    with make_engine(owner_url).connect() as migrated, declared.connect() as made:
        # Then there is no difference: types, defaults, comments, checks, keys, indexes
        assert catalogue(migrated) ^ catalogue(made) == set()


def test_alembic_finds_nothing_to_migrate(owner_url: str) -> None:
    with make_engine(owner_url).connect() as conn:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(conn, opts=options)
        assert compare_metadata(context, Base.metadata) == []


def test_every_table_has_a_comment(owner_url: str) -> None:
    with make_engine(owner_url).connect() as conn:
        silent = conn.execute(
            text("""
                SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
                   AND obj_description(oid, 'pg_class') IS NULL AND relname <> 'alembic_version'
            """)
        )
        assert silent.scalars().all() == []


def test_every_view_and_every_column_of_it_has_a_comment(owner_url: str) -> None:
    with make_engine(owner_url).connect() as conn:
        rows = conn.execute(
            text("""
                SELECT c.relname, a.attname, obj_description(c.oid, 'pg_class') AS about,
                       col_description(c.oid, a.attnum) AS comment
                  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
                 WHERE c.relkind = 'v' AND c.relname = ANY(:views)
            """),
            {"views": list(PUBLIC_VIEWS)},
        ).all()
    assert {row.relname for row in rows} == set(PUBLIC_VIEWS)
    assert [f"{row.relname}.{row.attname}" for row in rows if not row.comment or not row.about] == []


def test_two_upgrades_at_once_make_one_schema(empty_database: str) -> None:
    # Given several processes that start at the same moment
    start, failures = threading.Barrier(4), []

    def migrate() -> None:
        start.wait()
        try:
            upgrade(empty_database)
        except Exception as exc:
            failures.append(exc)

    threads = [threading.Thread(target=migrate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    # Then all of them find the work done
    assert failures == []
    assert current(make_engine(empty_database)) == head()


def oids(url: str) -> dict[str, int]:
    with make_engine(url).connect() as conn:
        rows = conn.execute(text("SELECT relname, oid FROM pg_class WHERE relname = ANY(:v)"), {"v": list(VIEWS)})
        return {row.relname: row.oid for row in rows}


def test_an_upgrade_that_has_nothing_to_do_leaves_the_views_alone(owner_url: str) -> None:
    before = oids(owner_url)

    upgrade(owner_url)

    assert oids(owner_url) == before
    assert len(before) == len(VIEWS)


def test_views_of_another_version_of_the_code_are_replaced(owner_url: str) -> None:
    # Given a view that an older version of the code has made, at the same revision
    with make_engine(owner_url).begin() as conn:
        conn.execute(text("DROP VIEW stage_backlog"))
        conn.execute(text("CREATE VIEW stage_backlog AS SELECT 1 AS old"))
        conn.execute(text("COMMENT ON VIEW current_recording_scores IS 'internal: what a file shows; views of old'"))

    assert not is_current(make_engine(owner_url))
    upgrade(owner_url)

    assert is_current(make_engine(owner_url))
    with make_engine(owner_url).connect() as conn:
        columns = list(conn.execute(text("SELECT * FROM stage_backlog")).keys())
    assert "oldest_ready_s" in columns


def test_a_missing_view_is_made_again(owner_url: str) -> None:
    with make_engine(owner_url).begin() as conn:
        conn.execute(text("DROP VIEW job_progress"))

    upgrade(owner_url)

    assert "job_progress" in oids(owner_url)


def test_a_long_query_makes_an_upgrade_give_up_and_change_nothing(owner_url: str) -> None:
    # Given work to do, and somebody who reads a view
    with make_engine(owner_url).begin() as conn:
        conn.execute(text("COMMENT ON VIEW current_recording_scores IS 'internal: what a file shows; views of old'"))
    before = oids(owner_url)
    with make_engine(owner_url).connect() as reader:
        reader.execute(text("SELECT * FROM utterance_emotions LIMIT 1"))

        # When it is upgraded, then that is said
        with pytest.raises(DatabaseBusy) as said:
            upgrade(owner_url)

    assert "pg_stat_activity" in said.value.hint
    assert oids(owner_url) == before


def test_a_database_of_another_revision_is_named(empty_database: str, owner_url: str) -> None:
    check(make_engine(owner_url))
    with pytest.raises(SchemaOutdated, match=f"at revision none, this version of Tenor needs {head()}"):
        check(make_engine(empty_database))


def test_nobody_at_the_address_is_said_without_the_password() -> None:
    url = "postgresql+psycopg2://tenor:s3cret@127.0.0.1:1/calls"

    for attempt in (lambda: upgrade(url), lambda: current(make_engine(url))):
        with pytest.raises(DatabaseUnavailable) as said:
            attempt()
        assert "127.0.0.1:1/calls" in str(said.value)
        assert "s3cret" not in str(said.value) + said.value.hint


def test_migrations_run_from_a_folder_with_a_space_in_its_name(empty_database: str, tmp_path: Path) -> None:
    # Given the packages as an installation would lay them, under an awkward path
    place = tmp_path / "100% my folder"
    for package in ("db", "migrations"):
        shutil.copytree(REPOSITORY / package, place / package, ignore=shutil.ignore_patterns("__pycache__"))

    # When they are run from elsewhere, with a URL that names no driver
    paths = [str(place), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    variables["TENOR_OWNER_URL"] = empty_database.replace("postgresql+psycopg2", "postgresql")
    program = "import db, sys; from migrations.__main__ import main; print(db.__file__); sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60
    )

    # Then
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(str(place))
    assert current(make_engine(empty_database)) == head()


def test_logins_are_made_from_the_urls_of_who_uses_them(server: Server, empty_database: str, tmp_path: Path) -> None:
    # Given secrets as compose lays them: the owner's, a worker's and an analyst's URL
    worker, reader = f"{server.mark}_w", f"{server.mark}_a"
    plain = make_url(empty_database).set(drivername="postgresql")
    urls = {"tenor_owner_url": plain}
    urls["tenor_database_url"] = plain.set(username=worker, password="first/one")
    urls["tenor_analyst_url"] = plain.set(username=reader, password="second one")

    def migrate() -> "subprocess.CompletedProcess[str]":
        for name, url in urls.items():
            (tmp_path / name).write_text(url.render_as_string(hide_password=False) + "\n")
        return subprocess.run(
            [sys.executable, "-m", "migrations", "--logins"],
            cwd=REPOSITORY,
            env={**os.environ, "TENOR_SECRETS_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def ask(name: str, statement: str) -> str:
        engine = make_engine(urls[name].render_as_string(hide_password=False))
        with engine.connect() as conn:
            return str(conn.execute(text(statement)).scalar())

    try:
        # When they are made, and made again with another password
        assert (migrate().returncode, migrate().stderr) == (0, "")
        urls["tenor_database_url"] = urls["tenor_database_url"].set(password="third")
        assert migrate().returncode == 0

        # Then the one works, the other only reads the views
        assert ask("tenor_database_url", "SELECT count(*) FROM scores") == "0"
        assert ask("tenor_analyst_url", "SELECT count(*) FROM utterance_emotions") == "0"
        with pytest.raises(ProgrammingError, match="permission denied"):
            ask("tenor_analyst_url", "SELECT count(*) FROM scores")
        with pytest.raises(ProgrammingError, match="must be owner"):
            ask("tenor_database_url", "DROP TABLE scores")

        # And the owner is nobody's login to work with
        urls["tenor_database_url"] = plain
        refused = migrate()
        assert refused.returncode == 2 and "TENOR_DATABASE_URL must name a login of its own" in refused.stderr
    finally:
        server.run(f"DROP ROLE IF EXISTS {worker}", f"DROP ROLE IF EXISTS {reader}")


def test_the_command_says_in_one_line_what_is_wrong(tmp_path: Path) -> None:
    variables = {**os.environ, "TENOR_OWNER_URL": "postgresql://tenor:s3cret@127.0.0.1:1/calls"}

    done = subprocess.run(
        [sys.executable, "-m", "migrations"], cwd=REPOSITORY, env=variables, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "127.0.0.1:1/calls does not answer" in done.stderr
    assert "s3cret" not in done.stderr
