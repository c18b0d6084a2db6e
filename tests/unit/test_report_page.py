"""The page of a report: what is on it, that nothing in it can run, and how it bears a long recording."""

import itertools
import re
import shlex
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.audio.decode import SAMPLE_RATE
from ops.drawing.sound import peaks_of
from ops.report.page import command, worded
from ops.report.strips import LEFT, drawn, strips_of
from tests.unit.report_pages import TARGET, Parsed, content, said, short_call, shown


def test_every_utterance_has_a_row_that_its_stripe_leads_to_and_that_leads_back() -> None:
    parsed = Parsed(shown(short_call()))

    for number in range(3):
        assert parsed.ids().count(f"u{number}") == parsed.ids().count(f"b{number}") == 1
        assert {f"#u{number}", f"#b{number}"} <= set(parsed.links())
    assert {link.removeprefix("#") for link in parsed.links()} <= set(parsed.ids()), "every link leads somewhere"
    assert len(parsed.ids()) == len(set(parsed.ids()))


def test_what_was_said_is_text_and_never_a_part_of_the_page() -> None:
    html = shown(short_call())
    parsed = Parsed(html)

    assert "<script>window.hacked = 1</script> & so on" in parsed.text
    assert '"><img src=x onerror="window.hacked = 2">' in parsed.text
    assert "Ms <b>Tanaka</b>" in parsed.text
    assert not {"script", "img", "b", "link", "iframe", "object", "base"} & parsed.tags()
    assert not [name for _, attributes in parsed.elements for name in attributes if name.startswith(("on", "style"))]


def test_a_browser_may_fetch_nothing_and_run_nothing() -> None:
    html = shown(short_call())
    (policy,) = [a["content"] for t, a in Parsed(html).elements if a.get("http-equiv") == "Content-Security-Policy"]

    assert policy is not None and policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy and "script-src" not in policy
    assert not re.search(r"(src|href)=\"(?!#)|url\(|@import", html)


def test_the_time_of_a_word_stands_at_the_word_and_punctuation_stays() -> None:
    first = short_call().utterances[0]

    pieces = [(text, word and word.start_s) for text, word in worded(first)]

    assert pieces == [("Good", 0.5), (" ", None), ("morning", 0.8), ("!", None)]
    assert '<span title="0:00.5–0:00.8">Good</span>' in shown(short_call())


def test_words_that_the_text_does_not_hold_leave_it_whole() -> None:
    (two,) = content(said(0, "A", 0, 1, "2 kinds"), duration_s=1).utterances
    odd = replace(two, words=(*short_call().utterances[0].words,))

    assert "".join(text for text, _ in worded(odd)) == "2 kinds"
    assert list(worded(replace(odd, text="İstanbul"))) == [("İstanbul", None)], "whose small letters are more"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("may/one.wav", "recording = 'may/one.wav' order"),
        ("it's.wav", "recording = 'it''s.wav' order"),
        ('$(touch x) "`!.wav', "recording = '$(touch x) \"`!.wav' order"),
    ],
)
def test_the_command_for_the_same_rows_can_be_typed_whatever_the_file_is_called(path: str, query: str) -> None:
    words = shlex.split(command(replace(TARGET, path=path)))

    assert words[:2] == ["tenor", "sql"] and len(words) == 3 and query in words[2]


def test_labels_by_people_stand_beside_the_emotion() -> None:
    html = shown(short_call())

    assert '<span class="soft">anna</span>' in html and "People heard" in html
    assert "on 1 utterance, of which 0 have the model's emotion" in html


def test_without_text_there_is_no_column_for_it_and_the_page_says_why() -> None:
    silent = content(said(0, "A", 0, 1), said(1, "B", 1, 2), duration_s=2, textless=True)
    html = shown(silent)

    assert "This analysis stores no text." in html
    assert '<th scope="col">Said</th>' not in html
    assert html.count("<tr id=") == 2


def test_without_sound_the_page_says_why_and_goes_on() -> None:
    html = shown(short_call(), sound=False, silent="the file is gone")

    assert "There is no waveform: the file is gone." in html
    assert 'class="wave"' not in html and html.count("<tr id=") == 3
    assert 'class="wave"' in shown(short_call())


def test_an_utterance_that_was_not_scored_is_shown_without_an_emotion() -> None:
    plain = replace(said(0, "A", 0, 1, "yes", sides={}), label=None, confidence=None)

    html = shown(content(plain, duration_s=1))

    assert "not scored" in html and html.count("<tr id=") == 1


def test_a_recording_in_which_nobody_speaks_has_a_page() -> None:
    assert "No utterance begins here." in shown(content(duration_s=5))


@pytest.mark.parametrize("duration_s", [0.1, 10.0, 89.9, 90.1, 899.0, 3600.0, 43_200.0])
def test_strips_cover_the_recording_and_leave_single_utterances_to_be_seen(duration_s: float) -> None:
    lines = strips_of(duration_s)

    assert lines[0].start_s == 0 and lines[-1].end_s == pytest.approx(duration_s)
    assert all(a.end_s == b.start_s for a, b in itertools.pairwise(lines))
    assert max(line.full_s for line in lines) <= 300 and len(lines) <= 144


def test_an_utterance_over_the_end_of_a_strip_is_drawn_in_both_and_listed_in_the_first() -> None:
    across = content(said(0, "A", 58.0, 62.0, "so"), duration_s=120)

    first, second = drawn(across, strips_of(120), None)

    assert [len(strip.rows) for strip in (first, second)] == [1, 0]
    assert [strip.lanes[0].bands[0].first for strip in (first, second)] == [True, False]
    assert second.lanes[0].bands[0].x == LEFT


def test_columns_stand_as_high_as_their_probabilities() -> None:
    (strip,) = drawn(content(said(0, "A", 0, 10), duration_s=10), strips_of(10), None)
    (lane,) = strip.lanes

    heights = {emotion: float(re.findall(r"v-([\d.]+)h", path)[0]) for emotion, path in lane.stacks["fused"].items()}

    assert heights["angry"] == pytest.approx(0.7 * (lane.bottom - lane.stack_y), abs=0.1)
    assert sum(heights.values()) == pytest.approx(lane.bottom - lane.stack_y, abs=0.5)


def test_three_hours_have_an_overview_that_leads_to_every_part_and_stay_small() -> None:
    many = [said(n, f"speaker {n % 3}", 3.6 * n, 3.6 * n + 3, "so it is " * 5) for n in range(3000)]
    html = shown(content(*many, duration_s=10_800))
    parsed = Parsed(html)

    assert {f"#at{part}" for part in range(36)} <= set(parsed.links()) and "at36" not in parsed.ids()
    assert html.count("<tr id=") == 3000
    assert len(html) < 8_000_000


def test_peaks_of_a_long_recording_take_no_memory_but_for_one_block() -> None:
    def blocks() -> Iterator[NDArray[np.float32]]:
        for second in range(1800):
            yield np.full((2, SAMPLE_RATE), second / 1800, dtype=np.float32)

    tracemalloc.start()
    try:
        peaks = peaks_of(blocks(), 1800 / 500, 500)
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert held < 2_000_000, "the samples are 230 MB"
    assert (np.diff(peaks[1]) > 0).all() and not peaks[0].any()


def test_peaks_are_those_of_the_loudest_channel_and_what_is_missing_is_flat() -> None:
    left, right = np.zeros(SAMPLE_RATE, np.float32), np.zeros(SAMPLE_RATE, np.float32)
    left[100], right[100], right[9000] = 0.5, -0.5, -0.25

    whole = peaks_of([np.stack([left, right])], 0.25, 8)
    parts = peaks_of(np.array_split(np.stack([left, right]), [1, 777, 9001], axis=1), 0.25, 8)

    assert whole.tolist() == [[-0.5, 0, -0.25, 0, 0, 0, 0, 0], [0.5, 0, 0, 0, 0, 0, 0, 0]]
    assert (whole == parts).all()
