"""`tenor sql` against a real Postgres."""

import csv
import io
import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from db.engine import make_engine
from db.roles import ANALYST, create_login
from ops.cli.formats import write_csv
from ops.query import QueryFailed, run_sql
from tests.integration.cli_world import Tenor


@pytest.fixture
def tenor(database_url: str, tmp_path: Path) -> Tenor:
    return Tenor(database_url, tmp_path)


def test_rows_are_printed_as_a_table(tenor: Tenor) -> None:
    done = tenor("sql", "select 'anna' as speaker, 0.5::real as p_angry")

    assert done.returncode == 0, done.stderr
    assert done.stdout == " speaker | p_angry\n---------+---------\n anna    |     0.5\n(1 row)\n"
    assert done.stderr == ""


def test_rows_are_printed_as_csv(tenor: Tenor) -> None:
    done = tenor("sql", "select 'a,b' as x, null as y, '[1, \"z\"]'::jsonb as w", "--format", "csv")

    assert list(csv.reader(io.StringIO(done.stdout))) == [["x", "y", "w"], ["a,b", "", '[1, "z"]']]


def test_json_on_standard_output_is_one_document(tenor: Tenor) -> None:
    query = "select n, n / 2.0 as half, 'NaN'::float8 as p from generate_series(1, 2) n"

    done = tenor("sql", query, "--json")

    assert json.loads(done.stdout) == [{"n": 1, "half": 0.5, "p": None}, {"n": 2, "half": 1, "p": None}]


def test_a_query_can_come_from_standard_input(tenor: Tenor) -> None:
    done = tenor("sql", "-", "-f", "csv", stdin="-- a comment\nselect 'déjà; vu' as said;\n")

    assert done.stdout == "said\ndéjà; vu\n"


def test_a_query_may_begin_with_a_comment(tenor: Tenor) -> None:
    done = tenor("sql", "-- how many?\nselect 1 as one", "--format", "csv")

    assert (done.returncode, done.stdout) == (0, "one\n1\n"), done.stderr


def test_a_closed_standard_input_holds_no_query(tenor: Tenor) -> None:
    command = f'"{sys.executable}" -m ops.cli sql - <&-'
    done = subprocess.run(["bash", "-c", command], env=tenor.environment, capture_output=True, text=True, timeout=60)

    assert done.returncode == 1
    assert done.stderr.startswith("Error: The query is empty.")


def test_percent_signs_and_dollars_are_passed_on_as_they_are(tenor: Tenor) -> None:
    done = tenor("sql", "select 'a%b' like 'a%%' as x, $q$100 %s$q$ as y", "-f", "csv")

    assert done.stdout == "x,y\ntrue,100 %s\n"


@pytest.mark.parametrize("statement", ["show server_version", "explain select 1", "table job_progress", "(select 1)"])
def test_what_is_not_a_select_is_answered_too(tenor: Tenor, statement: str) -> None:
    done = tenor("sql", statement)

    assert done.returncode == 0, done.stderr
    assert "row" in done.stdout


@pytest.mark.parametrize(
    "statement",
    [
        "delete from jobs",
        "delete from utterance_emotions",
        "/* mine */ drop table nothing",
        "create table t (x int)",
        "with gone as (delete from jobs returning id) select * from gone",
        "set transaction read write",
    ],
)
def test_nothing_can_be_written(tenor: Tenor, owner_url: str, statement: str) -> None:
    # Given a login that may write (there is no analyst login in these settings), and a job that must survive
    owner = make_engine(owner_url)
    with owner.connect() as conn:
        before = conn.execute(text("SELECT count(*) FROM pg_class")).scalar()

    # When the statement is run
    done = tenor("sql", statement)

    # Then it is refused in one sentence, or has no effect
    with owner.connect() as conn:
        assert conn.execute(text("SELECT count(*) FROM pg_class")).scalar() == before
    if not statement.startswith("set"):
        assert done.returncode == 1
        assert "only reads" in done.stderr and "TENOR_OWNER_URL" in done.stderr
        assert "INSTEAD OF" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_an_analyst_reads_views_and_nothing_else(owner_url: str) -> None:
    with make_engine(owner_url).begin() as conn:
        create_login(conn, "tenor_query_test", "a password", ANALYST)
    url = make_url(owner_url).set(username="tenor_query_test", password="a password")
    analyst_url = url.render_as_string(hide_password=False)

    with run_sql(analyst_url, "select count(*) from utterance_emotions") as found:
        assert found.columns == ("count",)
    with (
        pytest.raises(QueryFailed, match="permission denied") as refused,
        run_sql(analyst_url, "table utterances"),
    ):
        pass
    assert "utterance_emotions" in refused.value.hint


def test_several_statements_are_refused_before_any_runs(tenor: Tenor) -> None:
    done = tenor("sql", "set transaction read write; delete from jobs")

    assert done.returncode == 1
    assert "2 statements" in done.stderr


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("select nothing from utterance_emotions", '"nothing" does not exist (line 1, column 8)'),
        ("select 1\n  frm x y z", "(line 2, column 7)"),
        ("explain select nope", '"nope" does not exist (line 1, column 16)'),
        ("select * from utterance_emotion", '"utterance_emotion" does not exist (line 1, column 15)'),
        ("select 'déjà', nope", '"nope" does not exist (line 1, column 16)'),
        ("   ", "empty"),
    ],
)
def test_a_wrong_statement_is_one_sentence_with_its_place(tenor: Tenor, statement: str, says: str) -> None:
    done = tenor("sql", statement)

    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_with_json_an_error_before_the_first_row_is_the_document(tenor: Tenor) -> None:
    done = tenor("sql", "select nope", "--json")

    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "query_failed"


def test_an_error_among_the_rows_ends_with_a_sentence(tenor: Tenor) -> None:
    done = tenor("sql", "select 1 / (5000 - n) from generate_series(1, 6000) n", "-f", "csv")

    assert done.returncode == 1
    assert "Division by zero" in done.stderr
    assert len(done.stdout.splitlines()) > 2000, "what came before is printed"


def test_a_statement_that_takes_too_long_says_so(owner_url: str) -> None:
    url = owner_url + ("&" if "?" in owner_url else "?") + "options=-c%20statement_timeout%3D100"

    with (
        pytest.raises(QueryFailed, match="longer than this login allows"),
        run_sql(url, "select pg_sleep(5)"),
    ):
        pass


def test_ctrl_c_stops_the_statement_on_the_server_too(tenor: Tenor, owner_url: str) -> None:
    # Given a query that takes long
    process = tenor.start("sql", "select pg_sleep(50)")
    running = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event = 'PgSleep' AND datname = current_database() AND query LIKE 'FETCH%'"
    )
    owner = make_engine(owner_url)

    def wait_for(count: int) -> bool:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            with owner.connect() as conn:
                if conn.execute(running).scalar() == count:
                    return True
            time.sleep(0.1)
        return False

    assert wait_for(1)

    # When it is interrupted
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)

    # Then both ends stop
    assert process.returncode == 130
    assert err == "Error: Interrupted.\n"
    assert wait_for(0)


def test_millions_of_rows_pass_through_little_memory(database_url: str) -> None:
    # Given a result of some 100 MB
    class Counter(io.TextIOBase):
        size = 0

        def write(self, chunk: str) -> int:
            self.size += len(chunk)
            return len(chunk)

    out = Counter()
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    # When it is written as CSV
    with run_sql(database_url, "select n, repeat('x', 200) from generate_series(1, 500000) n") as found:
        count = write_csv(found, out)

    # Then all of it came through, and the process has not grown by more than a little of it
    assert count == 500_000
    assert out.size > 100_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 30_000


def test_head_ends_a_query_quietly(tenor: Tenor) -> None:
    query = "select n from generate_series(1, 10000000) n"
    pipeline = f'"{sys.executable}" -m ops.cli sql -f csv "{query}" | head -n 2; echo "exit ${{PIPESTATUS[0]}}"'

    done = subprocess.run(["bash", "-c", pipeline], env=tenor.environment, capture_output=True, text=True, timeout=60)

    assert done.stdout == "n\n1\nexit 0\n"
    assert done.stderr == ""
