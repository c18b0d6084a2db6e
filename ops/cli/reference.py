"""`make commands`: all commands and options in ops/docs/commands.md, written from the commands themselves."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from ops.cli.main import app

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"
BEGIN = "<!-- options: written by `make commands` from ops/cli/commands -->"
END = "<!-- options: end -->"
#: What every command has, said once.
EVERYWHERE = frozenset({"--json", "--help"})


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its whole name, groups left out."""
    yield from _below(typer.main.get_command(app), "tenor")


def _below(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for word, child in command.commands.items():
        yield from _below(child, f"{name} {word}")


def section() -> str:
    """The part of the page between its marks."""
    lines = [BEGIN]
    for name, command in commands():
        arguments = [one for one in command.params if one.param_type_name == "argument"]
        words = [name, *(_shown(one) for one in arguments)]
        lines += ["", f"### {name}", "", f"`{' '.join(words)}`: {_first_line(command.help)}", ""]
        for one in arguments:
            lines.append(f"- `{_shown(one)}`: {one.help}")
        for one in command.params:
            if one.param_type_name == "option" and not EVERYWHERE & set(one.opts):
                lines.append(f"- {_spelt(one)}: {one.help}")
        if not lines[-1]:
            lines.pop()
    return "\n".join([*lines, "", END])


def _first_line(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())


def _shown(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _spelt(option: Any) -> str:
    names = [f"`{name}`" for name in [*option.opts, *option.secondary_opts]]
    return ", ".join(names)


def written(page: str) -> str:
    """The page with its section as it should be now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + section() + after


def main() -> int:
    """Write the section."""
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
