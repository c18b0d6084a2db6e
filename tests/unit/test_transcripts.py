"""Transcripts: text and timed lines, any encoding, found by name, mistakes named by file and line without the words."""

import gzip
import json
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ml.alignment.options import AlignOptions
from ml.alignment.quality import PARTLY_READ
from ml.alignment.recording import align_recording
from ml.transcripts import TranscriptUnreadable, Turn, content_hash, find_transcript, read_transcript
from ml.transcripts.encoding import MAX_BYTES
from ml.transcripts.naming import is_label
from ml.transcripts.reading import merge_speakers

WHISPER = json.dumps({"segments": [{"start": 0, "end": 1, "text": "hi"}], "language": "en"})


def write(tmp_path: Path, content: str | bytes, name: str = "call.txt") -> Path:
    path = tmp_path / name
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


def test_sounds_are_neither_words_nor_speakers(tmp_path: Path) -> None:
    turns = read_transcript(
        write(tmp_path, "[laughter] hello <unk> there (laughs)\n[NOISE]\nwell (I think) {BREATH}\n")
    )
    assert [(t.speaker, t.text) for t in turns.turns] == [(None, "hello there"), (None, "well (I think)")]


def test_a_prompt_in_samples_is_not_taken_for_ten_hours(tmp_path: Path) -> None:
    (turn,) = read_transcript(write(tmp_path, "0 38400 The cat sat.\n")).turns
    assert (turn.start_s, turn.end_s, turn.text) == (0.0, 2.4, "The cat sat.")


def test_a_list_of_recordings_gives_the_one_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeffone.wav\tfirst text\nTWO.wav\tsecond text\n", "trans.txt")
    assert read_transcript(path, "two").turns == (Turn("second text"),)
    with pytest.raises(TranscriptUnreadable, match="none of which has this one's name"):
        read_transcript(path)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "Schöne Grüße"),
        ("utf-8-sig", "Schöne Grüße"),
        ("utf-16", "Schöne Grüße"),
        ("utf-16-le", "Schöne Grüße"),
        ("utf-16-be", "네 알겠습니다"),
        ("utf-32", "Schöne Grüße"),
        ("cp1252", "Schöne Grüße"),
        ("cp1252", "Está bien, señora García, gracias por llamar."),
        ("cp1252", "You have charged me twice. Señor Nuñez, ça va?"),
        ("cp1252", "It’s naïve, isn’t it?"),
        ("cp1252", "That is £20 for the pizza."),
        ("cp1252", "Não sei"),
        ("cp1250", "Źle się czuję, proszę pani. Łódź jest piękna."),
        ("cp949", "네 알겠습니다. 감사합니다"),
        ("cp932", "お電話ありがとうございます"),
        ("cp1251", "Добрый день, чем могу помочь?"),
    ],
)
def test_the_encoding_is_found(tmp_path: Path, encoding: str, text: str) -> None:
    assert read_transcript(write(tmp_path, text.encode(encoding))).turns[0].text == text


def test_a_broken_byte_does_not_turn_utf8_into_another_encoding(tmp_path: Path) -> None:
    good = "größer schöner weiter über Äpfel für müde Bären\n" * 3
    found = read_transcript(write(tmp_path, good.encode() + b"bro\xc3ken\n"))
    assert found.turns[0].text == good.split("\n")[0]
    assert found.problems == ("call.txt, line 4: it holds bytes that are not UTF-8",)


@pytest.mark.parametrize(
    ("content", "where"),
    [("1.0 2.0 secret one\n5.0 4.0 secret two\n", "line 2"), ("1 2 secret\n3 4 secret\nsecret words\n", "line 3")],
)
def test_a_mistake_names_file_and_line_and_the_rest_is_kept(tmp_path: Path, content: str, where: str) -> None:
    found = read_transcript(write(tmp_path, content))
    assert all(turn.timed for turn in found.turns) and found.turns
    (problem,) = found.problems
    assert problem.startswith(f"call.txt, {where}: ") and "secret" not in problem


def test_a_file_without_one_good_line_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(TranscriptUnreadable, match=r"call.txt, line 1: it ends before it starts") as named:
        read_transcript(write(tmp_path, "2 1 secret\n4 3 secret\n"))
    assert "secret" not in str(named.value)


def test_problems_are_counted_after_the_first_twenty(tmp_path: Path) -> None:
    found = read_transcript(write(tmp_path, "1 2 a\n" * 40 + "2 1 b\n" * 30))
    assert len(found.problems) == 21 and found.problems[-1] == "call.txt: 10 more of the like"


def test_one_problem_beyond_those_is_said_rather_than_counted(tmp_path: Path) -> None:
    found = read_transcript(write(tmp_path, "1 2 a\n" * 40 + "2 1 b\n" * 21))
    assert len(found.problems) == 21 and found.problems[-1].startswith("call.txt, line 61: ")


@pytest.mark.parametrize("content", [b"\x00\x01\x02", bytes(range(1, 256)) * 3])
def test_a_binary_file_is_no_transcript(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(TranscriptUnreadable, match="not text"):
        read_transcript(write(tmp_path, content))


def test_a_huge_file_is_refused_packed_or_not(tmp_path: Path) -> None:
    with pytest.raises(TranscriptUnreadable, match="larger than 20 MB"):
        read_transcript(write(tmp_path, b"a" * (MAX_BYTES + 1)))
    with pytest.raises(TranscriptUnreadable, match="larger than 20 MB unpacked"):
        read_transcript(write(tmp_path, gzip.compress(b" " * (MAX_BYTES + 1)), "call.jsonl.gz"))


def test_an_unknown_extension_is_named_with_those_that_are_read(tmp_path: Path) -> None:
    with pytest.raises(TranscriptUnreadable) as named:
        read_transcript(write(tmp_path, "hello", "call.docx"))
    assert ".textgrid" in named.value.hint


@pytest.mark.parametrize(
    "name", ["call.txt", "call.TXT", "call.TextGrid", "call.wav.srt", "call.en.srt", "call.pt-br.vtt", "call.jsonl.gz"]
)
def test_a_transcript_is_found_by_its_name(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, "x", name)
    write(tmp_path, "x", "other.txt")
    write(tmp_path, "x", "call2.txt")
    assert find_transcript(tmp_path / "call.wav") == path


@pytest.mark.parametrize("name", ["call.en.txt", "call-notes.txt", "call.docx", ".call.txt", "Call.txt", "call.wav"])
def test_other_names_are_not_taken_for_transcripts(tmp_path: Path, name: str) -> None:
    write(tmp_path, "x", name)
    assert find_transcript(tmp_path / "call.wav") is None


def test_a_transcript_is_found_in_either_unicode_form(tmp_path: Path) -> None:
    (tmp_path / (unicodedata.normalize("NFD", "trñ00") + ".txt")).write_text("hello")
    found = find_transcript(tmp_path / (unicodedata.normalize("NFC", "trñ00") + ".wav"))
    assert found is not None and found.read_text() == "hello"
    assert find_transcript(tmp_path / "other.wav") is None


def test_of_several_the_one_that_says_most_is_chosen(tmp_path: Path) -> None:
    names = ["call.rttm", "call.txt", "call.en.srt", "call.srt", "call.json", "call.TextGrid"]
    for name in names:
        write(tmp_path, WHISPER if name.endswith("json") else "x", name)
        assert find_transcript(tmp_path / "call.wav") == tmp_path / name


def test_json_and_tables_of_other_kinds_are_not_transcripts(tmp_path: Path) -> None:
    write(tmp_path, '{"title": "a call", "rating": 5}', "call.json")
    write(tmp_path, "frame,pitch\n1,200\n", "call.csv")
    assert find_transcript(tmp_path / "call.wav") is None
    text = write(tmp_path, "hello")
    assert find_transcript(tmp_path / "call.wav") == text


def test_broken_json_is_chosen_only_when_nothing_else_is_there(tmp_path: Path) -> None:
    broken = write(tmp_path, WHISPER[:20], "call.json")
    assert find_transcript(tmp_path / "call.wav") == broken
    text = write(tmp_path, "hello")
    assert find_transcript(tmp_path / "call.wav") == text


def test_a_file_added_to_a_folder_that_was_listed_is_found(tmp_path: Path) -> None:
    os.utime(tmp_path, (1, 1))
    assert find_transcript(tmp_path / "call.wav") is None
    path = write(tmp_path, "hello")
    assert find_transcript(tmp_path / "call.wav") == path


def test_speakers_beside_a_transcript_name_its_turns_and_count_in_its_hash(tmp_path: Path) -> None:
    path = write(tmp_path, "0 2 one\n2 4 two\n4 6 [Eve] three\n9 10 four\n")
    alone = content_hash(path)
    rttm = "SPEAKER call 1 0.5 1.0 <NA> <NA> Ann <NA> <NA>\nSPEAKER call 1 1.8 3.9 <NA> <NA> Ben <NA> <NA>\n"
    write(tmp_path, rttm, "call.rttm")
    found = read_transcript(path)
    assert [turn.speaker for turn in found.turns] == ["Ann", "Ben", "Eve", None]
    assert found.sha256 == content_hash(path) != alone


def test_speakers_of_another_recording_are_told_and_left_out(tmp_path: Path) -> None:
    rows = [f"SPEAKER other{n} 1 0 1 <NA> <NA> Ann <NA> <NA>" for n in range(2)]
    write(tmp_path, "\n".join(rows), "call.rttm")
    found = read_transcript(write(tmp_path, "0 2 one\n"))
    assert found.turns[0].speaker is None and "call.rttm" in found.problems[0]


def test_merging_many_turns_takes_time_in_proportion() -> None:
    speaking = [Turn("", n, n + 0.9, f"p{n % 7}") for n in range(50_000)]
    merged = merge_speakers([Turn("x", n + 0.2, n + 0.5) for n in range(50_000)], speaking)
    assert [turn.speaker for turn in merged[:8]] == ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p0"]


@pytest.mark.parametrize("name", ["SPEAKER_00", "speaker 1", "spk_0", "Guest-2", "3", "Customer", "AGENT", "S1"])
def test_labels_of_programs_are_no_identities(name: str) -> None:
    assert is_label(name)


@pytest.mark.parametrize("name", ["Ann", "Agent Ruth", "FEE042", "S1mon", "Carl 3rd"])
def test_names_are_identities(name: str) -> None:
    assert not is_label(name)


def test_what_was_left_out_of_a_transcript_stays_visible_in_its_alignment(tmp_path: Path) -> None:
    audio = tmp_path / "call.wav"
    soundfile.write(audio, np.random.default_rng(0).normal(0, 0.1, 3 * 16_000), 16_000)
    transcript = write(tmp_path, "0 1 [SPEAKER_00] one\n1 2 [Ann Lee] two\n3 2 [Ann Lee] secret\n2.5 2.1 secret\n")

    alignment = align_recording(audio, transcript, AlignOptions(aligner="none", language="pl"))

    assert [utterance.text for utterance in alignment.utterances] == ["one", "two"]
    assert {name: speaker.named for name, speaker in alignment.speakers.items()} == {
        "SPEAKER_00": False,
        "Ann Lee": True,
    }
    assert alignment.quality["transcript"] == PARTLY_READ
    assert alignment.quality["problems"] == [f"call.txt, line {n}: it ends before it starts" for n in (3, 4)]
    assert str(alignment.quality["detail"]).endswith(
        "call.txt, line 3: it ends before it starts; call.txt, line 4: it ends before it starts"
    )
