"""When Whisper's tokens are spoken: where the decoder looks in the sound while it writes them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Languages written without blanks between words: every letter, or token of whole letters, is timed by itself.
UNSPACED = frozenset({"zh", "ja", "th", "lo", "my", "km", "yue"})

_ONE_STEP = np.array([[1, 1], [0, 1], [1, 0]])


def token_times(weights: NDArray[np.float32], filter_width: int) -> NDArray[np.float64]:
    """Encoder positions at which each row begins, [tokens + 1], from attention [heads, tokens + 1, positions].

    Row i is the attention while token i is chosen; the last row, while the end is. As the authors of Whisper do:
    weights are standardised over the tokens, smoothed over time, averaged over the heads; dynamic time warping then
    finds the monotonic path that looks most at what is written.
    """
    from librosa.sequence import dtw
    from scipy.ndimage import median_filter

    own = weights / np.maximum(weights.sum(axis=-1, keepdims=True), 1e-12)
    spread = own.std(axis=1, keepdims=True)
    own = (own - own.mean(axis=1, keepdims=True)) / np.where(spread > 1e-9, spread, 1.0)
    smooth = median_filter(own, size=(1, 1, filter_width), mode="mirror") if own.shape[-1] > filter_width else own
    _, path = dtw(C=-smooth.mean(axis=0).astype(np.float64), step_sizes_sigma=_ONE_STEP)
    rows, positions = path[::-1].T
    begins: NDArray[np.float64] = positions[np.searchsorted(rows, np.arange(weights.shape[1]))].astype(np.float64)
    return begins


def words_of(tokenizer: Any, tokens: list[int], language: str) -> list[tuple[str, int, int]]:
    """Words as written (with their punctuation), each with the range [first, end) of its tokens.

    A token may hold a part of a letter: tokens are read together until they make whole letters.
    """
    words: list[tuple[str, int, int]] = []
    first = 0
    for index in range(len(tokens)):
        piece = tokenizer.decode(tokens[first : index + 1], skip_special_tokens=True)
        if piece.endswith("\ufffd") and index + 1 < len(tokens):
            continue
        if words and language not in UNSPACED and not piece.startswith(" "):
            before, begin, _ = words.pop()
            words.append((before + piece, begin, index + 1))
        else:
            words.append((piece, first, index + 1))
        first = index + 1
    return words
