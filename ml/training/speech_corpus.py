"""What training on speech begins with: clips by part, tracks of what may be learned from, voices, what is usual."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.encoders.speech import normalise
from ml.training.front_end import FrameBank
from ml.training.speaker_baseline import Measures, Voices, fit_baseline
from ml.training.speech_data import DEV_SPEAKERS, TEST_SPEAKERS, Clip, unlabelled
from ml.training.tracks import Floats, functionals, tracks


@dataclass(frozen=True, slots=True)
class Heard:
    """One recording that may be learned from without its label."""

    wave: NDArray[np.int16]
    tracks: NDArray[np.float16]
    functionals: Floats

    @classmethod
    def of(cls, samples: Floats) -> "Heard":
        found = tracks(normalise(samples))
        stored = np.clip(samples * 32767, -32768, 32767).astype(np.int16)
        return cls(stored, found.astype(np.float16), functionals(found))


@dataclass(frozen=True, slots=True)
class SpeechCorpus:
    """Speech in three parts by speaker. Nothing but `training` and unlabelled speech has shaped the other fields."""

    training: list[Clip]
    development: list[Clip]
    test: list[Clip]
    frames: FrameBank
    measures: Measures
    voices: Voices


def gather(clips: Sequence[Clip], vectors_path: Path, more: Path | None, *, seed: int) -> SpeechCorpus:
    """Split clips by speaker, measure the training speakers and the speech below `more`, learn what is usual.

    `vectors_path` holds voice embeddings by item, or by path below `more`; made by `ml.corpora.voices`.
    """
    held = TEST_SPEAKERS | DEV_SPEAKERS
    training = [clip for clip in clips if clip.speaker not in held]
    own = [Heard.of(clip.samples) for clip in training]
    others = {name: Heard.of(samples) for name, samples in unlabelled(more)} if more else {}
    with np.load(vectors_path) as stored:
        vectors = {name: stored[name] for name in stored.files}
    every = [*own, *others.values()]
    frames = FrameBank([one.wave for one in every], [one.tracks for one in every])
    statistics = np.stack([one.functionals for one in own])
    measures = Measures(frames.standard, statistics.mean(axis=0), statistics.std(axis=0) + 1e-6)
    usual = [(vectors[n], measures.usual(one.functionals, one.tracks)) for n, one in others.items() if n in vectors]
    by_speaker = _by_speaker(clips, vectors)
    labelled = {
        speaker: (by_speaker[speaker], np.mean([measures.usual(o.functionals, o.tracks) for o in theirs], axis=0))
        for speaker, theirs in _grouped(training, own).items()
    }
    baseline = fit_baseline(labelled, usual, np.random.default_rng(seed))
    return SpeechCorpus(
        training,
        [clip for clip in clips if clip.speaker in DEV_SPEAKERS],
        [clip for clip in clips if clip.speaker in TEST_SPEAKERS],
        frames,
        measures,
        Voices(by_speaker, baseline),
    )


def _grouped(clips: Sequence[Clip], heard: Sequence[Heard]) -> dict[str, list[Heard]]:
    result: dict[str, list[Heard]] = {}
    for clip, one in zip(clips, heard, strict=True):
        result.setdefault(clip.speaker, []).append(one)
    return result


def _by_speaker(clips: Sequence[Clip], vectors: dict[str, Floats]) -> dict[str, Floats]:
    found: dict[str, list[Floats]] = {}
    for clip in clips:
        if clip.item_id in vectors:
            found.setdefault(clip.speaker, []).append(vectors[clip.item_id])
    return {speaker: np.stack(own) for speaker, own in found.items()}
