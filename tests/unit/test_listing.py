"""A manifest as an index: which line is about a file, what is listed and not there, which transcript counts."""

import unicodedata
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from tests.unit.silence import write_silence
from workers.archives.files import Found, absence, look
from workers.archives.listed import absent
from workers.archives.listing import Listing, open_listing
from workers.archives.manifest import Line, Problem, read_manifest

HEADER = "path,transcript,language,channels,speaker,speakers,dialogue,recorded_at,agent\n"


def indexed(root: Path, *, packed: bool = False) -> tuple[Listing, list[Problem]]:
    problems: list[Problem] = []
    return open_listing(root, packed=packed, report=problems.extend), problems


def test_no_sentence_quotes_what_stands_in_a_cell(tmp_path: Path) -> None:
    words = "my card was charged"
    (tmp_path / "manifest.csv").write_text(
        f'{HEADER}x.wav,../{words},{words},{words},,{words},,{words},\n{words},,\n"{words}" {words}\n'
    )
    listing, problems = indexed(tmp_path)

    problems += [item for item in absent(listing, partial(absence, tmp_path)) if isinstance(item, Problem)]

    assert len(problems) >= 7
    assert not any("charged" in problem.sentence for problem in problems)


def test_the_first_of_two_lines_about_a_recording_counts(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("path,language\na.wav,en\nb.wav,pl\n./a.wav,ko\na\\b.wav,ko\n")

    listing, problems = indexed(tmp_path)

    line = listing.line("a.wav")
    assert line is not None and line.options == {"language": "en"}
    assert [(problem.number, problem.code) for problem in problems] == [(4, "manifest_path_twice")]
    assert "line 2" in problems[0].sentence
    assert listing.line("a/b.wav") is not None
    assert listing.line("c.wav") is None


def test_a_path_is_found_however_its_letters_are_composed(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "café/é.wav") for form in ("NFC", "NFD"))
    (tmp_path / "manifest.csv").write_text(f"path\n{apart}\n")

    listing, _ = indexed(tmp_path)

    assert listing.line(composed) == listing.line(apart) == Line(2, composed)
    assert listing.line("caf\udce9.wav") is None


def test_a_line_comes_back_from_the_index_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(
        f"{HEADER}a.wav,t.txt,ko,mix,김 상담원,1,d1,2026-03-01T10:00+09:00,7\n", encoding="utf-8"
    )
    (direct,) = read_manifest(tmp_path / "manifest.csv")

    listing, _ = indexed(tmp_path)

    assert listing.line("a.wav") == direct
    assert isinstance(direct, Line) and direct.recorded_at is not None
    assert direct.recorded_at.utcoffset() == timedelta(hours=9)


def test_of_a_packed_archive_the_one_folder_at_its_top_may_hold_the_manifest(tmp_path: Path) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    (folder / "manifest.csv").write_text("path,agent\na.wav,7\n")

    unpacked, _ = indexed(tmp_path, packed=True)
    plain, _ = indexed(tmp_path)

    line = unpacked.line("calls/a.wav")
    assert line is not None and line.metadata == {"agent": "7"}
    assert unpacked.line("a.wav") is None and list(unpacked.paths()) == [(2, "calls/a.wav")]
    assert plain.line("calls/a.wav") is None


def test_what_is_listed_and_not_there_is_named_with_its_reason(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    root = tmp_path / "root"
    for folder in (outside, root, root / "folder.wav"):
        folder.mkdir()
    (outside / "a.wav").touch()
    (root / "here.wav").touch()
    (root / ".hidden.wav").touch()
    (root / "linked").symlink_to(outside)
    (root / "manifest.csv").write_text(
        "path\nhere.wav\ngone.wav\n.hidden.wav\nlinked/a.wav\nfolder.wav\nnotes on a call\n"
    )
    listing, _ = indexed(root)

    found = list(absent(listing, partial(absence, root)))

    reasons = {item.path: str(item.error) for item in found if isinstance(item, Found)}
    assert {path: reason.rpartition("but ")[2] for path, reason in reasons.items()} == {
        "gone.wav": "there is no such file",
        ".hidden.wav": "hidden files are left out",
        "linked/a.wav": "it lies behind a link to a folder, which is not followed",
        "folder.wav": "it is a folder",
    }
    assert "line 3" in reasons["gone.wav"]
    assert [(item.number, item.code) for item in found if isinstance(item, Problem)] == [(7, "manifest_path")]


@pytest.fixture
def calls(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "calls"
    (root / "texts").mkdir(parents=True)
    write_silence(root / "a.wav")
    (root / "a.txt").write_text("beside")
    (root / "texts" / "shared.txt").write_text("named")
    (tmp_path / "secret.txt").write_text("outside")
    yield root


def test_a_transcript_that_the_manifest_names_goes_before_one_beside_the_recording(calls: Path) -> None:
    beside = look(calls, "a.wav", None)
    named = look(calls, "a.wav", None, Line(2, "a.wav", "texts/shared.txt"))

    assert (beside.transcript_path, named.transcript_path) == ("a.txt", "texts/shared.txt")
    assert beside.transcript_sha256 != named.transcript_sha256
    assert named.problems == ()


@pytest.mark.parametrize("transcript", ["texts/none.txt", "texts", "linked.txt"])
def test_a_named_transcript_that_is_missing_or_outside_is_not_replaced_by_a_guess(calls: Path, transcript: str) -> None:
    (calls / "linked.txt").symlink_to(calls.parent / "secret.txt")

    found = look(calls, "a.wav", None, Line(2, "a.wav", transcript))

    assert (found.transcript_path, found.transcript_sha256) == (None, "")
    assert [(problem.number, problem.code) for problem in found.problems] == [(2, "manifest_transcript")]
    assert found.error is None


def test_a_shared_transcript_that_changes_is_another_one(calls: Path) -> None:
    line = Line(2, "a.wav", "texts/shared.txt")
    before = look(calls, "a.wav", None, line).transcript_sha256
    (calls / "texts" / "shared.txt").write_text("named anew")

    assert look(calls, "a.wav", None, line).transcript_sha256 != before
