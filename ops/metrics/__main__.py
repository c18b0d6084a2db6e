"""`python -m ops.metrics`, for containers: serve until told to stop, with errors as one sentence."""

import logging
import os
import signal
import sys
import threading

from ml.errors import TenorError
from ops import access
from ops.metrics.serving import serve
from workers import logs
from workers.settings import load_settings


def main() -> int:
    """Exit status: 0 when told to stop, 1 for a named error."""
    os.environ.setdefault("PGAPPNAME", "tenor/metrics")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = load_settings()
        logs.set_up(settings.log_level, settings.log_format)
        server, _ = serve(access.look(settings), settings)
    except TenorError as exc:
        print(f"{exc} {exc.hint}", file=sys.stderr)
        return 1
    logging.getLogger(__name__).info("metrics at http://%s:%d/metrics", settings.metrics_host, server.server_port)
    stop.wait()
    server.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
