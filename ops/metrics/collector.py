"""One page of metrics, gathered when it is asked for and kept for a moment."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from db import operations
from db.states import RUN_STATES, STAGES
from ops.metrics import gpu
from ops.metrics.moves import Moves
from workers import broker

logger = logging.getLogger(__name__)

#: Whoever asks more often gets the same page: any number of scrapers cost the database as much as one.
KEPT_S = 5.0
#: Below Prometheus' own patience with a scrape (10 s).
STATEMENT_S = 8
STATES = ("waiting", "ready", "running", "dead")


class TenorCollector(Collector):
    """Reads Postgres, Redis and the GPUs; what does not answer is missing, and `tenor_up` says so."""

    def __init__(self, engine: Engine, redis: Redis | None) -> None:
        self._engine, self._redis, self._moves = engine, redis, Moves()
        self._lock, self._page, self._until = threading.Lock(), list[Metric](), 0.0

    def describe(self) -> Iterable[Metric]:
        """Nothing is read when the collector is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The page."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._page = list(self._gather())
                self._until = time.monotonic() + KEPT_S
            yield from self._page

    def _gather(self) -> Iterator[Metric]:
        began = time.monotonic()
        up = _gauge("tenor_up", "1 where a service answers", "service")
        for service, read in (("postgres", self._of_postgres), ("redis", self._of_redis)):
            found = _attempted(read)
            up.add_metric([service], float(found is not None))
            yield from found or ()
        yield up
        yield from _of_moves(self._moves)
        yield from _of_gpus()
        yield _one(_gauge("tenor_build_info", "Tenor's version", "version"), [version("tenor")], 1)
        yield _one(_gauge("tenor_scrape_seconds", "how long this page took"), [], time.monotonic() - began)

    def _of_postgres(self) -> list[Metric]:
        with self._engine.begin() as conn:
            conn.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_S}s'"))
            page = [*_backlog(conn), *_in_hand(conn), *_results(conn), *_models(conn)]
            self._moves.read(conn)
        return page

    def _of_redis(self) -> list[Metric]:
        if self._redis is None:
            raise RedisError("no broker is named")
        waiting = _gauge("tenor_queue_messages", "messages that wait in Redis for a worker", "queue")
        for queue, count in broker.lengths(self._redis).items():
            waiting.add_metric([queue], count)
        held = _gauge("tenor_messages_held", "messages that a worker has taken and not acknowledged")
        memory = broker.memory(self._redis)
        return [
            waiting,
            _one(held, [], broker.held(self._redis)),
            _one(_gauge("tenor_redis_memory_bytes", "memory that Redis has taken"), [], memory.used),
            _one(_gauge("tenor_redis_memory_limit_bytes", "what it may take; 0: no limit"), [], memory.limit),
        ]


def _attempted(read: Callable[[], list[Metric]]) -> list[Metric] | None:
    try:
        return read()
    except (SQLAlchemyError, RedisError, OSError) as exc:
        # The class alone: messages may quote addresses.
        logger.warning("%s could not be read (%s)", read.__name__.removeprefix("_of_"), type(exc).__name__)
        return None


def _gauge(name: str, meaning: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, labels=labels)


def _counter(name: str, meaning: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, meaning, labels=labels)


def _one(family: GaugeMetricFamily, labels: list[str], value: float) -> GaugeMetricFamily:
    family.add_metric(labels, value)
    return family


def _backlog(conn: Connection) -> Iterator[Metric]:
    rows = {row.stage: row for row in operations.backlog(conn)}
    stages = _gauge("tenor_stages", "units of work by stage and state", "stage", "state")
    seconds = _gauge("tenor_backlog_seconds", "audio (align) or speech still to be done", "stage")
    oldest = _gauge("tenor_oldest_ready_seconds", "how long the oldest unit has waited for a worker", "stage")
    expired = _gauge("tenor_leases_expired", "running stages whose worker fell silent", "stage")
    for stage in STAGES:
        row = rows.get(stage)
        for state in STATES:
            stages.add_metric([stage, state], getattr(row, state, 0))
        seconds.add_metric([stage], getattr(row, "audio_s", 0.0))
        oldest.add_metric([stage], getattr(row, "oldest_ready_s", None) or 0.0)
        expired.add_metric([stage], getattr(row, "expired_leases", 0))
    yield from (stages, seconds, oldest, expired)


def _in_hand(conn: Connection) -> Iterator[Metric]:
    row = operations.in_hand(conn)
    jobs = _gauge("tenor_jobs", "jobs that are not finished", "state")
    jobs.add_metric(["open"], row.jobs - row.paused_jobs)
    jobs.add_metric(["paused"], row.paused_jobs)
    yield jobs
    yield _one(_gauge("tenor_oldest_job_seconds", "age of the oldest open job"), [], row.oldest_job_s or 0.0)
    yield _one(_gauge("tenor_batches_open", "batches between extract and fuse"), [], row.batches)
    yield _one(_gauge("tenor_oldest_batch_seconds", "age of the oldest open batch"), [], row.oldest_batch_s or 0.0)
    leases = _gauge("tenor_retraining_leases_expired", "retraining runs whose worker fell silent")
    yield _one(leases, [], row.expired_runs)


def _results(conn: Connection) -> Iterator[Metric]:
    failed = _gauge("tenor_failed_recordings", "files that an error left without results", "code")
    for row in operations.failed_recordings(conn):
        failed.add_metric([row.error_code or "unknown"], row.recordings)
    yield failed


def _models(conn: Connection) -> Iterator[Metric]:
    used = _gauge("tenor_model_info", "version that new jobs use", "profile", "version", "fingerprint")
    count: dict[tuple[str, str], int] = {}
    for row in operations.champions(conn):
        used.add_metric([row.profile, str(row.version), row.fingerprint[:12]], 1)
        count |= {(row.profile, state): 0 for state in RUN_STATES}
    runs = _gauge("tenor_retraining_runs", "retraining runs by state", "profile", "state")
    count |= {(row.profile, row.state): row.runs for row in operations.runs(conn)}
    for (profile, state), number in count.items():
        runs.add_metric([profile, state], number)
    psi = _gauge("tenor_drift_psi", "largest population stability index of recent output", "profile", "version")
    probabilities = _gauge("tenor_drift_probabilities_p", "chance of such probabilities without drift", "profile")
    voices = _gauge("tenor_drift_voices_p", "chance of such voices without drift", "profile")
    measured = _gauge("tenor_drift_measured_timestamp_seconds", "when drift was last measured", "profile")
    for row in operations.drift(conn):
        psi.add_metric([row.profile, str(row.version)], row.psi)
        measured.add_metric([row.profile], row.measured)
        if row.mmd_p is not None:
            probabilities.add_metric([row.profile], row.mmd_p)
        if row.mmd_voices_p is not None:
            voices.add_metric([row.profile], row.mmd_voices_p)
    yield from (used, runs, psi, probabilities, voices, measured)


def _of_moves(moves: Moves) -> Iterator[Metric]:
    if not moves.complete:
        return
    ended = _counter("tenor_attempts", "attempts at stages by how they ended", "stage", "outcome")
    for (stage, outcome), count in sorted(moves.ended.items()):
        ended.add_metric([stage, outcome], count)
    failures = _counter("tenor_failures", "attempts that an error ended", "stage", "code")
    for (stage, code), count in sorted(moves.failures.items()):
        failures.add_metric([stage, code], count)
    audio = _counter("tenor_audio_seconds", "audio (align) or speech that stages are done with", "stage")
    work = _counter("tenor_work_seconds", "time that stages took, where they ended with a result", "stage")
    for stage in STAGES:
        audio.add_metric([stage], moves.audio_s[stage])
        work.add_metric([stage], moves.work_s[stage])
    utterances = _counter("tenor_utterances", "utterances scored")
    utterances.add_metric([], moves.utterances)
    yield from (ended, failures, audio, work, utterances)


def _of_gpus() -> Iterator[Metric]:
    busy = _gauge("tenor_gpu_busy_ratio", "share of time in which something ran on the GPU", "gpu", "name")
    used = _gauge("tenor_gpu_memory_used_bytes", "GPU memory in use", "gpu", "name")
    total = _gauge("tenor_gpu_memory_bytes", "GPU memory there is", "gpu", "name")
    heat = _gauge("tenor_gpu_celsius", "temperature of the GPU", "gpu", "name")
    for found in gpu.look():
        for family, value in (
            (busy, found.busy), (used, found.used_bytes), (total, found.total_bytes), (heat, found.celsius),
        ):  # fmt: skip
            if value is not None:
                family.add_metric([found.index, found.name], value)
    yield from (busy, used, total, heat)
