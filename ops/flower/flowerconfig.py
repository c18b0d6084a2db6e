"""Configuration of Flower: behind a password, to look at and not to touch, with Tenor's tasks in words.

Flower executes this file, and what it says goes before FLOWER_* variables. The login comes from FLOWER_BASIC_AUTH
(`user:password`) or, where secrets are files, from the file that FLOWER_BASIC_AUTH_FILE names; never from here or from
the command line, which other users of the machine can read.
"""

import os
from pathlib import Path
from typing import Any

from flower.views.monitor import Metrics
from tornado.web import authenticated

from ops.flower.words import in_words

if _file := os.environ.get("FLOWER_BASIC_AUTH_FILE"):
    basic_auth = [Path(_file).read_text(encoding="utf-8").strip()]
_login = os.environ.get("FLOWER_BASIC_AUTH", "") if not _file else basic_auth[0]
if not all(_login.partition(":")):
    raise SystemExit(
        "Flower needs a login: set FLOWER_BASIC_AUTH to user:password, or FLOWER_BASIC_AUTH_FILE to a file with it."
    )
# Flower's API, and its metrics with the names of workers and tasks, are for who has the login. /healthcheck, which only
# says OK, stays open.
os.environ.pop("FLOWER_UNAUTHENTICATED_API", None)
Metrics.get = authenticated(Metrics.get)

#: Nobody revokes a task or stops a worker here: the sweeper would undo it. `tenor cancel` and `tenor pause` do it.
read_only = True
#: The page is a live view; the record is the table `stages`. What Flower would keep is a pickle.
persistent = False
#: What bounds its memory, about 5 kB each.
max_tasks = 20_000
max_workers = 500
#: Workers that have gone stay in the metrics for so many seconds.
purge_offline_workers = 3600
enable_events = True
inspect_timeout = 3000.0
tasks_columns = "name,state,kwargs,result,uuid,runtime,received,worker"
natural_time = False
#: Minutes, where Flower's own end at ten seconds.
task_runtime_metric_buckets = [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1800.0, 7200.0, float("inf")]


def format_task(task: Any) -> Any:
    """A copy of a task, as a person reads it."""
    return in_words(task)
