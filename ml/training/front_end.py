"""First step of the small speech encoder: convolutions that begin as a spectrum and learn log-mel, pitch and voicing.

wav2vec 2.0 begins with seven strided convolutions, and the first ones, thousands of frames a second, cost most of a
step. Here one convolution spans the same 25 ms at the same 20 ms; its filters begin as windowed cosines and sines, each
also negated: behind the layer norm, gelu(x) + gelu(-x) is even in x, so that the layers after it find the power of a
band whatever its phase. Frames share nothing, so they are drawn at random from all speech there is.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import Wav2Vec2Model

from ml.features.tracks import BANDS, ENERGY, F0, HOP, TRACKS, VOICED, VOICING, WINDOW, Floats
from ml.training.speech_data import Noise

#: Fields of `Wav2Vec2Config`: 400 samples every 320, then two layers within the frame.
CONVOLUTIONS: dict[str, Any] = {
    "conv_dim": [600, 256, 192],
    "conv_kernel": [WINDOW, 1, 1],
    "conv_stride": [HOP, 1, 1],
    "feat_extract_norm": "layer",
    "conv_bias": True,
}
#: Channels that see only a bias. The layer norm divides them by the loudness of the frame, which it would hide else.
_CONSTANT, _CONSTANT_VALUE = 4, 0.3
#: How much F0 (where voiced), voicing and energy weigh beside the mean over the bands.
_WEIGHTS = (0.5, 0.2, 0.3)


@dataclass(frozen=True, slots=True)
class Standard:
    """Mean and deviation [83] of tracks; F0 where voiced only."""

    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, values: Floats) -> "Standard":
        mean, deviation = values.mean(axis=0), values.std(axis=0)
        voiced = values[values[:, VOICING] > VOICED, F0]
        mean[F0], deviation[F0] = voiced.mean(), voiced.std()
        return cls(mean, deviation)

    def apply(self, values: Floats) -> Floats:
        return np.asarray((values - self.mean) / self.deviation, dtype=np.float32)


class FrameBank:
    """All frames of many waveforms [n ≥ 400] of any level, with their tracks, drawn at random."""

    def __init__(self, waves: Sequence[NDArray[np.int16]], tracks: Sequence[NDArray[np.float16]]) -> None:
        counts = [len(own) for own in tracks]
        firsts = np.cumsum([0, *(len(wave) for wave in waves)])[:-1]
        self._samples = np.concatenate(list(waves))
        self._starts = np.concatenate([first + np.arange(n) * HOP for first, n in zip(firsts, counts, strict=True)])
        self._means = np.repeat([np.float32(wave.mean()) for wave in waves], counts)
        self._scales = np.repeat([np.float32(1 / (wave.std() + 1e-3)) for wave in waves], counts)
        self._tracks = np.concatenate(list(tracks))
        #: Frames of the same waveform from each on, itself included.
        self._following = np.concatenate([np.arange(n, 0, -1) for n in counts])
        self.standard = Standard.of(self._tracks.astype(np.float32))

    def draw(self, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Frames [count, 400] of waveforms brought to unit variance, and their tracks [count, 83]."""
        picked = rng.integers(len(self._starts), size=count)
        frames = self._samples[self._starts[picked][:, None] + np.arange(WINDOW)].astype(np.float32)
        scaled = (frames - self._means[picked][:, None]) * self._scales[picked][:, None]
        return scaled, self._tracks[picked].astype(np.float32)

    def crops(self, count: int, frames: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Stretches [count, 80 + 320 · frames] of waveforms of unit variance, and their tracks [count, frames, 83]."""
        picked = rng.choice(np.flatnonzero(self._following >= frames), size=count)
        samples = np.arange((frames - 1) * HOP + WINDOW)
        waves = self._samples[self._starts[picked][:, None] + samples].astype(np.float32)
        scaled = (waves - self._means[picked][:, None]) * self._scales[picked][:, None]
        return scaled, self._tracks[picked[:, None] + np.arange(frames)].astype(np.float32)


def spectrum_filters() -> Floats:
    """[592, 400]: every 40 Hz up to 4 kHz over 25 ms, every 80 Hz above over half of it; cosine, sine, negatives."""
    time = np.arange(WINDOW) - (WINDOW - 1) / 2
    long = np.hanning(WINDOW + 2)[1:-1]
    short = np.pad(np.hanning(WINDOW // 2 + 2)[1:-1], WINDOW // 4)
    rows = []
    for hertz in [*np.arange(40, 4000, 40), *np.arange(4040, 7900, 80)]:
        window = long if hertz < 4000 else short
        for phase in (0, np.pi / 2):
            wave = np.cos(2 * np.pi * hertz * time / 16_000 + phase) * window
            wave -= window * wave.sum() / window.sum()  # deaf to an offset
            rows += [wave, -wave]
    return np.stack(rows).astype(np.float32)


def begin_as_spectrum(model: Wav2Vec2Model, frames: Floats) -> None:
    """Set the first convolution's filters, each to unit deviation over typical frames [n, 400]."""
    filters = spectrum_filters()
    filters /= (frames @ filters.T).std(axis=0)[:, None]
    convolution = model.feature_extractor.conv_layers[0].conv
    with torch.no_grad():
        convolution.weight.zero_()
        convolution.bias.zero_()
        convolution.weight[: len(filters), 0] = torch.from_numpy(filters)
        convolution.bias[len(filters) : len(filters) + _CONSTANT] = _CONSTANT_VALUE


def convolve_frames(model: Wav2Vec2Model, frames: Tensor) -> Tensor:
    """What the convolutions give for single frames [B, 400], as products: in bf16 they are 20 times faster so."""
    hidden = frames
    for layer in model.feature_extractor.conv_layers:
        product = nn.functional.linear(hidden, layer.conv.weight.flatten(1), layer.conv.bias)
        hidden = layer.activation(layer.layer_norm(product))
    return hidden


def track_loss(predicted: Tensor, standardised: Tensor, voiced: Tensor) -> Tensor:
    """Weighted squared error of tracks [B, 83]; F0 counts where there is one."""
    error = (predicted - standardised) ** 2
    pitch = (error[:, F0] * voiced).sum() / voiced.sum().clamp(min=1)
    own = (pitch, error[:, VOICING].mean(), error[:, ENERGY].mean())
    return error[:, :BANDS].mean() + torch.stack([w * e for w, e in zip(_WEIGHTS, own, strict=True)]).sum()


def train_front_end(
    model: Wav2Vec2Model,
    bank: FrameBank,
    *,
    steps: int,
    batch: int = 1536,
    seed: int = 0,
    device: str = "cpu",
    report: Callable[[str], None] = print,
) -> nn.Linear:
    """Train `model.feature_extractor` in place; returns the read-out of standardised tracks [192 → 83].

    Two in five frames get noise, and the tracks of the clean frame stay the target.
    """
    rng, noise = np.random.default_rng(seed), Noise()
    begin_as_spectrum(model, bank.draw(6000, rng)[0])
    readout = nn.Linear(model.config.conv_dim[-1], TRACKS).to(device)
    layers = model.feature_extractor.conv_layers
    rest = [*(p for layer in layers[1:] for p in layer.parameters()), *readout.parameters()]
    groups = [{"params": [*layers[0].parameters()], "lr": 1e-4}, {"params": rest, "lr": 2e-3}]
    optimiser = torch.optim.AdamW(groups, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda s: min(1.0, (s + 1) / 100) * (0.02 + 0.49 * (1 + math.cos(math.pi * s / steps)))
    )
    for step in range(steps):
        frames, targets = bank.draw(batch, rng)
        noisy = torch.from_numpy(frames + noise.frames(batch, WINDOW, rng, share=0.4)).to(device)
        voiced = torch.from_numpy(targets[:, VOICING] > VOICED).to(device)
        with torch.autocast(device, dtype=torch.bfloat16):
            predicted = readout(convolve_frames(model, noisy))
        loss = track_loss(predicted.float(), torch.from_numpy(bank.standard.apply(targets)).to(device), voiced)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([*layers.parameters(), *readout.parameters()], 1.0)
        optimiser.step()
        schedule.step()
        if (step + 1) % 200 == 0:
            report(f"front end: step {step + 1}/{steps}, error {loss.item():.3f}")
    return readout
