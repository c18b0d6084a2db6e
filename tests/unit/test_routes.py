"""Every task has a queue, and a worker refuses to start when one has not."""

import subprocess
import sys
from pathlib import Path

import pytest

from db.tables.scores import EMOTIONS as COLUMNS
from ml.emotions import EMOTIONS
from workers.app import RouteMissing, app, check_routes
from workers.queues import QUEUES, ROUTES


def test_tasks_routes_and_queues_name_one_another() -> None:
    app.loader.import_default_modules()
    check_routes(app)
    assert set(QUEUES) == {"ingest", "align", "gpu", "retrain", "maintenance"}


def test_a_task_without_a_route_stops_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    app.loader.import_default_modules()
    monkeypatch.delitem(ROUTES, "fuse.batch")
    with pytest.raises(RouteMissing, match=r"fuse\.batch"):
        check_routes(app)


def test_the_visibility_timeout_is_the_same_in_all_three_places_and_longer_than_any_stage() -> None:
    values = {
        app.conf.visibility_timeout,
        app.conf.broker_transport_options["visibility_timeout"],
        app.conf.result_backend_transport_options["visibility_timeout"],
    }
    assert len(values) == 1
    assert values.pop() > app.conf.task_time_limit


def test_the_application_and_its_tasks_import_no_torch() -> None:
    """A prefork parent that has run torch makes its children hang."""
    code = "import workers.app, sys; workers.app.app.loader.import_default_modules(); print('torch' in sys.modules)"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "False"


def test_the_columns_of_scores_are_the_emotions_of_the_models() -> None:
    assert COLUMNS == EMOTIONS
