"""Silence cut out of words."""

import numpy as np

from ml.alignment.trimming import trim
from ml.alignment.types import Phone, Word

RATE = 16_000


def sound(*parts: tuple[float, float]) -> np.ndarray:
    """Noise of (seconds, level) in a row, over a faint floor."""
    rng = np.random.default_rng(0)
    return np.concatenate([rng.standard_normal(int(s * RATE)) * (level + 1e-4) for s, level in parts]).astype(
        np.float32
    )


def one(start: float, end: float) -> tuple[list[Word], list[list[Phone]]]:
    middle = (start + end) / 2
    return [Word("w", start, end)], [[Phone("W", start, middle), Phone("ER", middle, end)]]


def test_a_word_that_swallowed_silence_is_cut_to_its_sound() -> None:
    words, phones = trim(sound((0.5, 0), (0.6, 0.1), (0.5, 0)), *one(0.3, 1.3))
    assert abs(words[0].start_s - 0.5) < 0.02 and abs(words[0].end_s - 1.1) < 0.02
    assert phones[0][0].start_s == words[0].start_s and phones[0][-1].end_s == words[0].end_s


def test_an_edge_phone_keeps_some_of_its_time() -> None:
    words, _ = trim(sound((1.0, 0), (0.5, 0.1)), *one(0.0, 1.4))
    assert words[0].start_s <= 0.7


def test_a_pause_between_two_words_is_taken_from_both() -> None:
    words = [Word("a", 0.2, 0.8), Word("b", 0.8, 1.4)]
    phones = [[Phone("AH", 0.2, 0.8)], [Phone("B", 0.8, 1.4)]]
    trimmed, _ = trim(sound((0.2, 0), (0.4, 0.1), (0.3, 0), (0.5, 0.1), (0.2, 0)), words, phones)
    assert abs(trimmed[0].end_s - 0.6) < 0.03 and abs(trimmed[1].start_s - 0.9) < 0.03


def test_the_closure_of_a_stop_between_two_words_stays() -> None:
    words = [Word("a", 0.2, 0.6), Word("b", 0.6, 1.2)]
    phones = [[Phone("AH", 0.2, 0.6)], [Phone("B", 0.6, 1.2)]]
    trimmed, _ = trim(sound((0.2, 0), (0.36, 0.1), (0.07, 0), (0.57, 0.1), (0.2, 0)), words, phones)
    assert trimmed[0].end_s == 0.6 and trimmed[1].start_s == 0.6


def test_where_noise_covers_the_pauses_nothing_is_cut() -> None:
    words, phones = one(0.3, 1.3)
    assert trim(sound((1.6, 0.1)), words, phones) == (words, phones)
