"""The command line without any service: help, usage, settings, licences."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from ml.profiles import Licence
from ops.cli.licences import announce
from ops.cli.main import app

HEAVY = {"torch", "celery", "sqlalchemy", "psycopg2", "numpy", "transformers", "kombu"}


def tenor(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, with no TENOR_ variables but those given."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TENOR_")}
    return subprocess.run(
        [sys.executable, "-m", "ops.cli", *arguments],
        env=environment | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from ops.cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print('\\n'.join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert not HEAVY & set(done.stdout.split())


def test_every_command_says_what_it_does_and_what_its_options_mean() -> None:
    import typer.main

    group = typer.main.get_command(app)
    commands = group.commands  # type: ignore[attr-defined]

    assert set(commands) == {
        *("analyze", "align", "enqueue", "status", "errors", "pause", "resume", "retry", "cancel"),
        *("sql", "up", "down", "doctor", "version"),
    }
    for name, command in commands.items():
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name} {parameter.name}"


@pytest.mark.parametrize(
    "arguments",
    [["analyze"], ["status", "soon"], ["sql", "select 1", "--format", "xml"], ["fly"], ["retry", "0"]],
)
def test_wrong_usage_is_exit_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_an_unknown_setting_is_named_with_those_there_are(tmp_path: Path) -> None:
    done = tenor("status", TENOR_HOME=str(tmp_path), TENOR_DATABSE_URL="postgresql://x")

    assert done.returncode == 1
    assert "TENOR_DATABSE_URL" in done.stderr
    assert "TENOR_DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_does_not_exist_is_named_before_anything_is_started(tmp_path: Path) -> None:
    home = tmp_path / "home"

    done = tenor("analyze", str(tmp_path / "cals"), "--json", TENOR_HOME=str(home))

    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "archive_missing"
    assert str(tmp_path / "cals") in done.stderr
    assert not (home / "secrets.json").exists()


def test_an_unknown_profile_is_named_with_those_there_are(tmp_path: Path) -> None:
    done = tenor("analyze", str(tmp_path), "--profile", "maxi", TENOR_HOME=str(tmp_path / "home"))

    assert done.returncode == 1
    assert "maxi" in done.stderr
    assert "mini" in done.stderr


def test_asking_before_anything_was_started_says_how_to_start(tmp_path: Path) -> None:
    done = tenor("sql", "select 1", TENOR_HOME=str(tmp_path / "home"))

    assert done.returncode == 1
    assert "tenor up" in done.stderr
    assert done.stdout == ""


def test_a_database_that_is_down_is_a_sentence_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://tenor:hunter2@127.0.0.1:1/tenor"

    for command in (["status"], ["errors", "1"], ["sql", "select 1"]):
        done = tenor(*command, TENOR_HOME=str(tmp_path), TENOR_DATABASE_URL=url)

        assert done.returncode == 1
        assert "127.0.0.1:1" in done.stderr
        assert "hunter2" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_stopping_what_never_ran_is_fine(tmp_path: Path) -> None:
    done = tenor("down", "--json", TENOR_HOME=str(tmp_path / "home"))

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"stopped": []}


def test_doctor_says_what_to_do_and_fails_when_something_is_wrong(tmp_path: Path) -> None:
    done = tenor("doctor", "--json", TENOR_HOME=str(tmp_path / "home"))

    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert report["ok"] is False
    assert any(not check["ok"] and "tenor up" in check["hint"] for check in report["checks"])


def test_version_works_with_broken_settings() -> None:
    done = tenor("version", "--json", TENOR_NONSENSE="1")

    assert done.returncode == 0
    assert json.loads(done.stdout)["torch"]


class Models:
    """A profile that has these licences."""

    def __init__(self, *notices: Licence) -> None:
        self._notices = list(notices)

    def licences(self) -> list[Licence]:
        return self._notices


def test_licences_are_said_once_and_again_when_a_model_is_new(tmp_path: Path) -> None:
    first, second = (
        Licence("voice", "CC BY-NC-SA 4.0", "Not for sale."),
        Licence("words", "Apache-2.0", "Cite it."),
    )

    def shown(*notices: Licence) -> str:
        out = io.StringIO()
        announce(Models(*notices), tmp_path / "home", Console(file=out, width=40))  # type: ignore[arg-type]
        return out.getvalue()

    assert shown(first) == "Model voice, licence CC BY-NC-SA 4.0: Not for sale.\n"
    assert shown(first) == ""
    assert "words" in shown(first, second)
    assert shown(first, second) == ""


def test_a_damaged_record_of_licences_only_means_saying_them_again(tmp_path: Path) -> None:
    (tmp_path / "licences-shown.json").write_text("{")
    out = io.StringIO()

    announce(Models(Licence("voice", "MIT", "")), tmp_path, Console(file=out))  # type: ignore[arg-type]

    assert "voice" in out.getvalue()
