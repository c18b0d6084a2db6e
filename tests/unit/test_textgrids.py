"""TextGrids of Praat and ELAN: what becomes of their intervals, speakers and mistakes."""

from pathlib import Path

import pytest

from ml.transcripts import TranscriptUnreadable
from tests.unit.reading import read, rows

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
