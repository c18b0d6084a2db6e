"""Forced alignment of English to words and phones with pocketsphinx, whose acoustic model comes with the package."""

import functools
import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.alignment import pronunciation
from ml.alignment.aligner import NotAligned, Piece, Placed
from ml.alignment.types import Phone, Word

#: Acoustic score per 10 ms frame (log, the model's own scale). Read and spontaneous speech with its own text scores
#: -10 to -25, with somebody else's text -40 to -70, if the search ends at all. Over many words chance evens out and
#: hesitations add up, so long audio is given more room.
MISMATCH_SCORE = {"short": -33.0, "long": -45.0}
#: Texts beyond this are too long for one search.
MAX_ALIGN_S = 240.0
#: With the default beams words vanish or the search fails. Long audio needs wider ones.
_BEAMS = {"short": (1e-80, 1e-60, 1e-80), "long": (1e-200, 1e-180, 1e-200)}
_LONG_S = 20.0

#: The decoders are not thread-safe, and a worker's preload runs beside its first task.
_lock = threading.Lock()


@functools.cache
def _decoder(kind: str) -> Any:
    from pocketsphinx import Decoder

    beam, word_beam, phone_beam = _BEAMS[kind]
    return Decoder(lm=None, loglevel="FATAL", bestpath=False, beam=beam, wbeam=word_beam, pbeam=phone_beam)


def preload() -> None:
    """Load the acoustic model now instead of at the first recording."""
    with _lock:
        _decoder("short")


def align(pieces: Sequence[Piece]) -> list[Placed | NotAligned]:
    """Place the words of each piece."""
    found: list[Placed | NotAligned] = []
    for piece in pieces:
        try:
            words, phones = force_align(piece.samples, piece.words)
        except NotAligned as exc:
            found.append(exc)
        else:
            found.append(Placed(tuple(words), tuple(phones)))
    return found


def force_align(samples: NDArray[np.float32], words: Sequence[str]) -> tuple[list[Word], list[Phone]]:
    """Times of `words` (as written) in [n] samples at 16 kHz, from the start of the samples, and of their phones.

    `Word.confidence` is exp(score per frame / 30). Raises `NotAligned` when the text is not what is said.
    """
    said = [pronunciation.spoken(word) for word in words]
    flat = [part for parts in said for part in parts]
    if not flat or len(samples) < 1600:
        raise NotAligned("nothing to align")
    duration_s = len(samples) / 16_000
    if duration_s > MAX_ALIGN_S:
        raise NotAligned("the audio is too long for one search")
    kind = "long" if duration_s > _LONG_S else "short"
    with _lock:
        pieces, phones = _search(_decoder(kind), samples, flat)
    if len(pieces) != len(flat):
        raise NotAligned("words were lost in the search")
    frames = sum(count for _, _, _, count in pieces)
    if sum(score for _, _, score, _ in pieces) / max(1, frames) < MISMATCH_SCORE[kind]:
        raise NotAligned("the audio does not sound like the text")
    result, position = [], 0
    for word, parts in zip(words, said, strict=True):
        own = pieces[position : position + len(parts)]
        position += len(parts)
        if own:
            score = sum(piece[2] for piece in own) / max(1, sum(piece[3] for piece in own))
            result.append(Word(word, own[0][0], own[-1][1], round(min(1.0, math.exp(score / 30)), 3)))
    return result, phones


def _search(
    decoder: Any, samples: NDArray[np.float32], words: list[str]
) -> tuple[list[tuple[float, float, int, int]], list[Phone]]:
    for word in set(words):
        if decoder.lookup_word(word) is None:
            decoder.add_word(word, pronunciation.phones(word), True)
    pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes()
    try:
        decoder.set_align_text(" ".join(words))
        _decode(decoder, pcm)
        if decoder.hyp() is None:
            raise NotAligned("the search did not reach the end of the text")
        # The second pass goes down to phones.
        decoder.set_alignment()
        _decode(decoder, pcm)
        # The object must stay alive while it is read: its items point into it.
        alignment = decoder.get_alignment()
    except RuntimeError as exc:
        raise NotAligned(str(exc)) from exc
    if alignment is None:
        raise NotAligned("the search did not reach the end of the text")
    pieces: list[tuple[float, float, int, int]] = []
    phones: list[Phone] = []
    for word in alignment:
        if not word.name.startswith(("<", "[", "+")):
            pieces.append((word.start / 100, (word.start + word.duration) / 100, word.score, word.duration))
        for phone in word:
            phones.append(Phone(phone.name, phone.start / 100, (phone.start + phone.duration) / 100))
    return pieces, phones


def _decode(decoder: Any, pcm: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()
