"""Reading JSON whose shape nobody promises."""

from collections.abc import Iterator
from typing import Any


def mapping(value: object) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def entries(value: object, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a list, each with its place ("segments[3]"); what is no object is passed over."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield f"{where}[{index}]", item


def text(value: object) -> str:
    """The value if it is text, else ""."""
    return value if isinstance(value, str) else ""


def first(item: dict[str, Any], *names: str) -> Any:
    """What the first of these keys that is there holds, else None."""
    return next((item[name] for name in names if item.get(name) is not None), None)
