"""Forced alignment of English to words and phones with pocketsphinx, whose acoustic model comes with the package.

Hidden Markov models of three states per phone over 10 ms frames. The search is tried with narrow beams first and with
wider ones when it fails or ends badly; what it then says is compared with an anti-text before the transcript is blamed.
"""

import functools
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.alignment import g2p
from ml.alignment.aligner import NotAligned, Piece, Placed
from ml.alignment.pronunciation import pronounce
from ml.alignment.spoken import spoken
from ml.alignment.trimming import trim
from ml.alignment.types import Phone, Word
from ml.pinned import POCKETSPHINX, verify

#: The caller cuts longer speech into pieces: the time and memory of a search grow with its length.
MAX_ALIGN_S = 90.0
#: More words per second of sound than anybody says.
MAX_WORDS_PER_S = 10.0
#: Beams for HMM states, word ends and phones. With the package's defaults words vanish.
_BEAMS = ((1e-80, 1e-60, 1e-80), (1e-200, 1e-180, 1e-200))
#: Score per 10 ms frame over the words (log, the model's own scale). Read and spontaneous speech with its own text
#: scores -8 to -33, in noise or reverberation down to -45; with somebody else's text -36 to -90.
CERTAIN, HOPELESS = -33.0, -50.0
#: Between those two: how much better than the anti-text the text must be, and how much more for each unit of score
#: that is missing. Its own text is 15 to 70 better, somebody else's -20 to 20, seldom 30.
MIN_LEAD, LEAD_PER_SCORE = 16.0, 1.5
#: A frame's features look at 25.6 ms of sound from the frame's start on; a boundary between two frames is where the
#: middles of both are equally far.
FRAME_S, MIDDLE_S = 0.01, 0.0078

#: Each phone and one that sounds little like it: the other manner and place for consonants, the other height and
#: backness for vowels.
_ANTI = {
    "IY": "AO", "IH": "OW", "EH": "UW", "AE": "UW", "AA": "IY", "AO": "IY", "OW": "IH", "UH": "AE", "UW": "AE",
    "AH": "IY", "ER": "AE", "EY": "UW", "AY": "UW", "OY": "AE", "AW": "IY", "P": "Z", "B": "S", "T": "M", "D": "SH",
    "K": "N", "G": "S", "CH": "M", "JH": "M", "F": "N", "V": "K", "TH": "L", "DH": "K", "S": "M", "Z": "P", "SH": "N",
    "ZH": "P", "HH": "M", "M": "S", "N": "SH", "NG": "S", "L": "S", "R": "S", "Y": "S", "W": "S",
}  # fmt: skip

#: The decoders are not thread-safe, and a worker's preload runs beside its first task.
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Found:
    """A dictionary word where the search put it: frames, acoustic score of all of them, its phones."""

    start: int
    frames: int
    score: int
    phones: tuple[Phone, ...]

    @property
    def mean(self) -> float:
        return self.score / max(1, self.frames)


@functools.cache
def _decoder(beams: tuple[float, float, float]) -> Any:
    from pocketsphinx import Decoder

    verify(POCKETSPHINX)
    beam, word_beam, phone_beam = beams
    # Mean normalisation over the piece, so that a result does not depend on what was aligned before.
    return Decoder(lm=None, loglevel="FATAL", cmn="batch", bestpath=False, beam=beam, wbeam=word_beam, pbeam=phone_beam)


def preload() -> None:
    """Load the models now instead of at the first recording."""
    with _lock:
        _decoder(_BEAMS[0])
    g2p.preload()


def align(pieces: Sequence[Piece]) -> list[Placed | NotAligned]:
    """Place the words of each piece."""
    return [_align(piece) for piece in pieces]


def _align(piece: Piece) -> Placed | NotAligned:
    """Times are trimmed to the sound; `Word.confidence` and `fit` are exp(score per frame / 30)."""
    if len(piece.samples) > MAX_ALIGN_S * 16_000:
        return NotAligned("the piece is too long for one search")
    with _lock:
        lookup = _decoder(_BEAMS[0]).lookup_word
        said = [_pronounceable(word, lookup) for word in piece.words]
        flat = [part for parts in said for part in parts]
        if not flat or len(piece.samples) < 1600:
            return NotAligned("nothing to align")
        if len(flat) > MAX_WORDS_PER_S * len(piece.samples) / 16_000:
            return NotAligned("there are more words than can be said in the time")
        found = _search_and_judge(piece.samples, flat)
    if isinstance(found, NotAligned):
        return found
    words, phones, scores = [], [], []
    position = 0
    for written, parts in zip(piece.words, said, strict=True):
        own = found[position : position + len(parts)]
        position += len(parts)
        if own:
            mean = sum(part.score for part in own) / max(1, sum(part.frames for part in own))
            words.append(Word(written, _time(own[0].start), _time(own[-1].start + own[-1].frames), _likeness(mean)))
            phones.append([phone for part in own for phone in part.phones])
            scores.append(mean)
    words, phones = trim(piece.samples, words, phones)
    duration_s = len(piece.samples) / 16_000
    return Placed(
        tuple(replace(w, end_s=min(w.end_s, duration_s)) for w in words),
        tuple(_with_silence([p for own in phones for p in own], duration_s)),
        fit=_likeness(_mean(found)),
    )


def _search_and_judge(samples: NDArray[np.float32], words: list[str]) -> list[_Found] | NotAligned:
    pcm = (np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes()
    found: list[_Found] | None = None
    for beams in _BEAMS:
        decoder = _decoder(beams)
        _teach(decoder, words)
        wider = _search(decoder, pcm, words)
        if wider is not None and (found is None or _mean(wider) > _mean(found)):
            found = wider
        if found is not None and _mean(found) >= CERTAIN:
            return found
    if found is None:
        return NotAligned("the words do not fit into the audio")
    score = _mean(found)
    if score >= HOPELESS:
        against = _anti_score(_decoder(_BEAMS[-1]), pcm, words)
        if against is not None and score - against >= MIN_LEAD + LEAD_PER_SCORE * (CERTAIN - score):
            return found
    return NotAligned("the audio does not sound like the text")


def _anti_score(decoder: Any, pcm: bytes, words: list[str]) -> float | None:
    """What a text of as many phones, each far from the right one, scores: little worse than a wrong text does.

    None when it does not fit into the audio at all. Noise and reverberation lower both alike. Anti-models for
    verifying utterances: Rahim, Lee and Juang 1997.
    """
    against = []
    for word in words:
        phones = decoder.lookup_word(word).split()
        name = "anti-" + "-".join(phones).lower()
        if decoder.lookup_word(name) is None:
            decoder.add_word(name, " ".join(_ANTI[phone] for phone in phones), True)
        against.append(name)
    found = _search(decoder, pcm, against)
    return _mean(found) if found else None


def _pronounceable(word: str, lookup: Any) -> list[str]:
    parts = spoken(word, lambda part: lookup(part) is not None)
    return [part for part in parts if lookup(part) is not None or pronounce(part, lookup)]


def _teach(decoder: Any, words: Sequence[str]) -> None:
    for word in set(words):
        if decoder.lookup_word(word) is None:
            decoder.add_word(word, pronounce(word, decoder.lookup_word), True)


def _search(decoder: Any, pcm: bytes, words: Sequence[str]) -> list[_Found] | None:
    try:
        decoder.set_align_text(" ".join(words))
        _decode(decoder, pcm)
        if decoder.hyp() is None:
            return None
        # The second pass goes down to phones.
        decoder.set_alignment()
        _decode(decoder, pcm)
        # The object must stay alive while it is read: its items point into it.
        alignment = decoder.get_alignment()
    except RuntimeError:
        # Its way to say that the search did not reach the end of the text.
        return None
    if alignment is None:
        return None
    found = []
    for word in alignment:
        if not word.name.startswith(("<", "[", "+")):
            phones = tuple(Phone(p.name, _time(p.start), _time(p.start + p.duration)) for p in word)
            found.append(_Found(word.start, word.duration, word.score, phones))
    return found if len(found) == len(words) else None


def _decode(decoder: Any, pcm: bytes) -> None:
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()


def _mean(found: Sequence[_Found]) -> float:
    return sum(word.score for word in found) / max(1, sum(word.frames for word in found))


def _likeness(mean: float) -> float:
    return round(min(1.0, math.exp(mean / 30)), 3)


def _time(frame: int) -> float:
    return round(frame * FRAME_S + MIDDLE_S, 4) if frame else 0.0


def _with_silence(phones: Sequence[Phone], duration_s: float) -> list[Phone]:
    """The phones and "SIL" wherever there is none, so that they cover the piece."""
    covered: list[Phone] = []
    at = 0.0
    for phone in phones:
        if phone.start_s > at + 1e-3:
            covered.append(Phone("SIL", at, phone.start_s))
        at = min(phone.end_s, duration_s)
        covered.append(replace(phone, end_s=at))
    if duration_s > at + 1e-3:
        covered.append(Phone("SIL", at, duration_s))
    return covered
