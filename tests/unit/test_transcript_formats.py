"""Transcripts in lines, subtitles, tables and corpora: what becomes of turns, words, speakers and mistakes."""

from pathlib import Path

import pytest

from ml.transcripts import TranscriptUnreadable, read_transcript
from tests.unit.reading import read, rows, words


def test_ctm_words_of_one_recording_become_turns(tmp_path: Path) -> None:
    content = (
        ";; made by hand\ncall 1 0.10 0.30 blue 0.91\ncall 1 0.40 0.35 sky\ncall 1 0.8 0.1 <eps>\n"
        "call 1 2.00 0.50 yes 1.7\nother 1 0 1 no\ncall 1 x 0.3 bad\ncall 1 3\n"
    )
    found = read(tmp_path, "call.ctm", content)
    assert rows(found) == [(0.1, 0.75, None, "blue sky"), (2.0, 2.5, None, "yes")]
    assert words(found) == [("blue", 0.1, 0.4, 0.91), ("sky", 0.4, 0.75, None), ("yes", 2.0, 2.5, None)]
    assert found.problems == (
        "call.ctm, line 8: it has fewer than 5 fields",
        "call.ctm, line 7: a time is not a number",
    )


def test_channels_are_kept_where_there_are_several(tmp_path: Path) -> None:
    found = read(tmp_path, "call.ctm", "call A 0 1 one\ncall B 0.2 1 two\n")
    assert [(t.channel, t.text) for t in found.turns] == [(0, "one"), (1, "two")]


def test_stm_turns_have_speakers_and_no_labels(tmp_path: Path) -> None:
    content = (
        "call 1 Ann 0.5 2.0 <o,f0,female> good { morning / evening } {COUGH} all\n"
        "call 1 inter_segment_gap 2.0 3.0 <o,,> nothing\ncall 1 Ben 3.0 4.0 IGNORE_TIME_SEGMENT_IN_SCORING\n"
        "call 1 Ben 4.0 5.5 hello\n"
    )
    assert rows(read(tmp_path, "call.stm", content)) == [
        (0.5, 2.0, "Ann", "good morning all"),
        (4.0, 5.5, "Ben", "hello"),
    ]


def test_rttm_says_who_speaks_without_text(tmp_path: Path) -> None:
    content = (
        "SPKR-INFO call 1 <NA> <NA> <NA> adult Ann <NA> <NA>\n"
        "SPEAKER call 1 0.5 1.25 <NA> <NA> Ann <NA> <NA>\nSPEAKER more 1 0 9 <NA> <NA> Eve <NA> <NA>\n"
    )
    assert rows(read(tmp_path, "call.rttm", content)) == [(0.5, 1.75, "Ann", "")]


def test_srt_cues_become_turns(tmp_path: Path) -> None:
    content = (
        "1\n00:00:01,000 --> 00:00:02,500\n[SPEAKER_01]: <i>Good</i>\nmorning\n\n"
        "2\n00:00:03,000 --> 00:00:04,000\n[MUSIC PLAYING]\n"
        "3\n00:01:03,000 --> 01:01:04,000 X1:40\n{\\an8}- Tom &amp; I\n\n4\n00:00:09,000 --> 00:00:08,000\nback\n"
    )
    found = read(tmp_path, "a.srt", content)
    assert rows(found) == [(1.0, 2.5, "SPEAKER_01", "Good morning"), (63.0, 3664.0, None, "Tom & I")]
    assert found.problems == ("a.srt, line 14: it ends before it starts",)


def test_webvtt_voices_settings_and_notes_are_understood(tmp_path: Path) -> None:
    content = (
        "WEBVTT - a talk\n\nNOTE not\nsaid\n\nSTYLE\n::cue { color: red }\n\n"
        "intro\n00:01.000 --> 00:03.000 align:start position:0%\n<v.loud Ann Lee>Go <00:02.000><c>now</c></v>\n\n"
        "00:04.000 --> 00:06.000\n<v Ann Lee>aaaa</v><v Ben>bbbb</v>\n"
    )
    assert rows(read(tmp_path, "a.vtt", content)) == [
        (1.0, 3.0, "Ann Lee", "Go now"),
        (4.0, 5.0, "Ann Lee", "aaaa"),
        (5.0, 6.0, "Ben", "bbbb"),
    ]


def test_the_language_of_subtitles_is_in_their_name(tmp_path: Path) -> None:
    assert read(tmp_path, "a.ko.srt", "1\n00:00:01,000 --> 00:00:02,500\n네\n").language == "ko"


def test_iemocap_frames_become_seconds_and_scores_are_dropped(tmp_path: Path) -> None:
    head = "\t SFrm  EFrm   SegAScr {}\n"
    word_lines = (
        "\t 0 29 -43 <s>\n\t 30 59 -2101 EXCUSE\n\t 60 79 -9 ME(2)\n\t 80 99 -8 ++LAUGHTER++\n Total score: -99\n"
    )
    phone_lines = "\t 0 29 -43 SIL\n\t 30 39 -9 IH SIL K b\n\t 60 79 -9 M(SIL,IY) e\n\t 70 79 -3 +LAUGHTER+\n"
    (tmp_path / "a.phseg").write_text(head.format("Phone") + phone_lines)
    found = read(tmp_path, "a.wdseg", head.format("Word") + word_lines)
    assert words(found) == [("EXCUSE", 0.3, 0.6, None), ("ME", 0.6, 0.8, None)]
    assert [p.text for p in found.turns[0].phones or ()] == ["IH", "M", "LAUGHTER"]
    assert found.problems == ()
    syllables = read(tmp_path, "b.syseg", head.format("Syll") + "\t 30 59 -9 IH_K\n\t 200 219 -9 M_IY\n")
    assert rows(syllables) == [(0.3, 0.6, None, ""), (2.0, 2.2, None, "")]


def test_timit_words_are_read_with_their_phones(tmp_path: Path) -> None:
    (tmp_path / "a.phn").write_text("0 1600 h#\n1600 3200 b\n3200 8000 iy\n8000 9000 h#\n")
    found = read(tmp_path, "a.wrd", "1600 8000 bee\n")
    assert words(found) == [("bee", 0.1, 0.5, None)]
    assert [(p.text, p.start_s) for p in found.turns[0].phones or ()] == [("b", 0.1), ("iy", 0.2)]
    assert rows(read_transcript(tmp_path / "a.phn") and read(tmp_path, "b.phn", "0 1600 pau\n1600 3200 b\n")) == [
        (0.1, 0.2, None, "")
    ]


def test_label_files_are_plain_text_unless_they_are_htk(tmp_path: Path) -> None:
    assert rows(read(tmp_path, "a.lab", "this is text\n")) == [(None, None, None, "this is text")]
    with pytest.raises(TranscriptUnreadable, match=r"a.lab, line 1: these are HTK labels"):
        read(tmp_path, "a.lab", "0 3600000 sil\n3600000 4200000 b\n")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'Start,End,Speaker,Transcript\n0.5,1.5,Ann,"well, yes"\n'),
        ("a.csv", 'who;from;to;text\r\nAnn;0,5;1,5;"well, yes"\r\n'),
        ("a.tsv", "start_ms\tend (ms)\tspeaker\ttext\n500\t1500\tAnn\twell, yes\n"),
        ("a.csv", 'file,onset,duration,spk,words\na.wav,0.5,1,Ann,"well, yes"\nb.wav,0,1,Ben,no\n'),
        ("a.csv", 'text|start time|end time|speaker\n"well, yes"|0:00:00.5|0:01.5|Ann\n'),
    ],
)
def test_tables_are_read_by_the_names_of_their_columns(tmp_path: Path, name: str, content: str) -> None:
    assert rows(read(tmp_path, name, content)) == [(0.5, 1.5, "Ann", "well, yes")]


def test_whispers_table_is_in_milliseconds_and_a_person_s_in_seconds(tmp_path: Path) -> None:
    assert rows(read(tmp_path, "a.tsv", "start\tend\ttext\n0\t1500\thello\n")) == [(0.0, 1.5, None, "hello")]
    assert rows(read(tmp_path, "a.csv", "start,end,text\n0,1.5,hello\n")) == [(0.0, 1.5, None, "hello")]


def test_a_table_without_times_is_text_in_order(tmp_path: Path) -> None:
    found = read(tmp_path, "a.csv", "speaker,text\nBen,second\nAnn,first\n")
    assert rows(found) == [(None, None, "Ben", "second"), (None, None, "Ann", "first")]


def test_rows_of_a_table_that_have_no_times_are_told(tmp_path: Path) -> None:
    found = read(tmp_path, "a.csv", 'start,end,text\n0,1.5,"two\nlines"\n,,secret\n9,8,secret\n')
    assert rows(found) == [(0.0, 1.5, None, "two lines")]
    assert found.problems == (
        "a.csv, line 5: it ends before it starts",
        "a.csv, line 4: it has no times although others have them",
    )
