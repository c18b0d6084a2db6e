"""How Flower shows Tenor's tasks. Secrets come from FLOWER_* variables, never from here or the command line."""

from typing import Any

tasks_columns = "name,state,args,kwargs,result,received,started,runtime,worker"
natural_time = False
#: Flower's page is a live view; the record is the table `stages`.
enable_events = True
inspect_timeout = 3000.0


def format_task(task: Any) -> Any:
    """Show what a task works on as words; arguments are ids only, so nothing private can appear."""
    text = str(task.kwargs or "")
    task.kwargs = text.strip("{}").replace("'", "").replace(": ", " ")
    task.args = "" if str(task.args) in {"()", "[]", "None"} else task.args
    return task
