"""From Whisper's attention to times, and from its tokens to words."""

from pathlib import Path

import numpy as np
import pytest
from transformers import WhisperTokenizer

from ml.transcription.token_times import token_times, words_of
from tests.unit.whisper_models import save_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> WhisperTokenizer:
    return save_tokenizer(tmp_path_factory.mktemp("tokenizer"), ("en", "ko"))


def looking(begins: list[int], positions: int, heads: int = 2) -> np.ndarray:
    """Attention of heads that look at each token from where it begins to where the next does, with some noise."""
    rng = np.random.default_rng(1)
    weights = rng.uniform(0, 0.02, (heads, len(begins), positions)).astype(np.float32)
    for row, (first, last) in enumerate(zip(begins, [*begins[1:], positions], strict=True)):
        weights[:, row, first:last] += 1.0
    return weights / weights.sum(axis=-1, keepdims=True)


def test_a_token_begins_where_the_decoder_begins_to_look() -> None:
    begins = [0, 12, 30, 31 + 9, 70, 95]
    found = token_times(looking(begins, 100), 7)
    assert np.abs(found - begins).max() <= 3, "the filter blurs by half its width"


def test_times_never_go_back_however_the_heads_wander() -> None:
    weights = np.random.default_rng(2).uniform(size=(3, 12, 50)).astype(np.float32)
    found = token_times(weights, 7)
    assert len(found) == 12 and found[0] == 0
    assert (np.diff(found) >= 0).all() and found[-1] < 50


@pytest.mark.parametrize("positions", [1, 3, 7])
def test_a_sound_shorter_than_the_filter_has_times_too(positions: int) -> None:
    found = token_times(np.full((1, 4, positions), 0.5, np.float32), 7)
    assert found.shape == (4,) and np.isfinite(found).all()


def test_words_begin_with_a_blank_and_keep_their_punctuation(tokenizer: WhisperTokenizer) -> None:
    tokens = tokenizer.encode(" oh, don't! yes", add_special_tokens=False)
    words = words_of(tokenizer, tokens, "en")

    assert [text for text, _, _ in words] == [" oh,", " don't!", " yes"]
    assert words[-1][1:] == (len(tokens) - 1, len(tokens)), "one merged token"
    assert [first for _, first, _ in words[1:]] == [end for _, _, end in words[:-1]]


def test_letters_of_several_tokens_are_put_together(tokenizer: WhisperTokenizer) -> None:
    tokens = tokenizer.encode(" 안녕 zażółć", add_special_tokens=False)

    assert len(tokens) > 12, "three bytes for each Hangul block"
    assert [text for text, _, _ in words_of(tokenizer, tokens, "ko")] == [" 안녕", " zażółć"]


def test_languages_without_blanks_are_timed_letter_by_letter(tokenizer: WhisperTokenizer) -> None:
    tokens = tokenizer.encode("你好吗", add_special_tokens=False)
    assert [text for text, _, _ in words_of(tokenizer, tokens, "zh")] == ["你", "好", "吗"]
    assert [text for text, _, _ in words_of(tokenizer, tokens, "ko")] == ["你好吗"]


def test_a_text_that_breaks_off_inside_a_letter_loses_nothing_else(tokenizer: WhisperTokenizer, tmp_path: Path) -> None:
    tokens = tokenizer.encode(" yes 안", add_special_tokens=False)[:-1]
    words = words_of(tokenizer, tokens, "en")
    assert words[0][0] == " yes"
    assert words[-1][2] == len(tokens)
