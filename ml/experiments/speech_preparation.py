"""Features of labelled speech, made once: hidden states, mel spectrogram, phones, voices."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.alignment.aligner import NotAligned, Piece
from ml.alignment.phone_ids import UNKNOWN
from ml.alignment.registry import find_aligner
from ml.alignment.speakers import embed_utterances
from ml.alignment.tokens import tokens
from ml.alignment.types import Utterance
from ml.corpora.manifest import Manifest
from ml.corpora.sound import RecordingUnusable, waveform
from ml.corpora.types import LabelledUtterance
from ml.encoders.framing import FIELD
from ml.experiments.dataset import DataUnsuitable, labels_of
from ml.experiments.encoders import content_hash, hidden_states, speech_encoder
from ml.features.speaker import UTTERANCES_PER_SPEAKER, speaker_vector
from ml.features.targets import targets
from ml.training.cache import Shelf
from ml.training.features import MEL, PHONES, STATES, CachePlace, FeatureMissing, SpeechSet

#: Raised when what these features are changes.
MEL_SHELF, PHONE_SHELF, VOICE_SHELF = "mel-1", "phones-pocketsphinx-1", "voices-1"
VOICE = "voice"
ALIGNER = "pocketsphinx"

#: Told what is prepared, how many items are done, and of how many.
Counted = Callable[[str, int, int], None]


def digest(*parts: object) -> str:
    """A key of the cache that says all that a feature depends on."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class LiveStates:
    """Computes the hidden states of an item from its audio; what folds take that find none in the cache."""

    items: tuple[LabelledUtterance, ...]
    encoder: str
    device: str

    def __call__(self, index: int) -> Tensor:
        """[T, layers, D] of the item at that position."""
        return hidden_states(speech_encoder(self.encoder, self.device), waveform(self.items[index]))


@dataclass
class Prepared:
    """A data set with its features; `items` are those that are long enough, `notes` say what was left out."""

    items: tuple[LabelledUtterance, ...]
    data: SpeechSet
    notes: list[str]


def prepare_speech(
    manifest: Manifest,
    classes: Sequence[str],
    cache: CachePlace,
    *,
    encoder: str | None,
    phones: bool,
    device: str,
    counted: Counted,
) -> Prepared:
    """Make what is missing in the cache. `encoder` None: mel only. `phones`: also align, which English texts allow."""
    worker = _SpeechWork(manifest, cache, encoder, phones, device)
    notes = []
    for index in range(len(manifest.items)):
        worker.make(index)
        counted("features", index + 1, len(manifest.items))
    kept = [i for i in range(len(manifest.items)) if worker.frames[i] > 0]
    if worker.unusable:
        first = worker.unusable[min(worker.unusable)]
        notes.append(f"{len(worker.unusable)} left out: cannot be used (first {first})")
    if short := len(manifest.items) - len(kept) - len(worker.unusable):
        notes.append(f"{short} shorter than 25 ms")
    if not kept:
        raise DataUnsuitable(f"no recording can be used: {'; '.join(notes)}")
    if phones and (unknown := worker.without_phones(kept)):
        notes.append(
            f"{unknown} of unknown phones: no aligner for the language, or the words were not found in the sound"
        )
    items = tuple(manifest.items[i] for i in kept)
    data = SpeechSet(
        labels=labels_of(items, classes),
        speakers=tuple(item.speaker for item in items),
        frames=tuple(worker.frames[i] for i in kept),
        voices=_voices(worker, kept),
        cache=cache,
        keys={kind: tuple(worker.key(kind, i) for i in kept) for kind in worker.shelves},
        shelves={kind: shelf.name for kind, shelf in worker.shelves.items()},
        states_of=None if encoder is None else LiveStates(items, encoder, device),
    )
    return Prepared(items, data, notes)


class _SpeechWork:
    def __init__(self, manifest: Manifest, cache: CachePlace, encoder: str | None, phones: bool, device: str) -> None:
        self.manifest, self._encoder_name, self._device = manifest, encoder, device
        self.frames: dict[int, int] = {}
        #: Why a recording cannot be used, by item.
        self.unusable: dict[int, str] = {}
        opened = cache.open()
        self.shelves: dict[str, Shelf] = {MEL: opened.shelf(MEL_SHELF)}
        self.voices = opened.shelf(VOICE_SHELF)
        if phones:
            self.shelves[PHONES] = opened.shelf(PHONE_SHELF)
        if encoder is not None:
            model = speech_encoder(encoder, device)
            identity = content_hash(
                model.model.state_dict(), model.model.config.to_dict() | {"do_normalize": model.do_normalize}
            )
            self.shelves[STATES] = opened.shelf(f"states-{identity}")
        self._keys = [
            digest(sha256, item.start_s, item.end_s)
            for item, sha256 in zip(manifest.items, manifest.audio_sha256, strict=True)
        ]
        self._full = False

    def key(self, kind: str, index: int) -> str:
        """Phones depend on the text too."""
        if kind != PHONES:
            return self._keys[index]
        item = self.manifest.items[index]
        return digest(self._keys[index], item.text, item.language)

    def make(self, index: int) -> None:
        lacking = {kind for kind, shelf in self.shelves.items() if not shelf.has(self.key(kind, index))}
        if self._full:
            lacking.discard(STATES)
        if not lacking:
            self.frames[index] = self.shelves[MEL].length(self._keys[index], MEL)
            return
        try:
            samples = waveform(self.manifest.items[index])
        except RecordingUnusable as exc:
            self.frames[index], self.unusable[index] = 0, str(exc)
            return
        if len(samples) < FIELD:
            self.frames[index] = 0
            return
        made = targets(samples, self._aligned(index, samples) if PHONES in lacking else None)
        self.frames[index] = len(made.mel)
        if MEL in lacking:
            self._put(MEL, index, torch.from_numpy(made.mel))
        if PHONES in lacking:
            self._put(PHONES, index, torch.from_numpy(made.phones).to(torch.uint8))
        if STATES in lacking:
            assert self._encoder_name is not None
            states = hidden_states(speech_encoder(self._encoder_name, self._device), samples)
            self._full = not self.shelves[STATES].put(self._keys[index], {STATES: states})

    def without_phones(self, kept: Sequence[int]) -> int:
        """How many items have not one known phone or silence."""
        found = (self.shelves[PHONES].get(self.key(PHONES, index)) for index in kept)
        return sum(1 for own in found if own is not None and bool((own[PHONES] == UNKNOWN).all()))

    def _put(self, kind: str, index: int, values: Tensor) -> None:
        if not self.shelves[kind].put(self.key(kind, index), {kind: values}):
            raise FeatureMissing(f"the cache has no room left for {kind}", hint="Allow more with --cache-gb.")

    def _aligned(self, index: int, samples: NDArray[np.float32]) -> Utterance | None:
        item = self.manifest.items[index]
        aligner, words = find_aligner(ALIGNER), tuple(tokens(item.text or ""))
        if not words or not aligner.can(item.language):
            return None
        placed = aligner.align([Piece(samples, words, item.language)])[0]
        if isinstance(placed, NotAligned):
            return None
        length_s = len(samples) / 16_000
        return Utterance(0, item.speaker, 0.0, length_s, text=item.text, words=placed.words, phones=placed.phones)


def _voices(work: _SpeechWork, kept: Sequence[int]) -> dict[str, NDArray[np.float32]]:
    """Speaker → vector: the mean over the first hundred utterances, as in the pipeline."""
    own: dict[str, list[int]] = {}
    for index in kept:
        chosen = own.setdefault(work.manifest.items[index].speaker, [])
        if len(chosen) < UTTERANCES_PER_SPEAKER:
            chosen.append(index)
    return {speaker: speaker_vector([_voice(work, i) for i in chosen]) for speaker, chosen in own.items()}


def _voice(work: _SpeechWork, index: int) -> NDArray[np.float32] | None:
    """The utterance's embedding; an empty one is stored where it is too short or silent."""
    key = work.key(VOICE, index)
    found = work.voices.get(key)
    if found is None:
        embedding = embed_utterances([waveform(work.manifest.items[index])])[0]
        found = {VOICE: torch.zeros(0) if embedding is None else torch.from_numpy(embedding)}
        work.voices.put(key, found)
    return found[VOICE].numpy() if len(found[VOICE]) else None
