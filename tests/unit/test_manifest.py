"""manifest.csv: what is understood, in which encoding, and what is reported."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from workers.archives.lines import MAX_LINE
from workers.archives.manifest import Line, Problem, find_manifest, read_manifest
from workers.errors import ManifestUnreadable

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


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp1250", ["Łukasz Źródłowski", "Zażółć Gęślą", "Małgorzata Wiśniewska"]),
        ("cp1252", ["José García", "Íñigo Muñoz"]),
        ("cp1254", ["Gökçe Şahin", "Işıl Yıldız"]),
        ("cp932", ["田中さん", "苦情の電話"]),
    ],
)
def test_names_from_before_unicode_are_read_as_those_of_transcripts(
    tmp_path: Path, encoding: str, names: list[str]
) -> None:
    rows = "".join(f"calls/{number}.wav;{name};parcels\n" for number, name in enumerate(names))

    lines, problems = read(tmp_path, f"path;speaker;team\n{rows}".encode(encoding))

    assert [line.options["speaker"] for line in lines] == names
    assert problems == [(2, "manifest_encoding")]


def test_a_broken_byte_does_not_turn_utf8_into_another_encoding(tmp_path: Path) -> None:
    rows = "".join(f"{number}.wav,Müller größer weiß Bär über\n" for number in range(4))

    lines, problems = read(tmp_path, f"path,note\n{rows}".encode() + b"4.wav,bro\xc3ken\n")

    assert [line.metadata["note"] for line in lines] == ["Müller größer weiß Bär über"] * 4 + ["bro\ufffdken"]
    assert problems == [(6, "manifest_encoding")]


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
        ("path,note\n1.wav,2".encode("utf-16")[:-1], "manifest.csv"),
        ("path\n" + "x" * (MAX_LINE + 1), "line 2"),
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
