"""A report without what is large or of one machine only: what can be kept under version control and compared."""

import json
import os
import re
from pathlib import Path
from typing import Any

#: Parts of a report that stay as they are.
KEPT = (
    *("command", "versions", "recipe", "profile", "corpus", "split", "fingerprint", "licences", "classes", "data"),
    *("folds", "trained", "features", "missing", "notes", "reconstruction", "probe", "modalities"),
)
#: Parts of a plan that say where, not what.
PLACES = ("corpora", "text_corpora", "device", "bundle")
#: Parts of a row that nobody reads as text.
BULKY = ("reliability_before", "reliability_after")
DIGITS = 5
#: An absolute path within a name or a sentence, and its last part.
FOLDER = re.compile(r"(?<![\w.:/])/(?:[^\s/()]+/)+([^\s/()]+)")


def digest(report: dict[str, Any]) -> dict[str, Any]:
    """The figures of a report of `tenor train` or `tenor evaluate`; equal runs give equal digests."""
    found = {name: report[name] for name in KEPT if name in report}
    found |= _rows(report)
    if "plan" in report:
        found["plan"] = {name: value for name, value in report["plan"].items() if name not in PLACES}
    if "text" in report:
        part = report["text"]
        found["text"] = {"folds": part["folds"], "trained": part["trained"], **_rows(part)}
    if "fusion" in report:
        found["fusion"] = {name: value for name, value in report["fusion"].items() if name != "rows"}
        found["fusion"] |= _rows(report["fusion"])
    portable: dict[str, Any] = _portable(found)
    return portable


def write_digest(report: dict[str, Any], path: Path) -> None:
    """Write the digest of a report, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(digest(report), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, path)


def _rows(part: dict[str, Any]) -> dict[str, Any]:
    if "rows" not in part:
        return {}
    return {"rows": [{name: value for name, value in row.items() if name not in BULKY} for row in part["rows"]]}


def _portable(value: Any) -> Any:
    """Figures rounded; folders of this machine (encoders, profiles) by their last name."""
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, str):
        return Path(value).name if value.startswith("/") else FOLDER.sub(r"\1", value)
    if isinstance(value, dict):
        return {name: _portable(own) for name, own in value.items()}
    if isinstance(value, list | tuple):
        return [_portable(own) for own in value]
    return value
