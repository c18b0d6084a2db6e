"""Convolution features of every clip as it is and in varied versions, computed once: training above them is cheap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import Wav2Vec2Model

from ml.encoders.speech import normalise
from ml.training.speech_data import Clip, Noise, vary
from ml.training.tracks import Floats, functionals, higher, tracks

#: Samples of silence that make a recording another version than its speech.
_SILENCE = 3200


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a clip."""

    #: [frames, 192], half precision.
    features: NDArray[np.float16]
    #: [68], of the clip, at the version's pitch: what noise and band do to the others, the encoder should not hear.
    functionals: Floats
    #: How much higher than the clip.
    octaves: float


@torch.inference_mode()
def clip_features(model: Wav2Vec2Model, samples: Floats, device: str) -> NDArray[np.float16]:
    """[frames, 192] of samples [n ≥ 400] of unit variance."""
    features = model.feature_extractor(torch.from_numpy(samples)[None].to(device))
    return np.ascontiguousarray(features[0].T.half().cpu().numpy())


def feature_bank(
    model: Wav2Vec2Model, clips: Sequence[Clip], *, versions: int, seed: int, device: str
) -> list[list[Version]]:
    """Per clip: its speech, all of the recording where that has silence around, then so many varied versions.

    The same for the same seed. Silence belongs in training: not everybody's utterances are cut close.
    """
    rng, noise = np.random.default_rng(seed), Noise()
    model.eval()
    bank = []
    for clip in clips:
        measured, own = functionals(tracks(normalise(clip.samples))), []
        plain = [clip.samples]
        if len(clip.recorded) > len(clip.samples) + _SILENCE:
            plain.append(clip.recorded)
        varied = [vary(clip.samples, rng, noise) for _ in range(versions)]
        for samples, octaves in [*((samples, 0.0) for samples in plain), *varied]:
            own.append(Version(clip_features(model, normalise(samples), device), higher(measured, octaves), octaves))
        bank.append(own)
    return bank
