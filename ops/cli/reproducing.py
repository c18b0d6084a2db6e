"""What makes a report again: the command as it would be typed elsewhere, and the versions that it ran with."""

import inspect
import platform
import shlex
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

#: Options that say where and how fast, not what is computed.
LOCAL = {"data", "out", "resume", "workers", "cache", "cache_gb", "device", "digest", "json"}
CORPORA = {"corpus", "text_corpus"}
ENCODERS = {"encoder", "encoders", "text_encoder"}
PACKAGES = ("tenor", "torch", "transformers", "numpy", "scikit-learn")


def command_line(name: str, command: Callable[..., None], given: Mapping[str, Any]) -> str:
    """`tenor NAME …` with every option that is not its default; folders are named by what lies in them."""
    parts = ["tenor", name]
    for parameter in inspect.signature(command).parameters.values():
        value = given.get(parameter.name)
        if parameter.name in LOCAL or value is None or value == parameter.default:
            continue
        if parameter.default is inspect.Parameter.empty and parameter.name not in CORPORA:
            parts.append(_place(str(value)))
        else:
            parts += _typed(parameter.name, value)
    return shlex.join(parts)


def _typed(name: str, value: Any) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [flag if value else flag.replace("--", "--no-", 1)]
    if name in CORPORA and isinstance(value, list):
        named = (said.partition("=")[0] for said in value)
        return [word for corpus in named for word in (flag, f"{corpus}={corpus.upper()}/")]
    if name in CORPORA:
        return [flag, value[0], f"{value[0].upper()}/"]
    if name in ENCODERS:
        return [flag, ",".join(_place(said.strip()) for said in value.split(","))]
    return [flag, str(value)]


def _place(said: str) -> str:
    """A folder or file of this machine without the way to it; any other name as it was typed."""
    return Path(said).name if Path(said).expanduser().exists() else said


def versions() -> dict[str, str]:
    """Of Python and of the packages that figures depend on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
