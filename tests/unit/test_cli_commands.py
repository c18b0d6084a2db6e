"""The command line without any service: help, usage, settings, licences."""

import io
import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from ml.profiles import Licence
from ops.cli.licences import announce
from ops.cli.main import app
from ops.cli.session import Session
from ops.cli.tables import checks
from ops.local import Check, doctor
from ops.local.home import prepare

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
        *("analyze", "align", "enqueue", "status", "errors", "pause", "resume", "retry", "cancel", "erase"),
        *("sql", "export", "report", "up", "down", "doctor", "metrics", "version", "backup", "restore", "upgrade"),
        *("train", "evaluate", "corpus", "labels"),
        *("retrain", "rescore", "models"),
    }
    corpus, labels, models = (commands.pop(name) for name in ("corpus", "labels", "models"))
    assert corpus.help and labels.help
    assert set(corpus.commands) == {"list", "import"}
    assert set(labels.commands) == {"import", "list", "show", "sample"}
    assert set(models.commands) == {"list", "show", "runs", "compare", "promote", "rollback"}
    for name, command in [
        *commands.items(),
        *corpus.commands.items(),
        *labels.commands.items(),
        *models.commands.items(),
    ]:
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


def test_a_home_that_is_no_folder_is_one_sentence_and_doctor_sees_it(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    (tmp_path / "calls").mkdir()

    analysed = tenor("analyze", str(tmp_path / "calls"), TENOR_HOME=str(tmp_path / "home"))
    report = json.loads(tenor("doctor", "--json", TENOR_HOME=str(tmp_path / "home" / "below")).stdout)

    assert analysed.returncode == 1
    said = f"Error: {tmp_path / 'home'} is no folder. Set TENOR_HOME to a folder that you may write"
    assert analysed.stderr.splitlines()[-1].startswith(said)
    (disk,) = (check for check in report["checks"] if check["name"] == "disk")
    assert not disk["ok"] and "is no folder" in disk["detail"]


def test_doctor_does_not_take_a_folder_that_cannot_be_written_for_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENOR_HOME", str(tmp_path / "home"))
    # Root may write everywhere.
    monkeypatch.setattr(os, "access", lambda *_: False)

    (disk,) = (check for check in doctor() if check.name == "disk")

    assert not disk.ok and disk.detail == f"{tmp_path} cannot be written"


def test_checks_with_long_names_do_not_run_into_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    checks([Check("maintenance", True, "process 7"), Check("redis", False, "away", "Start it.")], Session(False))

    assert capsys.readouterr().out.splitlines() == [
        "ok     maintenance  process 7",
        "WRONG  redis        away",
        "                    Start it.",
    ]


def test_a_home_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    prepare(tmp_path / "home")

    assert (tmp_path / "home").stat().st_mode & 0o066 == 0, "nobody else lists it"
    assert all(folder.stat().st_mode & 0o077 == 0 for folder in (tmp_path / "home").iterdir())


def test_version_is_an_option_too() -> None:
    done = tenor("--version")

    assert (done.returncode, done.stdout) == (0, f"tenor {metadata.version('tenor')}\n")


@pytest.mark.parametrize(("redirection", "code"), [(">&-", 1), ("2>&-", 1), ("<&-", 1)])
def test_a_closed_stream_is_no_traceback(tmp_path: Path, redirection: str, code: int) -> None:
    done = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -m ops.cli sql - {redirection}'],
        env={**os.environ, "TENOR_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        stdin=None if redirection == "<&-" else subprocess.DEVNULL,
    )

    assert done.returncode == code
    assert "Traceback" not in done.stderr and "no name for" not in done.stderr


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


def test_a_wrong_choice_is_answered_with_the_choices_alone() -> None:
    done = CliRunner().invoke(app, ["sql", "select 1", "--format", "jsn"], env={"COLUMNS": "200"})

    assert done.exit_code == 2
    assert "Invalid value for '--format' / '-f': 'jsn' is not one of 'table', 'csv', 'json'." in done.stderr
