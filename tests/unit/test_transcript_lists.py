"""Lists of transcripts as files: every text is read again from where it was found."""

from pathlib import Path

import pytest

from ml.transcripts import Excerpt, Place, TranscriptChanged, TranscriptUnreadable, read_excerpt
from ml.transcripts.formats.lists import MAX_LINE, Entry, Flaw, read_list
from ml.transcripts.lists import excerpt, find_listed, key_of, keys_of
from ml.transcripts.places import text_hash

KOREAN = "audio1.wav\t테스트 및 녹음\r\naudio2.wav\t1 2 셋\r\n"
POLISH = "a-1|Zażółć gęślą jaźń|zażółć\na-2|Święta są piękne, źle|x\n"


def write(tmp_path: Path, name: str, content: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def entries(path: Path) -> list[tuple[str, str]]:
    return [(item.name, item.text) for item in read_list(path) if isinstance(item, Entry)]


def flaws(path: Path) -> list[int]:
    return [item.number for item in read_list(path) if isinstance(item, Flaw)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp949"])
def test_a_text_is_read_at_its_place_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "trans.txt", KOREAN.encode(encoding))

    found = [item for item in read_list(path) if isinstance(item, Entry)]

    assert [(item.name, item.text) for item in found] == [("audio1.wav", "테스트 및 녹음"), ("audio2.wav", "1 2 셋")]
    for item in found:
        transcript = read_excerpt(excerpt(path, item))
        # Numbers at the start of a list's text are no times.
        assert [(turn.text, turn.timed) for turn in transcript.turns] == [(item.text, False)]
        assert transcript.sha256 == text_hash(item.text)


def test_encodings_from_before_unicode_are_found_as_for_other_transcripts(tmp_path: Path) -> None:
    path = write(tmp_path, "metadata.csv", POLISH.encode("cp1250"))
    assert entries(path) == [("a-1", "Zażółć gęślą jaźń"), ("a-2", "Święta są piękne, źle")]


def test_a_speaker_before_a_text_is_who_says_it(tmp_path: Path) -> None:
    path = write(tmp_path, "trans.txt", b"a.wav\t[Ann Lee] hello [laughter] there\n")
    (item,) = read_list(path)
    assert isinstance(item, Entry)
    (turn,) = read_excerpt(excerpt(path, item)).turns
    assert (turn.text, turn.speaker) == ("hello there", "Ann Lee")


def test_cells_of_a_table_may_hold_its_signs_and_span_lines(tmp_path: Path) -> None:
    content = (
        'speaker;Text;File Name\r\nA;"one; ""two""\r\n\r\nthree";x/a.wav\r\n\r\nB;\u3000four ;b.wav\r\nC;;c.wav\r\n'
    )
    path = write(tmp_path, "metadata.csv", content.encode())

    found = [item for item in read_list(path) if isinstance(item, Entry)]

    assert [(item.number, item.name) for item in found] == [(2, "x/a.wav"), (6, "b.wav")]
    assert [read_excerpt(excerpt(path, item)).turns[0].text for item in found] == ['one; "two" three', "four"]
    assert flaws(path) == [7]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\n\n",
        "Hello there\nhow are you\n",
        "Ann:\thello\nBen:\thi\n" * 9,
        "0 1 a\n1 2 b\n",
        "the 1990s\nwere good\n",
    ],
)
def test_prose_dialogues_and_timed_lines_are_no_lists(tmp_path: Path, content: str) -> None:
    assert list(read_list(write(tmp_path, "trans.txt", content.encode()))) == []


def test_what_is_no_text_at_all_is_named(tmp_path: Path) -> None:
    with pytest.raises(TranscriptUnreadable, match=r"^trans\.txt is not text"):
        list(read_list(write(tmp_path, "trans.txt", b"\0\1\2\3" * 99)))


def test_a_line_without_end_is_left_out_and_counted_right(tmp_path: Path) -> None:
    path = write(tmp_path, "trans.txt", b"a.wav\tone\nb.wav\t" + b"x" * (2 * MAX_LINE) + b"\nc.wav\tthree\n")

    found = [item for item in read_list(path) if isinstance(item, Entry)]

    assert flaws(path) == [2] and [item.number for item in found] == [1, 3]
    assert read_excerpt(excerpt(path, found[1])).turns[0].text == "three"


@pytest.mark.parametrize("content", [b"a.wav\tlonger text\n", b"b.wav\tnew first\na.wav\ttext\n", b""])
def test_another_text_at_a_place_is_not_taken_for_the_one_that_was_there(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, "trans.txt", b"a.wav\ttext\n")
    (item,) = read_list(path)
    assert isinstance(item, Entry)
    old = excerpt(path, item)
    path.write_bytes(content)
    if content.startswith(b"a.wav"):
        # What was there is a part of it: the place alone would say that nothing changed.
        (item,) = read_list(path)
        assert isinstance(item, Entry)
        old = Excerpt(path, item.place, old.sha256)
    with pytest.raises(TranscriptChanged) as changed:
        read_excerpt(old)
    assert "text" not in str(changed.value).replace("trans.txt", "")


def test_a_list_that_is_gone_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(TranscriptUnreadable):
        read_excerpt(Excerpt(tmp_path / "trans.txt", Place(0, 4, "utf-8"), "0"))


def test_names_are_compared_without_folders_extensions_and_forms_where_that_is_sure() -> None:
    assert keys_of("wavs/a.wav") == ("wavs/a.wav", "wavs/a", "a.wav", "a")
    assert key_of(".\\wavs\\a.wav") == "wavs/a.wav" and key_of("n\u0303.wav") == "\u00f1.wav"
    assert [key_of(name) for name in ("../a.wav", "/tmp/a.wav", "a\udcff.wav", "x" * 5000, "")] == [None] * 5


def test_a_recording_in_another_format_than_its_list_says_is_found_unless_two_are_meant(tmp_path: Path) -> None:
    path = write(tmp_path, "trans.txt", b"a.wav\tone\nb.wav\ttwo\nb.mp3\tthree\nc\tfour\nc.ogg\tfive\n")
    found = {name: find_listed(tmp_path / name) for name in ("a.ogg", "b.ogg", "b.mp3", "c.ogg", "c.wav", "d.ogg")}

    said = {name: item and read_excerpt(item).turns[0].text for name, item in found.items()}

    assert said == {"a.ogg": "one", "b.ogg": None, "b.mp3": "three", "c.ogg": "five", "c.wav": "four", "d.ogg": None}
    assert found["a.ogg"] is not None and found["a.ogg"].path == path
