"""What all commands promise alike: JSON, exit codes, help, completion, a page that names everything."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ops.cli import completing
from ops.cli.main import app
from ops.cli.reference import PAGE, commands, written

ROOT = Path(__file__).parents[2]
COMMANDS = dict(commands())
#: Speaks Prometheus' own format, to Prometheus.
OTHER_FORMAT = {"tenor metrics"}


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - OTHER_FORMAT))
def test_every_command_prints_json_when_asked_to(name: str) -> None:
    options = [option for parameter in COMMANDS[name].params for option in parameter.opts]

    assert "--json" in options


def test_the_page_of_commands_names_every_command_and_every_option() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert page == written(page), "`make commands` writes it anew"
    for name, command in COMMANDS.items():
        part = page.split(f"\n### {name}\n")[1].split("\n### ")[0]
        options = {option for one in command.params if one.param_type_name == "option" for option in one.opts}
        assert options - {"--json", "--help"} <= set(re.findall(r"`(-[^`]*)`", part)), name


class _Ends:
    """Sessions that end in every way there is, through the command that comes to it soonest."""

    @staticmethod
    def fine(_: pytest.MonkeyPatch) -> list[str]:
        return ["version"]

    @staticmethod
    def named_error(_: pytest.MonkeyPatch) -> list[str]:
        return ["status"]

    @staticmethod
    def wrong_usage(_: pytest.MonkeyPatch) -> list[str]:
        return ["status", "soon"]

    @staticmethod
    def some_failed(patch: pytest.MonkeyPatch) -> list[str]:
        patch.setattr("ops.cli.work.analyze", lambda *_: 1)
        return ["analyze", ".", "--strict"]

    @staticmethod
    def interrupted(patch: pytest.MonkeyPatch) -> list[str]:
        def interrupt(*_: Any) -> None:
            raise KeyboardInterrupt

        patch.setattr("ops.cli.work.analyze", interrupt)
        return ["analyze", "."]


ENDS = {0: _Ends.fine, 1: _Ends.named_error, 2: _Ends.wrong_usage, 3: _Ends.some_failed, 130: _Ends.interrupted}


@pytest.mark.parametrize("code", ENDS)
def test_exit_codes_are_those_of_the_page(code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TENOR_HOME", str(tmp_path))

    done = CliRunner().invoke(app, ENDS[code](monkeypatch))

    assert done.exit_code == code, done.output
    assert [int(row) for row in re.findall(r"(?m)^\| (\d+) \|", PAGE.read_text(encoding="utf-8"))] == list(ENDS)


def test_bash_completes_commands_options_and_profiles(tmp_path: Path) -> None:
    command = tmp_path / "tenor"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ops.cli "$@"\n')
    command.chmod(0o755)

    def completed(*words: str) -> list[str]:
        typed = " ".join(f"'{word}'" for word in words)
        script = (
            'eval "$(tenor --show-completion)"\n'
            f"COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}\n"
            "_tenor_completion tenor\n"
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TENOR_")}
        environment |= {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "TENOR_HOME": str(tmp_path / "home"),
        }
        done = subprocess.run(
            ["bash", "-c", script], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
        )
        return done.stdout.split()

    assert completed("tenor", "st") == ["status"]
    assert completed("tenor", "models", "pro") == ["promote"]
    assert completed("tenor", "enqueue", "--prof") == ["--profile"]
    assert "mini" in completed("tenor", "enqueue", "--profile", "mi")
    assert completed("tenor", "pause", "1") == [], "without a database nothing is offered, and nothing said"


def test_what_cannot_be_looked_up_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENOR_DATABASE_URL", "postgresql://tenor:x@127.0.0.1:1/tenor")

    assert completing.jobs("") == completing.runs("") == []
    assert ("mini", "bundled") in completing.profiles("mi")
