"""Transcripts of speech services and tools, in JSON: what becomes of turns, words, phones and speakers."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from ml.transcripts import TranscriptUnreadable
from tests.unit.reading import read, rows, words


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
