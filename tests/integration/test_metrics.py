"""What metrics say of a database, and what saying it costs."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Connection, text

from db import operations
from db.engine import make_engine
from ops.metrics import gpu
from ops.metrics.collector import TenorCollector
from ops.metrics.moves import Moves
from tests.integration.conftest import Server
from tests.integration.planting import Plant
from tests.integration.working import TRIES, Work
from workers.errors import DiskFull
from workers.ledger import claims
from workers.settings import Settings


@pytest.fixture
def work(plant: Plant) -> Work:
    return Work(plant, plant.archive(), plant.version(plant.profile(), 1, champion=True), Settings())


def page(url: str) -> CollectorRegistry:
    made = CollectorRegistry()
    made.register(TenorCollector(make_engine(url), None))
    return made


def test_counters_grow_with_what_happened_and_tell_failures_apart(work: Work, analyst_url: str) -> None:
    # Given a group of two recordings that a full disk stops once and that is then aligned, and one whose worker dies
    job = work.job()
    work.group(job, work.pending(job, 2))
    work.group(job, work.pending(job, 1))
    first, second = work.admit()
    claim = work.claim(first)
    assert claim is not None
    claims.fail(work.conn, claim, DiskFull("a disk has no space left"), max_tries=TRIES)
    claim = work.claim(first)
    assert claim is not None
    claims.finish(work.conn, claim, "2 recordings")
    lost = work.claim(second)
    assert lost is not None
    work.crash(lost)
    work.conn.commit()

    # When the page is asked for with the login that reads views alone
    said = page(analyst_url)

    # Then it says so
    def value(name: str, **labels: str) -> float | None:
        return said.get_sample_value(name, labels)

    assert value("tenor_up", service="postgres") == 1
    assert value("tenor_attempts_total", stage="align", outcome="done") == 1
    assert value("tenor_attempts_total", stage="align", outcome="failed") == 2
    assert value("tenor_failures_total", stage="align", code="disk_full") == 1
    assert value("tenor_failures_total", stage="align", code="worker_lost") == 1
    assert value("tenor_audio_seconds_total", stage="align") == 20
    assert value("tenor_stages", stage="align", state="ready") == 1
    assert value("tenor_backlog_seconds", stage="align") == 10
    assert value("tenor_jobs", state="open") == 1
    assert value("tenor_model_info", profile="mini", version="1", fingerprint="1") == 1


def test_a_move_that_appears_late_is_counted_and_none_twice(database_url: str, work: Work) -> None:
    # Given two transactions of which the second has the higher number and is committed first
    job = work.job()
    work.group(job, work.pending(job, 1))
    work.group(job, work.pending(job, 1))
    first, second = work.admit()
    work.conn.commit()
    work.claim(first)
    work.claim(second)
    work.conn.commit()
    moves = Moves()
    finish = text("UPDATE stages SET state = 'done', owner = NULL, lease_until = NULL WHERE id = :id")
    with (
        make_engine(database_url).connect() as slow,
        make_engine(database_url).connect() as quick,
        make_engine(database_url).connect() as reader,
    ):
        slow.execute(finish, {"id": first})
        quick.execute(finish, {"id": second})
        quick.commit()
        moves.read(reader)
        assert moves.ended["align", "done"] == 1

        # When the first is committed as well
        slow.commit()
        reader.rollback()

        # Then it is counted, and looking again counts nothing
        for _ in range(2):
            moves.read(reader)
            assert moves.ended["align", "done"] == 2


def test_what_is_settled_is_not_read_again(work: Work) -> None:
    job = work.job()
    work.group(job, work.pending(job, 1))
    (stage,) = work.admit()
    claim = work.claim(stage)
    assert claim is not None
    claims.finish(work.conn, claim, "1 recording")
    work.conn.execute(text("UPDATE events SET at = now() - interval '1 hour'"))
    moves = Moves()
    moves.read(work.conn)

    read_again = operations.moves(work.conn, moves._settled)

    assert moves.complete and moves.ended["align", "done"] == 1
    assert read_again == []


def test_a_database_that_went_back_in_time_is_counted_anew(work: Work) -> None:
    job = work.job()
    work.group(job, work.pending(job, 1))
    (stage,) = work.admit()
    claim = work.claim(stage)
    assert claim is not None
    claims.finish(work.conn, claim, "1 recording")
    work.conn.execute(text("UPDATE events SET at = now() - interval '1 hour'"))
    moves = Moves()
    moves.read(work.conn)

    work.conn.execute(text("DELETE FROM events"))
    moves.read(work.conn)

    assert moves.ended["align", "done"] == 0


def test_ready_work_of_a_paused_job_does_not_wait(work: Work, plant: Plant) -> None:
    job = work.job()
    work.group(job, work.pending(job, 1))
    work.admit()
    plant.conn.execute(text("UPDATE stages SET ready_at = now() - interval '1 hour'"))
    (waits,) = plant.rows("SELECT oldest_ready_s, audio_s FROM stage_backlog")
    plant.conn.execute(text("UPDATE jobs SET paused_at = now()"))
    (paused,) = plant.rows("SELECT oldest_ready_s, audio_s FROM stage_backlog")

    assert waits["oldest_ready_s"] == pytest.approx(3600, abs=60)
    assert paused["oldest_ready_s"] is None
    assert waits["audio_s"] == paused["audio_s"] == 10


def test_without_services_the_page_says_so() -> None:
    said = page("postgresql+psycopg2://nobody@127.0.0.1:9/none")

    assert said.get_sample_value("tenor_up", {"service": "postgres"}) == 0
    assert said.get_sample_value("tenor_up", {"service": "redis"}) == 0
    assert said.get_sample_value("tenor_attempts_total", {"stage": "fuse", "outcome": "done"}) is None


#: 10,000 batches that are done, with their stages and moves, two that are open, and 100,000 files, 50 of them failed.
PLANTED = """
    INSERT INTO profiles (name) VALUES ('mini');
    INSERT INTO profile_versions (profile_id, version, fingerprint, spec, label_set) VALUES (1, 1, '1', '{}', '{}');
    INSERT INTO archives (url) VALUES ('/archive');
    INSERT INTO jobs (archive_id, profile_version_id, options, root_id, state)
    VALUES (1, 1, '{}', gen_random_uuid(), 'running');
    INSERT INTO batches (job_id, profile_version_id, utterances, seconds, opened_at, finished_at)
    SELECT 1, 1, 250, 600, now(), CASE WHEN i <= 10000 THEN now() END FROM generate_series(1, 10002) i;
    INSERT INTO stages (stage, job_id, batch_id, state, root_id, ready_at)
    SELECT stage, 1, i, CASE WHEN i <= 10000 THEN 'done' ELSE 'ready' END, gen_random_uuid(), now()
      FROM generate_series(1, 10002) i, unnest('{extract,ser,ter,fuse}'::text[]) stage;
    INSERT INTO events (stage_id, job_id, kind, detail)
    SELECT s.id, 1, 'stage.' || split_part(move, '>', 2),
           jsonb_build_object('stage', s.stage, 'from', split_part(move, '>', 1), 'attempt', 1)
      FROM stages s, unnest('{waiting>ready,ready>running,running>done}'::text[]) WITH ORDINALITY AS moves (move, turn)
     WHERE s.state = 'done' ORDER BY s.id, turn;
    INSERT INTO archive_files (archive_id, path, size_bytes, mtime_ns)
    SELECT 1, i || '.wav', 1, 1 FROM generate_series(1, 100000) i;
    INSERT INTO job_recordings (job_id, file_id, state, error_code)
    SELECT 1, i, CASE WHEN mod(i, 2000) = 0 THEN 'failed' ELSE 'done' END,
           CASE WHEN mod(i, 2000) = 0 THEN 'audio_silent' END
      FROM generate_series(1, 100000) i;
"""


@pytest.fixture(scope="module")
def large(server: Server, template: str) -> Iterator[Connection]:
    """As many units of work as 2.5 million utterances make."""
    name = server.create_database(template)
    with make_engine(server.url(name)).connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql(PLANTED)
        conn.execute(text("VACUUM ANALYZE"))
    with make_engine(server.url(name)).connect() as conn:
        yield conn
    server.drop_database(name)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM stage_backlog",
        "SELECT * FROM work_in_hand",
        "SELECT * FROM failed_recordings",
        "SELECT * FROM stage_moves WHERE move > 119000 ORDER BY move LIMIT 20000",
        "SELECT move FROM stage_moves ORDER BY move DESC LIMIT 1",
    ],
)
def test_a_look_reads_what_is_open_failed_or_new_and_not_what_is_done(large: Connection, query: str) -> None:
    plan = json.dumps(large.execute(text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}")).scalar_one())

    def nodes(node: dict[str, object]) -> Iterator[dict[str, object]]:
        yield node
        for child in node.get("Plans", []):  # type: ignore[attr-defined]
            yield from nodes(child)

    root = json.loads(plan)[0]["Plan"]
    rows = sum(
        float(node["Actual Rows"]) * float(node["Actual Loops"])  # type: ignore[arg-type]
        for node in nodes(root)
        if "Relation Name" in node
    )
    # All in all there are hundreds of thousands.
    assert rows < 10_000, plan


def test_a_long_history_is_counted_whole(large: Connection) -> None:
    moves = Moves()
    while not moves.complete:
        moves.read(large)

    assert moves.ended["fuse", "done"] == 10_000
    assert moves.utterances == 10_000 * 250
    assert moves.audio_s["extract"] == 10_000 * 600


def test_a_gpu_is_asked_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given the driver's program, of a machine with two GPUs of which one does not tell its temperature
    program = tmp_path / "nvidia-smi"
    program.write_text(
        "#!/bin/sh\n"
        "asked=--query-gpu=index,name,utilization.gpu,memory.used,memory.total,temperature.gpu\n"
        'test "$1" = "$asked" || exit 2\n'
        "echo '0, NVIDIA H200, 87, 70144, 143771, 61'\n"
        "echo '1, NVIDIA H200, 0, 0, 143771, [N/A]'\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    said = page("postgresql+psycopg2://nobody@127.0.0.1:9/none")

    labels = {"gpu": "0", "name": "NVIDIA H200"}
    assert said.get_sample_value("tenor_gpu_busy_ratio", labels) == 0.87
    assert said.get_sample_value("tenor_gpu_memory_used_bytes", labels) == 70144 * 2**20
    assert said.get_sample_value("tenor_gpu_memory_bytes", labels) == 143771 * 2**20
    assert said.get_sample_value("tenor_gpu_celsius", labels) == 61
    assert said.get_sample_value("tenor_gpu_celsius", labels | {"gpu": "1"}) is None


def test_a_driver_that_does_not_answer_leaves_the_rest_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    assert gpu.look() == []
