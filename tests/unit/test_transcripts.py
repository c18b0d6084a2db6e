"""Transcripts: two forms, any encoding, and mistakes named by file and line without quoting the words."""

import unicodedata
from pathlib import Path

import pytest

from ml.alignment.pronunciation import phones, spoken
from ml.alignment.tokens import tokens
from ml.transcripts import TranscriptUnreadable, find_transcript, read_transcript


def write(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "call.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_timed_lines_give_turns_with_speakers(tmp_path: Path) -> None:
    path = write(tmp_path, "3.5 5,25 [Ms Tanaka]  What?  \n\n0.00 2.5 [Agent Ruth] Good day.\n1:02.5 1:04 bye\n")
    turns = read_transcript(path).turns
    assert [(t.start_s, t.end_s, t.speaker, t.text) for t in turns] == [
        (0.0, 2.5, "Agent Ruth", "Good day."),
        (3.5, 5.25, "Ms Tanaka", "What?"),
        (62.5, 64.0, None, "bye"),
    ]


def test_plain_text_stays_plain_even_when_a_line_begins_with_numbers(tmp_path: Path) -> None:
    turns = read_transcript(write(tmp_path, "[Ann] I called\n2 3 weeks ago\nand nobody came\n")).turns
    assert [t.timed for t in turns] == [False] * 3
    assert [t.speaker for t in turns] == ["Ann", None, None]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_encoding_is_found(tmp_path: Path, encoding: str) -> None:
    assert read_transcript(write(tmp_path, "Schöne Grüße".encode(encoding))).turns[0].text == "Schöne Grüße"


@pytest.mark.parametrize(
    ("content", "where"),
    [("1.0 2.0 secret one\n5.0 4.0 secret two\n", "line 2"), ("1 2 secret\n3 4 secret\nsecret words\n", "line 3")],
)
def test_a_mistake_names_file_and_line_but_not_the_words(tmp_path: Path, content: str, where: str) -> None:
    with pytest.raises(TranscriptUnreadable) as named:
        read_transcript(write(tmp_path, content))
    assert "call.txt" in str(named.value) and where in str(named.value)
    assert "secret" not in str(named.value)


def test_a_binary_file_is_no_transcript(tmp_path: Path) -> None:
    with pytest.raises(TranscriptUnreadable, match="not text"):
        read_transcript(write(tmp_path, b"\x00\x01\x02"))


def test_a_transcript_is_found_in_either_unicode_form(tmp_path: Path) -> None:
    (tmp_path / (unicodedata.normalize("NFD", "trñ00") + ".txt")).write_text("hello")
    found = find_transcript(tmp_path / (unicodedata.normalize("NFC", "trñ00") + ".wav"))
    assert found is not None and found.read_text() == "hello"
    assert find_transcript(tmp_path / "other.wav") is None


def test_words_are_spoken_as_people_say_them() -> None:
    assert tokens("Well – it's 4:30, isn't it?") == ["Well", "it's", "4", "30", "isn't", "it"]
    assert spoken("42") == ["forty", "two"]
    assert spoken("0049123") == ["zero", "zero", "four", "nine", "one", "two", "three"]
    assert spoken("Müller’s") == ["muller's"]
    assert spoken("—") == []


def test_an_unknown_word_gets_a_rough_pronunciation() -> None:
    assert phones("okafor").split() == ["AA", "K", "AE", "F", "AO", "R"]
    assert phones("zxq").split()
