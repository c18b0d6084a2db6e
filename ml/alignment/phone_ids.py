"""Phone ids for model A's phone encoder: which of 128 classes each 20 ms frame of an utterance holds.

Makiuchi, Uto and Shinoda 2021 (ASRU), reference of the authors' data preparation: 0 silence, 1 unknown, 2 to 5 marks
in brackets, 6 to 127 phones by their position in the word (B first, I inside, E last, S alone). Which 122 of the
conceivable ones the authors met in IEMOCAP is not derivable; here they are those that English allows: vowels in four
positions, consonants in three, less those that no word has, and one for words without pronunciation.
"""

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ml.alignment.phones import CONSONANTS, VOWELS, by_word, folded
from ml.alignment.splitting import indices
from ml.alignment.tokens import ANNOTATION, scan
from ml.alignment.types import Phone, Utterance

SILENCE, UNKNOWN = 0, 1
#: Marks that transcripts write in brackets, with the ids of model A.
MARKS = {"LAUGHTER": 2, "BREATHING": 3, "GARBAGE": 4, "LIPSMACK": 5}
CLASSES = 128
FRAME_S = 0.02
#: Lax vowels end no word, but for the AE of "yeah"; NG begins none; HH, W and Y are glides into a vowel.
_NEVER = {"IH_E", "IH_S", "EH_E", "EH_S", "UH_E", "UH_S", "AE_S", "NG_B", "HH_E", "W_E", "Y_E"}


def _inventory() -> dict[str, int]:
    names = [f"{v}_{p}" for v in sorted(VOWELS) for p in "BIES"] + [
        f"{c}_{p}" for c in sorted(CONSONANTS) for p in "BIE"
    ]
    allowed = [name for name in names if name not in _NEVER]
    return {name: number for number, name in enumerate([*allowed, "OOV_S"], start=2 + len(MARKS))}


#: Ids of position-dependent phones, 6 to 127.
PHONE_IDS = _inventory()


def phone_id(label: str, position: str) -> int:
    """The id of an ARPAbet phone at "B", "I", "E" or "S"; where no word has it there, that of the same phone inside."""
    return PHONE_IDS.get(f"{label}_{position}", PHONE_IDS.get(f"{label}_I", UNKNOWN))


def phone_frames(utterance: Utterance, frames: int | None = None) -> NDArray[np.int64]:
    """Ids [frames] of the phone that fills most of each 20 ms frame from the utterance's start.

    `frames` is by default that of a log-mel spectrogram at 16 kHz with a hop of 320: floor(samples / 320) + 1. Between
    words it is silence, or the mark in brackets that the text has there; a word without phones is unknown.
    """
    length_s = utterance.end_s - utterance.start_s
    count = int(round(length_s * 16_000) // 320) + 1 if frames is None else frames
    per_frame = 20
    ids = np.full(count * per_frame, SILENCE, np.int64)
    for start, end, number in _spans(utterance):
        first, last = (round((at - utterance.start_s) * 1000) for at in (start, end))
        ids[max(0, first) : max(0, last)] = number
    held = np.zeros((count, CLASSES), np.int64)
    np.add.at(held, (np.arange(len(ids)) // per_frame, ids), 1)
    return np.asarray(held.argmax(axis=1), np.int64)


def _spans(utterance: Utterance) -> Iterator[tuple[float, float, int]]:
    words = utterance.words or ()
    phones = folded(utterance.phones or ())
    yield from _marks(utterance)
    if not words:
        if utterance.text and not phones:
            yield utterance.start_s, utterance.end_s, UNKNOWN
        for phone in phones:
            yield phone.start_s, phone.end_s, phone_id(phone.label, "I")
        return
    for word, own in zip(words, by_word(phones, [(w.start_s, w.end_s) for w in words]), strict=True):
        if not own:
            yield word.start_s, word.end_s, UNKNOWN
        yield from _of_word(own)


def _of_word(phones: list[Phone]) -> Iterator[tuple[float, float, int]]:
    last = len(phones) - 1
    for index, phone in enumerate(phones):
        position = "S" if not last else "B" if not index else "E" if index == last else "I"
        yield phone.start_s, phone.end_s, phone_id(phone.label, position)


def _marks(utterance: Utterance) -> Iterator[tuple[float, float, int]]:
    """Marks in the text fill the gap between the words they stand between."""
    text, words = utterance.text or "", utterance.words or ()
    places = indices(scan(text), words)
    if places is None:
        return
    written = scan(text)
    for match in re.finditer(ANNOTATION, text):
        number = MARKS.get(match.group()[1:-1].strip().upper())
        if number is None:
            continue
        before = [w for w, place in zip(words, places, strict=True) if written[place].end <= match.start()]
        after = [w for w, place in zip(words, places, strict=True) if written[place].start >= match.end()]
        start = before[-1].end_s if before else utterance.start_s
        end = after[0].start_s if after else utterance.end_s
        if end > start:
            yield start, end, number
