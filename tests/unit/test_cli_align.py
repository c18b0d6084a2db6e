"""`tenor align`: tables, formats and pictures of one recording, without a database or a service."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner

from ml.audio.decode import SAMPLE_RATE, decode
from ops.cli.main import app
from ops.samples import ARCHIVE
from tests.unit.test_cli_commands import tenor


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pictures keep a cache there; the variable that says so to matplotlib ends with the test."""
    monkeypatch.setenv("TENOR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MPLCONFIGDIR", "")
    monkeypatch.delenv("MPLCONFIGDIR")
    return tmp_path / "home"


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first two turns of a call, with their transcript beside them."""
    path = tmp_path_factory.mktemp("align") / "call.wav"
    soundfile.write(path, decode(ARCHIVE / "bereavement.ogg", 0.0, 9.1).T, SAMPLE_RATE)
    turns = (ARCHIVE / "bereavement.txt").read_text().splitlines()
    path.with_suffix(".txt").write_text("\n".join(turns[:2]))
    return path


def align(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error, in this process."""
    done = CliRunner().invoke(app, ["align", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_speakers_utterances_and_words_are_printed_with_both_kinds_of_time(call: Path) -> None:
    code, out, err = align(str(call))

    assert (code, err) == (0, "")
    for said in ("Agent Ruth", "0:00.830", "0.830", "husband", "HH AH Z B AH N D", "pocketsphinx"):
        assert said in out


def test_the_text_is_found_in_a_list_of_the_folder(call: Path, tmp_path: Path) -> None:
    shutil.copy(call, tmp_path / "audio1.wav")
    (tmp_path / "trans.txt").write_text("audio2.wav\t다른 말\naudio1.wav\t안녕하세요, 김민지입니다.\n")

    code, out, _ = align(str(tmp_path / "audio1.wav"), "--json")

    found = json.loads(out)
    assert (code, found["language"]) == (0, "ko")
    said = "".join(u["text"] or "" for u in found["utterances"])
    assert said.replace(" ", "") == "안녕하세요,김민지입니다."
    assert found["utterances"][0]["quality"] == "language_not_aligned"


def test_tables_can_be_bounded_in_time(call: Path) -> None:
    out = align(str(call), "--from", "4", "--to", "6")[1]

    assert "K AO L IH NG" in out, "calling"
    assert "S AH N D EY" not in out, "Sunday"
    assert "afternoon" not in out


@pytest.mark.parametrize(
    ("option", "first"),
    [
        ("--textgrid", 'File type = "ooTextFile"'),
        ("--ctm", "call 1 0."),
        ("--srt", "1\n00:"),
        ("--rttm", "SPEAKER call"),
    ],
)
def test_a_format_is_all_that_is_on_standard_output(call: Path, option: str, first: str) -> None:
    code, out, err = align(str(call), option)

    assert (code, err) == (0, "")
    assert out.startswith(first)


def test_json_is_one_document(call: Path) -> None:
    document = json.loads(align(str(call), "--json")[1])

    assert document["utterances"][0]["speaker"] == "Agent Ruth"
    assert document["utterances"][0]["words"]


def test_two_formats_at_once_and_an_empty_window_are_wrong_usage(call: Path) -> None:
    assert align(str(call), "--ctm", "--srt")[0] == 2
    assert align(str(call), "--from", "5", "--to", "5")[0] == 2
    assert align()[0] == 2


def test_a_picture_leaves_standard_output_to_the_format(call: Path, tmp_path: Path, home: Path) -> None:
    picture = tmp_path / "picture.png"
    code, out, err = align(str(call), "--srt", "--plot", str(picture), "--to", "6")
    assert os.environ["MPLCONFIGDIR"] == str(home / "matplotlib"), "not in the person's own folders"

    assert code == 0
    assert out.startswith("1\n00:")
    assert str(picture) in err
    assert picture.stat().st_size > 10_000


def test_a_picture_of_another_kind_is_refused_before_anything_is_aligned(call: Path) -> None:
    code, out, err = align(str(call), "--plot", "x.docx")

    assert (code, out) == (1, "")
    assert ".png" in err


@pytest.mark.parametrize(
    ("name", "more", "says"),
    [
        ("none.wav", ("--srt",), "There is no recording"),
        ("folder", (), "`tenor analyze`"),
        ("call.wav", ("--from", "20"), "--from is 20 s, but the recording ends at 9.1"),
    ],
)
def test_what_cannot_be_shown_is_a_sentence_with_what_to_do(
    call: Path, tmp_path: Path, name: str, more: tuple[str, ...], says: str
) -> None:
    (tmp_path / "folder").mkdir()
    shutil.copy(call, tmp_path / "call.wav")

    code, out, err = align(str(tmp_path / name), *more)

    assert (code, out) == (1, "")
    assert err.startswith("Error: ") and len(err.strip().splitlines()) == 1
    assert says in err


def test_a_transcript_that_is_not_there_is_not_passed_over(call: Path, tmp_path: Path) -> None:
    code, _, err = align(str(call), "--transcript", str(tmp_path / "none.txt"))

    assert code == 1
    assert "--transcript" in err


def test_a_given_transcript_counts_instead_of_the_one_beside_the_recording(call: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("0.8 3.9 [Somebody] Good afternoon, this is Ruth. What can I do for you?\n")

    document = json.loads(align(str(call), "--transcript", str(other), "--json")[1])

    assert [s["label"] for s in document["speakers"]] == ["Somebody"]


def test_a_wrong_transcript_is_said_on_standard_error_and_not_in_the_format(call: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("1 4 photosynthesis converts electromagnetic radiation\n5 8 quarterly dividends rose sharply\n")

    code, out, err = align(str(call), "--transcript", str(wrong), "--srt")

    assert code == 0
    assert "not what is said" in err
    assert "Warning" not in out
    assert "photosynthesis" not in err


def test_no_text_means_an_empty_srt_and_a_reason(call: Path, tmp_path: Path) -> None:
    alone = shutil.copy(call, tmp_path / "alone.wav")

    code, out, err = align(str(alone), "--srt")

    assert (code, out) == (0, "")
    assert "no text" in err


def test_a_language_without_an_aligner_is_explained_under_the_tables(call: Path) -> None:
    out = align(str(call), "--language", "pl")[1]

    assert "language_not_aligned (2 of 2 utterances): " in out
    assert "No word has a time" in out


def test_no_service_or_database_is_needed(call: Path, tmp_path: Path) -> None:
    done: subprocess.CompletedProcess[str] = tenor(
        "align", str(call), "--rttm", TENOR_DATABASE_URL="postgresql://127.0.0.1:1/none"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("SPEAKER") == 2
