"""Syllables, phone labels and phone ids."""

import numpy as np
import pytest

from ml.alignment.phone_ids import CLASSES, MARKS, PHONE_IDS, SILENCE, UNKNOWN, phone_frames, phone_id
from ml.alignment.phones import arpabet, folded
from ml.alignment.syllables import english_syllables, syllabified
from ml.alignment.types import Phone, Syllable, Utterance, Word


def row(labels: str, start: float = 0.0, step: float = 0.1) -> list[Phone]:
    return [
        Phone(p, round(start + i * step, 3), round(start + (i + 1) * step, 3)) for i, p in enumerate(labels.split())
    ]


def utterance(text: str, labels: list[str], **changes: object) -> Utterance:
    """Words of one string of phones each, 0.1 s a phone, from 0.1 s on."""
    words, phones, at = [], [], 0.1
    for word, own in zip(text.split(), labels, strict=True):
        phones += row(own, at)
        words.append(Word(word, at, phones[-1].end_s))
        at = phones[-1].end_s
    given = {"words": tuple(words), "phones": tuple(phones), "text": text, "language": "en", **changes}
    return Utterance(0, "s", 0.0, at + 0.1, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("phones", "syllables"),
    [
        ("EH K S T R AH", "EH-K S-T-R-AH"),
        ("S IH NG ER", "S-IH-NG ER"),
        ("AE TH L IY T", "AE-TH L-IY-T"),
        ("HH AE P IY", "HH-AE P-IY"),
        ("AH T L AE N T IH K", "AH-T L-AE-N T-IH-K"),
        ("S T R EH NG K TH S", "S-T-R-EH-NG-K-TH-S"),
        ("HH M", "HH-M"),
    ],
)
def test_as_many_consonants_as_english_allows_begin_a_syllable(phones: str, syllables: str) -> None:
    own = row(phones)
    found = english_syllables([Word("w", 0.0, own[-1].end_s)], own)
    assert found is not None and " ".join(s.label for s in found) == syllables
    assert found[0].start_s == 0.0 and found[-1].end_s == own[-1].end_s


def test_syllables_do_not_cross_words() -> None:
    found = syllabified(utterance("an aim", ["AE N", "EY M"])).syllables
    assert found is not None and [s.label for s in found] == ["AE-N", "EY-M"]


def test_other_languages_and_unknown_phones_have_no_syllables() -> None:
    assert syllabified(utterance("tak", ["T AA K"], language="pl")).syllables is None
    assert syllabified(utterance("tak", ["T ʘ K"])).syllables is None
    given = (Syllable("한", 0.0, 0.2),)
    assert syllabified(utterance("한", ["HH"], language="ko", syllables=given)).syllables == given


@pytest.mark.parametrize(
    ("label", "phone"),
    [("AH0", "AH"), ("IY1_B", "IY"), ("aa", "AA"), ("ix", "IH"), ("axr", "ER"), ("hv", "HH"), ("tʃ", "CH"),
     ("ɑː", "AA"), ("t͡ʃ", "CH"), ("eɪ", "EY"), ("ˈɛ", "EH"), ("ʘ", None), ("SIL", None)],
)  # fmt: skip
def test_labels_of_any_aligner_are_read(label: str, phone: str | None) -> None:
    assert arpabet(label) == phone


def test_timits_closures_join_their_stops() -> None:
    found = folded(row("h# kcl k ae tcl pcl p q h#"))
    assert [(p.label, p.start_s, p.end_s) for p in found] == [
        ("K", 0.1, 0.3), ("AE", 0.3, 0.4), ("T", 0.4, 0.5), ("P", 0.5, 0.7)
    ]  # fmt: skip


def test_the_inventory_has_128_classes() -> None:
    numbers = {SILENCE, UNKNOWN, *MARKS.values(), *PHONE_IDS.values()}
    assert numbers == set(range(CLASSES))


def test_frames_hold_the_phone_that_fills_most_of_them() -> None:
    frames = phone_frames(utterance("an a", ["AE N", "AH"]))
    assert len(frames) == 26  # 0.5 s: 8000 samples // 320 + 1
    assert (frames[:5] == SILENCE).all() and (frames[-6:] == SILENCE).all()
    assert (frames[5:10] == phone_id("AE", "B")).all() and (frames[10:15] == phone_id("N", "E")).all()
    assert (frames[15:20] == phone_id("AH", "S")).all()
    shifted = Utterance(0, "s", 0.0, 0.1, words=(Word("a", 0.009, 0.1),), phones=(Phone("AH", 0.009, 0.1),))
    assert phone_frames(shifted)[0] == phone_id("AH", "S")


def test_frames_can_be_forced_to_a_count() -> None:
    assert phone_frames(utterance("a", ["AH"]), frames=7).shape == (7,)
    assert phone_frames(utterance("a", ["AH"])).dtype == np.int64


def test_words_without_phones_and_text_without_words_are_unknown() -> None:
    assert (phone_frames(utterance("a", ["AH"], phones=None))[5:10] == UNKNOWN).all()
    assert (phone_frames(Utterance(0, "s", 0.0, 0.1, text="tak"))[:5] == UNKNOWN).all()
    assert (phone_frames(Utterance(0, "s", 0.0, 0.1)) == SILENCE).all()


def test_a_mark_in_brackets_fills_the_gap_it_stands_in() -> None:
    said = Utterance(
        0, "s", 0.0, 0.4, text="a [laughter] a",
        words=(Word("a", 0.0, 0.1), Word("a", 0.3, 0.4)), phones=(Phone("AH", 0.0, 0.1), Phone("AH", 0.3, 0.4)),
    )  # fmt: skip
    frames = phone_frames(said)
    assert (frames[5:15] == MARKS["LAUGHTER"]).all() and (frames[:5] == phone_id("AH", "S")).all()


def test_a_phone_where_no_word_has_it_is_taken_as_inside() -> None:
    assert phone_id("NG", "B") == phone_id("NG", "I") and phone_id("M", "S") == phone_id("M", "I")
