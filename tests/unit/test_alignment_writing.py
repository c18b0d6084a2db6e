"""An alignment written as TextGrid, CTM, SRT, RTTM and JSON says what it held, in forms that other programs accept."""

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest

from ml.alignment.types import Alignment, Phone, Speaker, Syllable, Utterance, Word
from ml.alignment.writing import to_ctm, to_json, to_rttm, to_srt, to_textgrid
from ml.transcripts import read_transcript


def recording(*utterances: Utterance, duration_s: float = 10.0) -> Alignment:
    """An alignment with the speakers of its utterances."""
    labels = dict.fromkeys(u.speaker for u in utterances)
    speakers = {label: Speaker(label, named=True, embedding=np.ones(256, np.float32)) for label in labels}
    return Alignment(duration_s, "pocketsphinx", "en", speakers, utterances)


HELLO = Utterance(
    0, "Agent Ruth", 1.0, 2.5, 0, "Hello, you.", "en",
    words=(Word("Hello", 1.1, 1.6, 0.75), Word("you", 1.8, 2.4)),
    phones=(Phone("HH", 1.1, 1.2), Phone("OW", 1.2, 1.6), Phone("Y", 1.8, 1.9), Phone("UW", 1.9, 2.4)),
    syllables=(Syllable("HH-OW", 1.1, 1.6), Syllable("Y-UW", 1.8, 2.4)),
)  # fmt: skip
ANSWER = Utterance(1, "Caller", 2.0, 4.0, 1, 'He said "no" --> twice\nand left', "en")


def tiers(textgrid: str) -> dict[str, list[tuple[float, float, str]]]:
    """A long TextGrid's tiers, read strictly: consecutive numbers, stated sizes, every field in its place."""
    lines = [line.strip() for line in textgrid.splitlines()]
    assert lines[:3] == ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    result: dict[str, list[tuple[float, float, str]]] = {}
    blocks = re.split(r"^item \[\d+\]:$", "\n".join(lines), flags=re.M)[1:]
    assert f"size = {len(blocks)}" in lines
    for block in blocks:
        name = re.search(r'^name = "((?:[^"]|"")*)"$', block, re.M)
        size = re.search(r"^intervals: size = (\d+)$", block, re.M)
        found = re.findall(
            r'^intervals \[\d+\]:\nxmin = ([\d.]+)\nxmax = ([\d.]+)\ntext = "((?:[^"]|"")*)"$', block, re.M
        )
        assert name and size and len(found) == int(size[1])
        result[name[1]] = [(float(a), float(b), text.replace('""', '"')) for a, b, text in found]
    return result


def test_a_textgrid_has_tiers_for_each_speaker_and_leaves_out_empty_ones() -> None:
    found = tiers(to_textgrid(recording(HELLO, ANSWER)))

    assert list(found) == [
        *(f"Agent Ruth - {kind}" for kind in ("utterances", "words", "syllables", "phones")),
        "Caller - utterances",
    ]
    assert [text for _, _, text in found["Agent Ruth - words"] if text] == ["Hello", "you"]
    assert (1.8, 2.4, "Y-UW") in found["Agent Ruth - syllables"]


def test_a_textgrids_tiers_cover_all_of_the_time_without_gap_or_overlap() -> None:
    for intervals in tiers(to_textgrid(recording(HELLO, ANSWER))).values():
        assert intervals[0][0] == 0.0
        assert intervals[-1][1] == 10.0
        assert all(a[1] == b[0] for a, b in itertools.pairwise(intervals))
        assert all(start < end for start, end, _ in intervals)


def test_quotes_and_line_breaks_stay_inside_their_label() -> None:
    found = tiers(to_textgrid(recording(ANSWER)))
    assert [text for _, _, text in found["Caller - utterances"] if text] == ['He said "no" --> twice and left']


def test_a_speaker_who_overlaps_himself_loses_no_word_and_no_tier_overlaps() -> None:
    utterances = [
        Utterance(0, "A", 1.0, 5.0, text="one"),
        Utterance(1, "A", 2.0, 3.0, text="two"),
        Utterance(2, "A", 2.0, 2.5, text="three"),
        Utterance(3, "A", 6.0, 6.0, text="four"),
        Utterance(4, "A", 9.999, 10.2, text="five"),
    ]
    (found,) = tiers(to_textgrid(recording(*utterances))).values()

    assert [(a, b, t) for a, b, t in found if t] == [
        (1.0, 2.0, "one"),
        (2.0, 3.0, "two three"),
        (6.0, 6.001, "four"),
        (9.999, 10.2, "five"),
    ]


def test_an_utterance_without_text_is_still_in_the_textgrid() -> None:
    (found,) = tiers(to_textgrid(recording(Utterance(0, "speaker 1", 1.0, 2.0)))).values()
    assert (1.0, 2.0, "?") in found


def test_ctm_has_a_line_per_word_by_channel_and_time_and_confidence_where_there_is_one() -> None:
    early = Utterance(1, "Caller", 0.2, 0.6, 1, "oh", words=(Word("oh", 0.2, 0.6, 1.0),))

    assert to_ctm(recording(HELLO, early), "my call").splitlines() == [
        "my_call 1 1.100 0.500 Hello 0.750",
        "my_call 1 1.800 0.600 you",
        "my_call 2 0.200 0.400 oh 1.000",
    ]


def test_srt_numbers_its_cues_and_no_text_looks_like_a_time_line() -> None:
    silent = Utterance(2, "Caller", 5.0, 6.0)
    late = Utterance(3, "Caller", 3661.5, 3662.0, text="Bye.")

    assert to_srt(recording(HELLO, ANSWER, silent, late)).split("\n\n") == [
        "1\n00:00:01,000 --> 00:00:02,500\n[Agent Ruth]: Hello, you.",
        '2\n00:00:02,000 --> 00:00:04,000\n[Caller]: He said "no" → twice and left',
        "3\n01:01:01,500 --> 01:01:02,000\n[Caller]: Bye.\n",
    ]


def test_rttm_names_the_speaker_in_the_eighth_field_whatever_the_name_holds() -> None:
    fields = [line.split() for line in to_rttm(recording(HELLO, ANSWER), "call").splitlines()]

    assert [len(line) for line in fields] == [10, 10]
    assert [line[0:2] for line in fields] == [["SPEAKER", "call"]] * 2
    assert [(float(line[3]), float(line[4]), line[7]) for line in fields] == [
        (1.0, 1.5, "Agent_Ruth"),
        (2.0, 2.0, "Caller"),
    ]


def test_json_holds_everything_but_the_voices() -> None:
    document = json.loads(json.dumps(to_json(recording(HELLO, ANSWER))))

    assert document["utterances"][0]["words"][0] == {
        "text": "Hello",
        "start_s": 1.1,
        "end_s": 1.6,
        "confidence": 0.75,
    }
    assert document["speakers"] == [
        {"label": "Agent Ruth", "named": True, "channel": None},
        {"label": "Caller", "named": True, "channel": None},
    ]
    assert "embedding" not in json.dumps(document)


@pytest.mark.parametrize("write", [to_textgrid, to_srt, lambda a: to_ctm(a, "x"), lambda a: to_rttm(a, "x")])
def test_a_recording_without_utterances_can_be_written(write) -> None:  # type: ignore[no-untyped-def]
    assert isinstance(write(recording()), str)


@pytest.mark.parametrize(
    ("suffix", "text", "speakers", "words"),
    [
        ("TextGrid", to_textgrid(recording(HELLO, ANSWER)), ["Agent Ruth", "Caller"], 2),
        ("srt", to_srt(recording(HELLO, ANSWER)), ["Agent Ruth", "Caller"], 0),
        ("rttm", to_rttm(recording(HELLO, ANSWER), "call"), ["Agent_Ruth", "Caller"], 0),
        ("ctm", to_ctm(recording(HELLO, ANSWER), "call"), [None], 2),
    ],
)
def test_what_is_written_can_be_read_as_a_transcript(
    tmp_path: Path, suffix: str, text: str, speakers: list[str | None], words: int
) -> None:
    path = tmp_path / f"call.{suffix}"
    path.write_text(text, encoding="utf-8")

    found = read_transcript(path, "call")

    assert found.problems == ()
    assert [turn.speaker for turn in found.turns] == speakers
    assert [(word.text, word.start_s, word.end_s) for word in found.turns[0].words or ()] == [
        ("Hello", 1.1, 1.6),
        ("you", 1.8, 2.4),
    ][:words]
    if suffix in {"TextGrid", "srt"}:
        assert [(t.start_s, t.end_s) for t in found.turns] == [(1.0, 2.5), (2.0, 4.0)]
        assert found.turns[0].text == "Hello, you."
