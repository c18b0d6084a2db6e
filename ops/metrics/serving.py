"""The page of metrics over HTTP, on loopback unless told otherwise."""

import threading
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, generate_latest, start_http_server

from db.engine import make_engine
from ml.errors import TenorError
from ops.access import Access
from ops.metrics.collector import TenorCollector
from workers import broker
from workers.settings import Settings


class PortTaken(TenorError):
    """Something else listens where metrics are to be served."""

    code = "port_taken"
    hint = "Set TENOR_METRICS_PORT (and TENOR_METRICS_HOST) to where they may."


def registry(access: Access) -> CollectorRegistry:
    """What is served; nothing is read before somebody asks."""
    redis = broker.connect(access.broker_url) if access.broker_url else None
    made = CollectorRegistry()
    made.register(TenorCollector(make_engine(access.analyst_url, pooled=True), redis))
    return made


def page(access: Access) -> str:
    """The page as text."""
    return generate_latest(registry(access)).decode()


def serve(access: Access, settings: Settings) -> tuple[WSGIServer, threading.Thread]:
    """Begin to serve in a thread; raises `PortTaken`."""
    try:
        return start_http_server(settings.metrics_port, settings.metrics_host, registry(access))
    except OSError as exc:
        raise PortTaken(
            f"metrics cannot be served at {settings.metrics_host}:{settings.metrics_port}: {exc.strerror}"
        ) from exc
