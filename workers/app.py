"""The Celery application: settings, queues, routes and signals. All Celery wiring is in this file.

It imports no task module and no torch, so Flower and the command line load it cheaply; task modules come in through
`imports` when a worker starts. Reasons for the settings: Postgres holds the truth and messages are hints, so every
task is acknowledged late, may be delivered twice, and has no stored result.
"""

import logging
import threading
from typing import Any

from celery import Celery, signals
from kombu import Queue

from ml.errors import TenorError
from workers import broker, pulse
from workers.ledger import limits
from workers.queues import PRIORITY_OF_STAGE, QUEUES, ROUTES, TASK_OF_RUN_STAGE, TASK_OF_STAGE
from workers.settings import Settings, load_settings

#: Redis gives a message to somebody else after this multiple of the longest permitted stage. Recovery does not wait
#: for it: leases in Postgres are minutes long. It only must never be shorter than a running task.
VISIBILITY_FACTOR = 3


def make_app(settings: Settings) -> Celery:
    """A configured application; it connects to nothing."""
    visibility_s = int(settings.stage_limit_s * VISIBILITY_FACTOR)
    transport = {
        "visibility_timeout": visibility_s,
        "priority_steps": sorted(set(PRIORITY_OF_STAGE.values())),
        "queue_order_strategy": "priority",
        "socket_keepalive": True,
        "socket_connect_timeout": 5,
        # Whoever publishes over a connection that died without a word must not wait for ever; waiting for messages is
        # done in polls of a second, which this does not end.
        "socket_timeout": 10,
        "health_check_interval": 30,
    }
    app = Celery("tenor", task_cls="workers.messages:StrictTask")
    app.conf.update(
        broker_url=settings.broker_url,
        broker_use_ssl=broker.tls(settings.broker_url),
        # The same value in all three places: the shortest among applications that share a broker wins.
        broker_transport_options=transport,
        result_backend_transport_options={"visibility_timeout": visibility_s},
        visibility_timeout=visibility_s,
        broker_connection_timeout=5,
        broker_connection_retry_on_startup=True,
        # The default gives up after 100 attempts and leaves a worker that is alive and deaf.
        broker_connection_max_retries=None,
        task_serializer="json",
        accept_content=["json"],
        timezone="UTC",
        imports=(
            "workers.stages.ingest",
            "workers.stages.align",
            "workers.stages.extract",
            "workers.stages.ser",
            "workers.stages.ter",
            "workers.stages.fuse",
            "workers.ledger.sweeper",
            "workers.retraining.due",
            "workers.retraining.drift",
            "workers.retraining.prepare",
            "workers.retraining.train",
            "workers.retraining.evaluate",
            "workers.retraining.promote",
        ),
        task_queues=[Queue(name) for name in QUEUES],
        task_routes={task: {"queue": queue} for task, queue in ROUTES.items()},
        task_default_queue="maintenance",
        # A misspelt queue is an error at sending, not a queue that nobody reads.
        task_create_missing_queues=False,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        task_ignore_result=True,
        task_track_started=True,
        worker_send_task_events=True,
        task_send_sent_event=True,
        task_soft_time_limit=settings.stage_limit_s,
        task_time_limit=limits.hard_s(settings.stage_limit_s),
        worker_proc_alive_timeout=60.0,
        # With REMAP_SIGTERM=SIGQUIT, which everybody who starts workers sets: TERM lets stages run on for so long,
        # then they are given back. A deployment interrupts nothing that is shorter.
        worker_soft_shutdown_timeout=settings.grace_s,
        worker_hijack_root_logger=True,
        worker_redirect_stdouts=False,
        beat_schedule={
            "sweep": {
                "task": "maintenance.sweep",
                "schedule": settings.sweep_s,
                # Hints that nobody read in time say nothing new.
                "options": {"expires": settings.sweep_s * 4},
            },
            "retrain": {
                "task": "retrain.due",
                "schedule": settings.retrain_tick_s,
                "options": {"expires": settings.retrain_tick_s * 4},
            },
            "drift": {
                "task": "retrain.drift",
                "schedule": settings.drift_s,
                "options": {"expires": settings.drift_s},
            },
        },
    )
    return app


_settings = load_settings()
app = make_app(_settings)


class RouteMissing(TenorError):
    """A registered task has no queue, or a route names a task or queue that does not exist."""

    code = "route_missing"
    hint = "Write the task into workers/queues.py."


def check_routes(app: Celery) -> None:
    """Raise `RouteMissing` unless tasks, routes and queues name one another exactly."""
    registered = {name for name in app.tasks if not name.startswith("celery.")}
    if missing := registered - ROUTES.keys():
        raise RouteMissing(f"tasks without a route: {', '.join(sorted(missing))}")
    if unknown := ROUTES.keys() - registered:
        raise RouteMissing(f"routes without a task: {', '.join(sorted(unknown))}")
    if unknown := set(ROUTES.values()) - set(QUEUES):
        raise RouteMissing(f"routes to unknown queues: {', '.join(sorted(unknown))}")
    if unknown := {*TASK_OF_STAGE.values(), *TASK_OF_RUN_STAGE.values()} - ROUTES.keys():
        raise RouteMissing(f"stages without a route: {', '.join(sorted(unknown))}")


@signals.celeryd_init.connect
def _check_at_start(**_: Any) -> None:
    app.loader.import_default_modules()
    check_routes(app)


@signals.after_setup_logger.connect
@signals.after_setup_task_logger.connect
def _dress_logs(logger: logging.Logger, **_: Any) -> None:
    from workers import logs

    settings = load_settings()
    # Whoever starts the worker: Celery's own option would leave out what is done.
    logger.setLevel(settings.log_level)
    logs.dress(logger, settings.log_format)


@signals.heartbeat_sent.connect
def _pulse(**_: Any) -> None:
    """Sent by the main process, also while its children are at work."""
    pulse.touch(_settings.pulse_file)


@signals.beat_init.connect
def _pulse_of_beat(**_: Any) -> None:
    signals.after_task_publish.connect(_pulse)


@signals.worker_ready.connect
def _watch_over(**_: Any) -> None:
    """Notice when this worker no longer hears its queues."""
    from workers import ears

    ears.listen(app, _own_queues(), _settings.deaf_s)


@signals.worker_process_init.connect
def _prepare_child(**_: Any) -> None:
    """Drop what fork copied, bound the memory, and load libraries in the background.

    Loading here in the foreground would hold the child past `worker_proc_alive_timeout` and get it killed; loading
    at the first task would make the first score wait. The parent never imports torch: prefork children hang if it did.
    """
    from workers import context, memory

    context.reset_after_fork()
    queues = _own_queues()
    if queues == {"retrain"}:
        context.step_back()
    if not queues & {"gpu", "retrain"}:
        # These two decode what strangers recorded; CUDA, in the others, reserves address space by the terabyte.
        memory.limit(context.settings().memory_mb)
    threading.Thread(target=context.preload, args=(queues,), name="preload", daemon=True).start()


def _own_queues() -> set[str]:
    return {queue.name for queue in app.amqp.queues.consume_from.values()}
