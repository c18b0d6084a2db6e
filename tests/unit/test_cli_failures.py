"""Errors become one sentence, what to do next, and an exit code."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import ops.access
from db.errors import DatabaseUnavailable
from ops.cli.failures import explain
from ops.cli.main import app
from workers.errors import ArchiveEmpty


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TENOR_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TENOR_LOG_LEVEL", raising=False)
    return tmp_path / "home"


def test_named_errors_keep_their_code_and_hint() -> None:
    for error in (ArchiveEmpty("calls/ holds no audio"), DatabaseUnavailable("Postgres does not answer")):
        problem = explain(error)

        assert problem.code == error.code
        assert error.hint in str(problem)


def test_a_full_disk_says_which_and_what_to_do() -> None:
    problem = explain(OSError(errno.ENOSPC, "No space left on device", "/data/x"))

    assert problem.code == "disk_full"
    assert "/data/x" in str(problem)
    assert "Free space" in str(problem)


def test_a_sentence_starts_with_a_capital_and_ends_with_a_stop() -> None:
    assert str(explain(ArchiveEmpty("the folder is empty", hint="Fill it."))) == "The folder is empty. Fill it."


@pytest.mark.parametrize(
    "message",
    ["/calls/a.wav is gone", "calls/a.wav is gone", "a.wav is gone", "postgresql://db is away", "lease_s: no"],
)
def test_paths_addresses_and_names_at_the_start_of_a_sentence_stay_as_they_are(message: str) -> None:
    assert str(explain(ArchiveEmpty(message))).startswith(message)


def test_an_error_without_a_name_leaves_its_traceback_in_a_file(home: Path) -> None:
    try:
        raise ZeroDivisionError("of all things")
    except ZeroDivisionError as exc:
        problem = explain(exc)

    (log,) = (home / "logs").glob("tenor-*.log")
    assert str(log) in str(problem)
    assert "of all things" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0, "for its owner only"


def test_debug_shows_the_traceback_at_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TENOR_LOG_LEVEL", "DEBUG")

    explain(ZeroDivisionError("of all things"))

    assert "ZeroDivisionError: of all things" in capsys.readouterr().err


def test_a_home_that_cannot_be_written_does_not_hide_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TENOR_HOME", str(tmp_path / "file"))

    assert "ZeroDivisionError" in str(explain(ZeroDivisionError()))


def run_session(body: str, *, json_output: bool = False, **options: object) -> subprocess.CompletedProcess[str]:
    """A command whose body is `body`, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", _command(body, json_output)],
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )  # type: ignore[call-overload,no-any-return]


def _command(body: str, json_output: bool = False) -> str:
    return (
        "import sys, time, typer\n"
        "from ops.cli.session import session\n"
        "app = typer.Typer()\n"
        "@app.command()\n"
        "def main():\n"
        f"    with session({json_output}) as current:\n        " + body.replace("\n", "\n        ") + "\n"
        "app()\n"
    )


def test_an_unnamed_error_is_one_sentence_and_exit_1(home: Path) -> None:
    done = run_session("raise ZeroDivisionError('secret words')")

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "secret words" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_with_json_an_error_is_the_one_document(home: Path) -> None:
    done = run_session("from workers.errors import ArchiveEmpty\nraise ArchiveEmpty('no audio')", json_output=True)

    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "archive_empty"


def test_an_error_after_output_began_does_not_write_into_it(home: Path) -> None:
    done = run_session("current.stdout.write('[')\nraise OSError('gone')", json_output=True)

    assert done.returncode == 1
    assert done.stdout == "["


def test_a_reader_that_has_seen_enough_is_no_error(home: Path) -> None:
    body = "for n in range(1_000_000):\n    current.stdout.write('row\\n')"
    pipeline = f'"{sys.executable}" -c "$BODY" | head -n 1; echo ${{PIPESTATUS[0]}}'

    done = subprocess.run(
        ["bash", "-c", pipeline],
        env={**os.environ, "BODY": _command(body)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.stdout == "row\n0\n"
    assert done.stderr == ""


def test_output_into_a_full_disk_is_a_sentence(home: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", _command("current.stdout.write('row')")],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )

    assert done.returncode == 1
    assert done.stderr.startswith("Error: No space left on device.")
    assert len(done.stderr.strip().splitlines()) == 1


def _start(body: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", _command(body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_ctrl_c_is_a_word_and_exit_130(home: Path) -> None:
    process = _start("print('ready', flush=True)\ntime.sleep(60)")

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)

    assert process.returncode == 130
    assert err == "Error: Interrupted.\n"


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("ml.profiles.load_profile", "nothing was started"),
        ("ops.local.up", "tenor down"),
        ("workers.jobs.enqueue.create_job", "`tenor status` lists the jobs"),
    ],
)
def test_ctrl_c_before_there_is_a_job_says_what_it_left(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, says: str
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ops.access.start", ops.access.start if where == "ops.local.up" else _reached)
    monkeypatch.setattr(where, interrupted)

    for command in ("analyze", "enqueue"):
        done = CliRunner().invoke(app, [command, str(tmp_path)])

        assert done.exit_code == 130
        assert done.stderr.splitlines()[-1].startswith("Error: Interrupted. ") and says in done.stderr


def _reached(*_: object) -> ops.access.Access:
    return ops.access.Access(database_url="postgresql://127.0.0.1:1/none", analyst_url="", broker_url=None)


def test_a_second_ctrl_c_ends_the_process_at_once(home: Path) -> None:
    # "ready" inside of the try, so that the first signal cannot come before it.
    stubborn = "try:\n    print('ready', flush=True)\n    time.sleep(90)\n"
    process = _start(stubborn + "finally:\n    print('leaving', flush=True)\n    time.sleep(90)")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "leaving\n"

    process.send_signal(signal.SIGINT)

    # Far less than what it would still sleep.
    assert process.wait(timeout=45) == 130
