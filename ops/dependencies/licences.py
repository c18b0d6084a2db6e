"""The licences of what Tenor is built on, from the metadata of what is installed: ops/docs/licences.md."""

import re
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

TOP = Path(__file__).parents[2]
PAGE = TOP / "ops" / "docs" / "licences.md"
HEAD = """# Licences of what Tenor is built on

Made by `make licences` from the metadata of the installed packages; not legal advice. Tenor's own code is Apache-2.0;
the models carry the licences of their training data (their cards, and `tenor version`). Packages are installed beside
Tenor, not copied into it. Versions are pinned in `pyproject.toml`.
"""


class Dependency(NamedTuple):
    """A package and what it says about its licence."""

    name: str
    licence: str


def pinned() -> dict[str, list[str]]:
    """What pyproject.toml names: part (what it runs on, an extra, `no-deps`) → names, as they are written."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))
    parts = {"": project["project"]["dependencies"], "no-deps": project["tool"]["tenor"]["no-deps"]}
    parts |= project["project"]["optional-dependencies"]
    return {part: [canonicalize_name(Requirement(one).name) for one in named] for part, named in parts.items()}


def licence(name: str) -> str:
    """What an installed package says about its licence; "not installed" where it is not."""
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return "not installed"
    if expression := _said(about, "License-Expression"):
        return expression
    classes = [c.rpartition(" :: ")[2] for c in about.get_all("Classifier") or () if c.startswith("License :: ")]
    if classes:
        return ", ".join(sorted(set(classes)))
    written = _said(about, "License").strip().partition("\n")[0]
    return written if 0 < len(written) <= 80 else "see its files"


def _said(about: metadata.PackageMetadata, field: str) -> str:
    """A field that may not be there."""
    return about[field] or "" if field in about else ""


def behind(names: Iterable[str]) -> set[str]:
    """What these packages need in turn, where it is installed."""
    left, seen = list(names), set[str]()
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            needed = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for one in map(Requirement, needed):
            if one.marker is None or one.marker.evaluate({"extra": ""}):
                left.append(canonicalize_name(one.name))
    return seen


def page() -> str:
    """The page as Markdown."""
    parts = pinned()
    used = [*parts.pop(""), *parts.pop("no-deps")]
    sections = [HEAD, _table("What it runs on", used)]
    sections += [_table(f"With the extra `{extra}`", names) for extra, names in parts.items()]
    through = sorted(name for name in behind(used) - set(used) if licence(name) != "not installed")
    sections.append(_table("What those need", through))
    return "\n".join(sections)


def _table(title: str, names: Iterable[str]) -> str:
    rows = [f"| {name} | {_cell(licence(name))} |" for name in dict.fromkeys(names)]
    return "\n".join([f"## {title}", "", "| package | licence |", "|---|---|", *rows, ""])


def _cell(written: str) -> str:
    return re.sub(r"\s+", " ", written).replace("|", "/")


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.relative_to(TOP)} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
