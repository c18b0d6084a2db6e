"""Written words as they are spoken, and pronunciations of words that no dictionary has."""

from pathlib import Path

import pytest

from ml.alignment import g2p
from ml.alignment.g2p import letters_to_phones
from ml.alignment.pronunciation import pronounce
from ml.alignment.spoken import spoken
from ml.alignment.tokens import excerpt, scan, tokens
from ml.pinned import WeightsChanged

KNOWN = {"nasa", "e.g.", "u.s.", "it's", "kids", "doctor", "ad-lib", "cafe", "o'clock", "smith", "mp", "us"}


def say(token: str) -> str:
    return " ".join(spoken(token, KNOWN.__contains__))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("42", "forty two"),
        ("1,000,000", "one million"),
        ("1987", "nineteen eighty seven"),
        ("1990s", "nineteen nineties"),
        ("21st", "twenty first"),
        ("3.14", "three point one four"),
        ("$5.50", "five dollars fifty"),
        ("£1,200", "one thousand two hundred pounds"),
        ("€1", "one euro"),
        ("50%", "fifty percent"),
        ("3:05", "three oh five"),
        ("10:00", "ten o'clock"),
        ("555-1234", "five five five one two three four"),
        ("0800123", "zero eight zero zero one two three"),
        ("007", "zero zero seven"),
        ("9" * 60, " ".join(["nine"] * 60)),
    ],
)
def test_numbers_are_read_out(written: str, said: str) -> None:
    assert say(written) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("&", "and"),
        ("AT&T", "a t and t"),
        ("B2B", "b two b"),
        ("NASA", "nasa"),
        ("XKQ", "x k q"),
        ("U.S", "u.s."),
        ("e.g", "e.g."),
        ("Dr", "doctor"),
        ("a@b", "a at b"),
        ("it’s", "it's"),
        ("Café", "cafe"),
        ("ad-lib", "ad-lib"),
        ("blue-green", "blue green"),
        ("Łódź", "lodz"),
        ("한국어", ""),
        ("x" * 1000, ""),
    ],
)
def test_signs_initials_and_hyphens_are_read_out(written: str, said: str) -> None:
    assert say(written) == said


def test_a_text_is_cut_into_words_with_what_belongs_to_them() -> None:
    text = "“Don't” pay $5.50 — or 50% — to R&B, U.S. twenty-one; [laughter] and/or & <unk> 9:30…"
    assert tokens(text) == [
        "Don't", "pay", "$5.50", "or", "50%", "to", "R&B", "U.S", "twenty-one", "and", "or", "&", "9:30"
    ]  # fmt: skip


def test_words_of_scripts_with_vowel_signs_stay_whole() -> None:
    assert tokens("नमस्ते दुनिया, 데이터.") == ["नमस्ते", "दुनिया", "데이터"]


def test_sentences_end_at_marks_but_not_within_numbers() -> None:
    words = scan('It cost 3.50. "Really?" Yes! well')
    assert [word.text for word in words if word.ends_sentence] == ["3.50", "Really", "Yes", "well"]


def test_excerpts_keep_punctuation_and_cover_the_text_once() -> None:
    text = "Well, (yes) — “no”! And then?"
    words = scan(text)
    parts = [excerpt(text, words, i, i + 1) for i in range(len(words))]
    assert parts[0] == "Well," and parts[-1] == "then?"
    assert " ".join(parts).split() == text.split()


def test_unknown_words_are_pronounced_by_their_letters() -> None:
    assert letters_to_phones("brzezinski") == ["B", "R", "IH", "Z", "IH", "N", "S", "K", "IY"]
    assert letters_to_phones("123") == []


def test_a_possessive_is_its_stem_and_the_right_ending() -> None:
    known = {"smith": "S M IH TH", "fox": "F AA K S", "zog": "Z AA G"}
    assert pronounce("smith's", known.get) == "S M IH TH S"
    assert pronounce("fox's", known.get) == "F AA K S IH Z"
    assert pronounce("zogs", known.get) == "Z AA G Z"


def test_other_weights_than_those_tested_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "g2p_en"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "checkpoint20.npz").write_bytes(b"other")
    monkeypatch.syspath_prepend(str(tmp_path))
    g2p._network.cache_clear()
    try:
        with pytest.raises(WeightsChanged, match="not what this was tested with"):
            letters_to_phones("word")
    finally:
        g2p._network.cache_clear()
