"""Every format of transcripts that is read: what becomes of its turns, words, phones, speakers and mistakes."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from ml.transcripts import Transcript, TranscriptUnreadable, read_transcript

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 4
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "Ann - words"
        xmin = 0
        xmax = 4
        intervals: size = 4
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 0.9
            text = "blue"
        intervals [3]:
            xmin = 0.9
            xmax = 1.4
            text = "sky"
        intervals [4]:
            xmin = 2.5
            xmax = 3.0
            text = "yes"
    item [2]:
        class = "IntervalTier"
        name = "Ann - phones"
        xmin = 0
        xmax = 4
        intervals: size = 2
        intervals [1]:
            xmin = 0.5
            xmax = 0.6
            text = "B"
        intervals [2]:
            xmin = 2.5
            xmax = 2.7
            text = "Y"
    item [3]:
        class = "TextTier"
        name = "pitch"
        xmin = 0
        xmax = 4
        points: size = 1
        points [1]:
            number = 0.7
            mark = "210"
"""
#: Turns of two speakers, in the short form, with a quote, a line break and Praat's -0.
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

-0
5
<exists>
2
"IntervalTier"
"Ann"
-0
5
2
-0
1.5
"say ""no""
twice"
1.5
5
""
"IntervalTier"
"Ben"
0
5
1
2
3
"item (1): xmin = 7"
"""


def read(tmp_path: Path, name: str, content: str | bytes, recording: str | None = None) -> Transcript:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_transcript(path, recording)


def rows(transcript: Transcript) -> list[tuple[Any, ...]]:
    return [(t.start_s, t.end_s, t.speaker, t.text) for t in transcript.turns]


def words(transcript: Transcript) -> list[tuple[Any, ...]]:
    return [(w.text, w.start_s, w.end_s, w.confidence) for t in transcript.turns for w in t.words or ()]


def test_a_long_textgrid_gives_words_and_phones_in_turns_cut_at_pauses(tmp_path: Path) -> None:
    found = read(tmp_path, "a.TextGrid", LONG)
    assert rows(found) == [(0.5, 1.4, "Ann", "blue sky"), (2.5, 3.0, "Ann", "yes")]
    assert [[p.text for p in turn.phones or ()] for turn in found.turns] == [["B"], ["Y"]]
    assert found.problems == ()


def test_a_short_textgrid_gives_turns_of_speakers(tmp_path: Path) -> None:
    found = read(tmp_path, "a.TextGrid", SHORT)
    assert rows(found) == [(0.0, 1.5, "Ann", 'say "no" twice'), (2.0, 3.0, "Ben", "item (1): xmin = 7")]
    assert found.problems == ()


def test_elan_and_utf16_textgrids_are_read_the_same(tmp_path: Path) -> None:
    elan = LONG.replace("item [1]", "item[1]").replace("]:\n", "]\n").replace("\n", "\r\n")
    assert read(tmp_path, "a.TextGrid", elan.encode("utf-16")).turns == read(tmp_path, "b.TextGrid", LONG).turns


def test_turns_of_a_textgrid_hold_their_own_words(tmp_path: Path) -> None:
    def tier(name: str, *items: tuple[float, float, str]) -> str:
        lines = "".join(f'{start}\n{end}\n"{text}"\n' for start, end, text in items)
        return f'"IntervalTier"\n"{name}"\n0\n9\n{len(items)}\n{lines}'

    tiers = tier("words", (0, 1, "one"), (1, 2, "two"), (3, 4, "three")) + tier(
        "utterance", (0, 2, "One two."), (3, 4, "Three")
    )
    found = read(tmp_path, "a.TextGrid", f'"ooTextFile"\n"TextGrid"\n0\n9\n<exists>\n2\n{tiers}')
    assert [(t.text, [w.text for w in t.words or ()]) for t in found.turns] == [
        ("One two.", ["one", "two"]),
        ("Three", ["three"]),
    ]


def test_a_damaged_textgrid_keeps_its_good_intervals_and_names_lines(tmp_path: Path) -> None:
    broken = SHORT.replace("2\n3\n", "3\n2\n")
    found = read(tmp_path, "a.TextGrid", broken)
    assert rows(found) == [(0.0, 1.5, "Ann", 'say "no" twice')]
    assert found.problems == ("a.TextGrid, line 27: it ends before it starts",)
    cut = read(tmp_path, "b.TextGrid", SHORT[: SHORT.index(": xmin")])
    assert rows(cut) == rows(found) and cut.problems[0].startswith("b.TextGrid, line 27: a text has no closing quote")
    with pytest.raises(TranscriptUnreadable, match="holds no tier"):
        read(tmp_path, "c.TextGrid", "hello\n")


def test_an_unclosed_quote_costs_no_more_than_its_length(tmp_path: Path) -> None:
    with pytest.raises(TranscriptUnreadable):
        read(tmp_path, "a.TextGrid", SHORT[:90] + '"' + '""a ' * 2_000_000)


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


def test_whisper_segments_give_words_with_confidence(tmp_path: Path) -> None:
    content = {
        "language": "english",
        "segments": [
            {
                "start": 0.0,
                "end": 2.0,
                "text": " In 2014 yes.",
                "words": [
                    {"word": " In", "start": 0.0, "end": 0.4, "probability": 0.8},
                    {"word": "2014"},
                    {"word": " yes.", "start": 1.0, "end": 1.0, "probability": 0.5},
                ],
            },
            {"start": 2.0, "text": "lost"},
            {"start": float("nan"), "end": 3, "text": "lost"},
            {"start": 3.0, "end": 4.0, "text": "[BLANK_AUDIO]"},
        ],
    }
    found = read(tmp_path, "a.json", json.dumps(content))
    assert found.language == "en"
    assert rows(found) == [(0.0, 2.0, None, "In 2014 yes.")]
    assert words(found) == [("In", 0.0, 0.4, 0.8), ("yes.", 1.0, 1.01, 0.5)]
    assert found.problems == (
        "a.json, segments[1]: a time is missing",
        "a.json, segments[2]: a time is out of range",
    )


def test_whisperx_segments_are_cut_where_the_speaker_changes(tmp_path: Path) -> None:
    said = [("one", 0.0, "SPEAKER_00"), ("two", 0.5, "SPEAKER_00"), ("three", 1.0, "SPEAKER_01")]
    items = [{"word": w, "start": s, "end": s + 0.4, "score": 0.9, "speaker": who} for w, s, who in said]
    segment = {"start": 0.0, "end": 1.4, "text": "one two three", "words": items, "speaker": "SPEAKER_00"}
    found = read(tmp_path, "a.json", json.dumps({"segments": [segment], "word_segments": items, "language": "en"}))
    assert rows(found) == [(0.0, 0.9, "SPEAKER_00", "one two"), (1.0, 1.4, "SPEAKER_01", "three")]
    alone = read(tmp_path, "b.json", json.dumps({"word_segments": items}))
    assert rows(alone) == rows(found)


def test_azure_batch_transcription_takes_the_best_hypothesis(tmp_path: Path) -> None:
    def phrase(at: float, channel: int, display: str, status: str = "Success") -> dict[str, Any]:
        word = {"word": "hi", "offsetInTicks": at * 1e7, "durationInTicks": 5e6, "confidence": 0.7}
        best = {"confidence": 0.9, "lexical": "hi", "display": display, "words": [word]}
        times = {"offset": f"PT{at}S", "duration": "PT1S", "offsetInTicks": at * 1e7, "durationInTicks": 1e7}
        return {
            "recognitionStatus": status,
            "channel": channel,
            "speaker": 2,
            "locale": "en-US",
            "nBest": [best, {"display": "no"}],
            **times,
        }

    phrases = [phrase(1.5, 0, "Hi."), phrase(3.0, 1, "Hi!"), phrase(5.0, 0, "x", "Failure")]
    found = read(tmp_path, "a.json", json.dumps({"source": "x", "recognizedPhrases": phrases}))
    assert found.language == "en"
    assert [(t.start_s, t.end_s, t.channel, t.speaker, t.text) for t in found.turns] == [
        (1.5, 2.5, 0, "2", "Hi."),
        (3.0, 4.0, 1, "2", "Hi!"),
    ]
    assert words(found)[0] == ("hi", 1.5, 2.0, 0.7)


def test_azure_fast_transcription_counts_milliseconds(tmp_path: Path) -> None:
    word = {"text": "hi", "offsetMilliseconds": 1500, "durationMilliseconds": 300}
    phrase = {
        "offsetMilliseconds": 1500,
        "durationMilliseconds": 800,
        "text": "Hi.",
        "words": [word],
        "locale": "de-DE",
    }
    found = read(tmp_path, "a.json", json.dumps({"combinedPhrases": [], "phrases": [phrase]}))
    assert (rows(found), words(found)) == ([(1.5, 2.3, None, "Hi.")], [("hi", 1.5, 1.8, None)])
    assert found.language == "de"


@pytest.mark.parametrize("timed", [False, True])
def test_azure_conversations_keep_their_participants(tmp_path: Path, timed: bool) -> None:
    items: list[dict[str, Any]] = [
        {"participantId": who, "text": said, "lexical": said.lower()}
        for who, said in [("Agent", "Hello?"), ("Customer", "Hi.")]
    ]
    if timed:
        for place, item in enumerate(items):
            item["conversationItemLevelTiming"] = {"offset": place * 10_000_000, "duration": 9_000_000}
    conversation = {"id": "x", "language": "en", "modality": "transcript", "conversationItems": items}
    found = read(tmp_path, "a.json", json.dumps({"analysisInput": {"conversations": [conversation]}}))
    assert [(t.speaker, t.text) for t in found.turns] == [("Agent", "Hello?"), ("Customer", "Hi.")]
    assert [t.start_s for t in found.turns] == ([0.0, 1.0] if timed else [None, None])


def test_amazon_transcribe_joins_punctuation_and_parts_speakers(tmp_path: Path) -> None:
    def item(content: str, start: float | None, who: str = "spk_0") -> dict[str, Any]:
        choice = {"confidence": "0.98", "content": content}
        if start is None:
            return {"type": "punctuation", "alternatives": [choice]}
        return {
            "type": "pronunciation",
            "alternatives": [choice],
            "start_time": str(start),
            "end_time": str(start + 0.4),
            "speaker_label": who,
        }

    items = [item("Good", 0.0), item("day", 0.5), item(".", None), item("Hello", 1.0, "spk_1"), item("!", None)]
    content = {"jobName": "x", "results": {"language_code": "en-GB", "transcripts": [], "items": items}}
    found = read(tmp_path, "a.json", json.dumps(content))
    assert rows(found) == [(0.0, 0.9, "spk_0", "Good day."), (1.0, 1.4, "spk_1", "Hello!")]
    assert found.language == "en" and words(found)[0] == ("Good", 0.0, 0.4, 0.98)
    content["results"] = {"items": items, "channel_labels": {"channels": [{"items": items[:3]}, {"items": items[3:]}]}}
    assert [t.channel for t in read(tmp_path, "b.json", json.dumps(content)).turns] == [0, 1]


def test_amazon_call_analytics_has_roles_and_milliseconds(tmp_path: Path) -> None:
    item = {
        "Type": "pronunciation",
        "Content": "Hello",
        "Confidence": "0.5",
        "BeginOffsetMillis": 200,
        "EndOffsetMillis": 600,
    }
    entry = {
        "ParticipantRole": "AGENT",
        "BeginOffsetMillis": 200,
        "EndOffsetMillis": 700,
        "Content": "Hello.",
        "Items": [item],
    }
    found = read(tmp_path, "a.json", json.dumps({"LanguageCode": "en-US", "Transcript": [entry, {"Content": "x"}]}))
    assert (rows(found), words(found)) == ([(0.2, 0.7, "AGENT", "Hello.")], [("Hello", 0.2, 0.6, 0.5)])
    assert found.problems == ("a.json, Transcript[1]: a time is missing",)


def test_gentle_keeps_the_text_and_places_phones(tmp_path: Path) -> None:
    found_word = {
        "case": "success",
        "word": "Go",
        "alignedWord": "go",
        "start": 1.0,
        "end": 1.3,
        "startOffset": 0,
        "endOffset": 2,
        "phones": [{"phone": "g_B", "duration": 0.1}, {"phone": "ow_E", "duration": 0.2}],
    }
    lost = {"case": "not-found-in-audio", "word": "xyz", "startOffset": 3, "endOffset": 6}
    last = {"case": "success", "word": "home", "start": 1.5, "end": 1.8, "startOffset": 7, "endOffset": 11}
    found = read(tmp_path, "a.json", json.dumps({"transcript": "Go xyz home! ", "words": [found_word, lost, last]}))
    assert rows(found) == [(1.0, 1.8, None, "Go xyz home!")]
    assert [(p.text, p.start_s, p.end_s) for p in found.turns[0].phones or ()] == [
        ("g_B", 1.0, 1.1),
        ("ow_E", 1.1, 1.3),
    ]


def test_lhotse_supervisions_of_one_recording_are_read_packed_or_not(tmp_path: Path) -> None:
    lines = [
        {
            "id": "1",
            "recording_id": "call",
            "start": 1.0,
            "duration": 2.0,
            "channel": [0],
            "text": "blue sky",
            "language": "English",
            "speaker": "FEE1",
            "alignment": {"word": [["blue", 1.0, 0.5, 3.2], ["sky", 1.5, 0.5, None]], "phone": [["B", 1.0, 0.1]]},
        },
        {"id": "2", "recording_id": "other", "start": 0.0, "duration": 2.0, "text": "no"},
        {"id": "3", "recording_id": "call", "start": 4.0, "duration": -1.0, "text": "no"},
    ]
    content = "\n".join(json.dumps(line) for line in lines) + "\n{broken\n"
    found = read(tmp_path, "call.jsonl.gz", gzip.compress(content.encode()))
    assert rows(found) == [(1.0, 3.0, "FEE1", "blue sky")]
    assert words(found) == [("blue", 1.0, 1.5, None), ("sky", 1.5, 2.0, None)]
    assert found.turns[0].phones is not None and found.language == "en"
    assert [problem.split(":")[0] for problem in found.problems] == ["call.jsonl.gz, line 4", "call.jsonl.gz, line 3"]
    assert read(tmp_path, "call.json", json.dumps(lines)).turns == found.turns
    assert rows(read(tmp_path, "call.jsonl", content, recording="other")) == [(0.0, 2.0, None, "no")]


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


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ('{"segments": [\n{"start": secret}]}', "a.json, line 2: "),
        ('{"secret": 1}', "a.json: it is JSON, but of no recognizer"),
        ("[" * 100_000, "a.json: it is nested too deeply"),
        ("[" + "{}," * 1_000_001 + "{}]", "a.json: it holds a number that is none, or too much"),
        ('{"segments": [{"start": ' + "9" * 5000 + "}]}", "a.json: it holds a number that is none, or too much"),
        ('{"segments": [{"start": -1, "end": 2, "text": "secret"}]}', "a.json, segments"),
        ('{"segments": [{"start": 1e300, "end": 2, "text": "secret"}]}', "a.json, segments"),
    ],
    ids=["broken", "of another kind", "deep", "many", "long number", "negative", "huge"],
)
def test_json_that_cannot_be_used_says_where(tmp_path: Path, content: str, where: str) -> None:
    with pytest.raises(TranscriptUnreadable) as named:
        read(tmp_path, "a.json", content)
    assert str(named.value).startswith(where) and "secret" not in str(named.value)


def test_text_from_json_can_be_stored(tmp_path: Path) -> None:
    content = (
        '{"segments": [{"start": 0, "end": 1, "text": "a\\ud800\\u0000b e\\u0301", "speaker": "A\\udfffn\\u0007n"}]}'
    )
    (turn,) = read(tmp_path, "a.json", content).turns
    assert (turn.text, turn.speaker) == ("a\ufffdb é", "A\ufffdnn")
