"""What a task works on and came to, as words. Arguments are numbers only, so nothing private can appear."""

import ast
from typing import Any
from urllib.parse import quote

#: How an argument is said; others stand as their name and value.
_SAID = {
    "recordings": "{:,} recordings",
    "minutes": "{:.1f} min",
}


def in_words(task: Any) -> Any:
    """The task with its keyword arguments, result and exception without Python's signs."""
    task.kwargs = arguments(task.kwargs)
    task.args = "" if str(task.args) in {"()", "[]", "None"} else task.args
    task.result = _unquoted(task.result)
    task.exception = _unquoted(task.exception)
    return task


def arguments(kwargs: object) -> str:
    """`{'job': 7, 'batch': 12, 'recordings': 3, 'minutes': 8.04}` → "job 7, batch 12, 3 recordings, 8.0 min"."""
    given = _value(kwargs)
    if not isinstance(given, dict):
        return str(kwargs or "")
    return ", ".join(_said(str(name), value) for name, value in given.items())


def _said(name: str, value: object) -> str:
    form = _SAID.get(name)
    if form is None or not isinstance(value, int | float):
        return f"{name.replace('_id', '')} {value}"
    said = form.format(value)
    return said[:-1] if value == 1 and said.endswith("s") else said


def _unquoted(shown: object) -> Any:
    value = _value(shown)
    return value if isinstance(value, str) else shown


def _value(shown: object) -> object:
    """What a `repr` stands for; as it is, where it was cut off or is none."""
    try:
        return ast.literal_eval(shown) if isinstance(shown, str) else shown
    except (ValueError, SyntaxError):
        return shown


def tasks_url(flower_url: str, **arguments: int) -> str:
    """Flower's list of the tasks that have these arguments.

    Its page takes a name from the address, not an argument; but after a name, the rest of a search may follow. No task
    has this name, so that what comes after it decides.
    """
    wanted = " ".join(f"kwargs:{name}={value}" for name, value in arguments.items())
    return f"{flower_url.rstrip('/')}/tasks?name={quote(f'nothing OR {wanted}', safe=':=')}"
