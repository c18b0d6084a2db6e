"""manifest.csv: what is understood, what is reported, and how an archive's own paths meet it."""

import csv
import io
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.unit.silence import write_silence
from workers import manifest
from workers.errors import ManifestUnreadable
from workers.files import Found, look
from workers.listed import absent
from workers.listing import Listing, open_listing
from workers.manifest import Line, Problem, find_manifest, read_manifest

HEADER = "path,transcript,language,channels,speaker,speakers,dialogue,recorded_at,agent\n"


def read(folder: Path, content: str | bytes, name: str = "manifest.csv") -> tuple[list[Line], list[tuple[int, str]]]:
    """Lines, and (line, code) of the problems, of a manifest with that content."""
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    found = list(read_manifest(file))
    lines = [item for item in found if isinstance(item, Line)]
    return lines, [(item.number, item.code) for item in found if isinstance(item, Problem)]


def test_known_columns_are_understood_and_the_others_are_metadata(tmp_path: Path) -> None:
    lines, problems = read(
        tmp_path,
        "Path,queue,Transcript,LANGUAGE,channels,speaker,dialogue,recorded_at,Agent Age,empty,\n"
        './a/1.wav,billing,texts/1.txt,en_US,Split,"Ruth ""R"", Dr",d7,2026-03-01T14:30+01:00,41,,left out\n',
    )

    assert problems == []
    (line,) = lines
    assert (line.number, line.path, line.transcript, line.dialogue) == (2, "a/1.wav", "texts/1.txt", "d7")
    assert line.recorded_at == datetime(2026, 3, 1, 13, 30, tzinfo=UTC)
    assert line.options == {"language": "en", "channels": "split", "speaker": 'Ruth "R", Dr', "speakers": 1}
    assert line.metadata == {"queue": "billing", "Agent Age": "41"}


def test_a_date_without_a_zone_is_utc_and_a_number_of_speakers_is_a_number(tmp_path: Path) -> None:
    lines, _ = read(tmp_path, "path,speakers,recorded_at\n1.wav,3,2026-03-01\n2.wav,,20260301T0102\n")

    assert lines[0].options == {"speakers": 3}
    assert lines[0].recorded_at == datetime(2026, 3, 1, tzinfo=UTC)
    assert lines[1].options == {} and lines[1].recorded_at == datetime(2026, 3, 1, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "euc-kr"])
def test_any_delimiter_and_most_encodings_are_found_out(tmp_path: Path, delimiter: str, encoding: str) -> None:
    note = "오늘은 전화 상담이 많았습니다" if encoding == "euc-kr" else "Größe, naïve café à la carte, señor"
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerows([["note", "path"], *([note, f"{number}.wav"] for number in range(20))])

    lines, problems = read(tmp_path, out.getvalue().encode(encoding))

    # A guess is said to be one.
    assert problems == ([] if encoding.startswith("utf") else [(2, "manifest_encoding")])
    assert {line.path for line in lines} == {f"{number}.wav" for number in range(20)}
    assert {line.metadata["note"] for line in lines} == {note}


def test_a_spreadsheets_line_about_the_delimiter_is_followed(tmp_path: Path) -> None:
    lines, _ = read(tmp_path, "sep=;\r\npath;note\r\n1.wav;a, b\r\n")

    assert [(line.number, line.metadata) for line in lines] == [(3, {"note": "a, b"})]


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        (",,,,,,,,", None),
        ("../x.wav,,,,,,,,", "manifest_path"),
        ("a/../../x.wav,,,,,,,,", "manifest_path"),
        ("/etc/x.wav,,,,,,,,", "manifest_path"),
        ("C:\\calls\\x.wav,,,,,,,,", "manifest_path"),
        (",,en,,,,,,", "manifest_path"),
        ("x.wav,../secret.txt,,,,,,,", "manifest_transcript"),
        ("x.wav,,gibberish,,,,,,", "manifest_language"),
        ("x.wav,,xx,,,,,,", "manifest_language"),
        ("x.wav,,,left,,,,,", "manifest_channels"),
        ("x.wav,,,,,two,,,", "manifest_speakers"),
        ("x.wav,,,,,0,,,", "manifest_speakers"),
        ("x.wav,,,,,1000,,,", "manifest_speakers"),
        ("x.wav,,,,Ruth,2,,,", "manifest_speaker"),
        (f"x.wav,,,,{'R' * 300},,,,", "manifest_speaker"),
        ("x.wav,,,,,,,03/04/2026,", "manifest_recorded_at"),
        ("x.wav,,,,,,,2026-02-30,", "manifest_recorded_at"),
        ("x.wav,,,,,,,0001-01-01T00:00+14:00,", "manifest_recorded_at"),
        ("x.wav,,,,,,,,,,7", "manifest_columns"),
        ("x.wav,,,,,,,,a\0b", "manifest_text"),
        ('x.wav,,,,,,,,"a" b', "manifest_quotes"),
    ],
)
def test_what_cannot_be_followed_is_reported_with_its_line_and_the_rest_goes_on(
    tmp_path: Path, cells: str, code: str | None
) -> None:
    lines, problems = read(tmp_path, f"{HEADER}before.wav,,,,,,,,\n{cells}\nafter.wav,,,,,,,,7\n")

    assert problems == ([] if code is None else [(3, code)])
    assert [line.path for line in lines if line.path != "x.wav"] == ["before.wav", "after.wav"]
    # A line is followed in the rest, unless it is not known what it is about.
    kept = [line for line in lines if line.path == "x.wav"]
    assert bool(kept) == (code not in (None, "manifest_path", "manifest_quotes"))
    assert all(line.transcript is None and line.recorded_at is None for line in kept)


def test_a_quotation_mark_that_is_never_closed_costs_few_lines(tmp_path: Path) -> None:
    many = "".join(f"{number:06}.wav,fine\n" for number in range(20_000))

    lines, problems = read(tmp_path, f'path,note\nfirst.wav,"open\n{many}')

    assert [code for _, code in problems] == ["manifest_quotes"]
    assert problems[0][0] == 2
    assert len(lines) > 10_000
    assert lines[-1].path == "019999.wav"


def test_a_record_may_span_lines_and_is_numbered_by_its_first(tmp_path: Path) -> None:
    lines, _ = read(tmp_path, 'path,note\n1.wav,"a\nb\nc"\n2.wav,d\n')

    assert [(line.number, line.metadata["note"]) for line in lines] == [(2, "a\nb\nc"), (5, "d")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        ("file,speaker\n1.wav,Ruth\n", "line 1"),
        ("path,path\n1.wav,2.wav\n", "twice"),
        ("path,note,note\n1.wav,2,3\n", "twice"),
        (b"PK\x03\x04" + bytes(range(256)) * 20, "manifest.csv"),
        (b"path,note\n1.wav,\xc3", "manifest.csv"),
        ("path\n" + "x" * (manifest.MAX_LINE + 1), "line 2"),
    ],
)
def test_a_manifest_of_which_nothing_can_be_made_is_refused_with_a_sentence(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    with pytest.raises(ManifestUnreadable, match=said) as refused:
        read(tmp_path, content)
    assert refused.value.hint


def test_two_manifests_are_one_too_many(tmp_path: Path) -> None:
    assert find_manifest(tmp_path) is None
    (tmp_path / "manifest.tsv").write_text("path\n")
    assert find_manifest(tmp_path) == tmp_path / "manifest.tsv"
    (tmp_path / "manifest.csv").write_text("path\n")

    with pytest.raises(ManifestUnreadable, match="both"):
        find_manifest(tmp_path)


def test_no_sentence_quotes_what_stands_in_a_cell(tmp_path: Path) -> None:
    words = "my card was charged"
    (tmp_path / "manifest.csv").write_text(
        f'{HEADER}x.wav,../{words},{words},{words},,{words},,{words},\n{words},,\n"{words}" {words}\n'
    )
    listing, problems = indexed(tmp_path)

    problems += [item for item in absent(tmp_path, listing) if isinstance(item, Problem)]

    assert len(problems) >= 7
    assert not any("charged" in problem.sentence for problem in problems)


def indexed(root: Path, *, packed: bool = False) -> tuple[Listing, list[Problem]]:
    problems: list[Problem] = []
    return open_listing(root, packed=packed, report=problems.extend), problems


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

    found = list(absent(root, listing))

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
