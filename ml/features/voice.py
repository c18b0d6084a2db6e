"""How an utterance sounds as a whole, and how its speaker sounds usually.

Some 230 statistics of pitch, voicing, loudness, spectrum and rhythm over the frames of an utterance, the families of
eGeMAPS (Eyben et al., IEEE TAC 2016). Emotion is heard against how somebody speaks otherwise, so a speaker's vector
carries the mean of these statistics over the speaker's utterances. One definition serves tracks that signal processing
finds and tracks that an encoder has learned to read out.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.features.speaker import STATISTICS
from ml.features.tracks import BANDS, VOICED, WINDOW, Floats, normalise, tracks

#: Coefficients of the cepstrum, then log2 of F0 over 150 Hz, voicing, log power.
CEPSTRUM = 20
F0, VOICING, POWER = CEPSTRUM, CEPSTRUM + 1, CEPSTRUM + 2
TRACKS = CEPSTRUM + 3

#: Frames this far (in log power, 35 dB) below the loudest are silence at both ends, but for a margin of 0.1 s.
_SILENCE, _MARGIN = 3.5 * math.log(10), 5
_LEAST_VOICED = 5
_MODULATION = 512
#: No sample above it: silence (the threshold of voice embeddings).
_LEAST_LEVEL = 1e-4


def _cosines() -> Tensor:
    """[80, 20]: mel bands to cepstrum (orthonormal DCT-II over 40 pairs of bands)."""
    pairs = BANDS // 2
    k, n = torch.arange(CEPSTRUM)[None], torch.arange(pairs)[:, None]
    basis = torch.cos(math.pi * (n + 0.5) * k / pairs) * math.sqrt(2 / pairs)
    basis[:, 0] /= math.sqrt(2)
    return (basis / 2).repeat_interleave(2, dim=0)


_COSINES = _cosines()


def compact(values: Tensor) -> Tensor:
    """Tracks [T, 83] (`ml.features.tracks`) as [T, 23]: the cepstrum instead of 80 bands."""
    return torch.cat([values[:, :BANDS] @ _COSINES.to(values), values[:, BANDS:]], dim=1)


def statistics(values: Tensor) -> Tensor:
    """[STATISTICS] of an utterance's tracks [T ≥ 1, 23].

    Neither silence at the ends nor the level matters: frames outside are left out, and power is relative to the mean.
    """
    values = _speech(values)
    cepstrum, power = values[:, :CEPSTRUM], values[:, POWER]
    voiced = _voiced(values[:, VOICING])
    inside = cepstrum[voiced]
    change = _changes(cepstrum)
    spectrum = [
        inside.mean(dim=0),
        inside.std(dim=0, correction=0),
        torch.quantile(inside, inside.new_tensor([0.1, 0.9]), dim=0).flatten(),
        change.abs().mean(dim=0),
        change.std(dim=0, correction=0),
        cepstrum.mean(dim=0),
        cepstrum.std(dim=0, correction=0),
    ]
    prosody = [_pitch(values[:, F0], voiced), _voicing(values[:, VOICING], voiced), _loudness(power, voiced)]
    thirds = [_part(values, voiced, third, 3) for third in range(3)]
    return torch.cat([*spectrum, *prosody, _modulation(power), *thirds])


def _speech(values: Tensor) -> Tensor:
    """Frames without silence at both ends, at least three, their mean power 1."""
    loud = (values[:, POWER] > values[:, POWER].max() - _SILENCE).nonzero().flatten()
    own = values[max(0, int(loud[0]) - _MARGIN) : int(loud[-1]) + 1 + _MARGIN].clone()
    if len(own) < 3:
        own = torch.cat([own, own[-1:].expand(3 - len(own), -1)])
    level = own[:, POWER].exp().mean().log()
    own[:, POWER] -= level
    own[:, 0] -= level * math.sqrt(BANDS // 2)
    return own


def _voiced(voicing: Tensor) -> Tensor:
    """Which frames are voiced; at least five, the most voiced ones."""
    voiced = voicing > VOICED
    if int(voiced.sum()) < _LEAST_VOICED:
        voiced = torch.zeros_like(voiced)
        voiced[voicing.topk(min(_LEAST_VOICED, len(voicing))).indices] = True
    return voiced


def _changes(values: Tensor) -> Tensor:
    return values[1:] - values[:-1]


def _pitch(f0: Tensor, voiced: Tensor) -> Tensor:
    """[9]: mean, deviation, percentiles, slope per second, movement and fall of F0 at voiced frames."""
    own, seconds = f0[voiced], voiced.nonzero().flatten().to(f0) / 50
    centred = seconds - seconds.mean()
    slope = (centred * own).sum() / centred.square().sum().clamp(min=1e-3)
    both = voiced[1:] & voiced[:-1]
    steps = _changes(f0)[both] if bool(both.any()) else f0.new_zeros(1)
    half = max(1, len(own) // 2)
    fall = own[-half:].mean() - own[:half].mean()
    moved = [slope, steps.abs().mean(), steps.std(correction=0), fall]
    percentiles = torch.quantile(own, own.new_tensor([0.1, 0.5, 0.9]))
    return torch.cat([own.mean()[None], own.std(correction=0)[None], percentiles, torch.stack(moved)])


def _voicing(voicing: Tensor, voiced: Tensor) -> Tensor:
    """[3]: share of voiced frames, how clear their voice is and how even."""
    own = voicing[voiced]
    return torch.stack([voiced.to(voicing).mean(), own.mean(), own.std(correction=0)])


def _loudness(power: Tensor, voiced: Tensor) -> Tensor:
    """[11]: percentiles and movement of log power, peaks per frame, share of loud frames, length."""
    change = _changes(power)
    peaks = (change[:-1] > 0) & (change[1:] <= 0) & (power[1:-1] > -2)
    rest = [
        power.std(correction=0),
        change.abs().mean(),
        power[voiced].std(correction=0),
        peaks.to(power).sum() / len(power),
        (power > -4).to(power).mean(),
        power.new_tensor(math.log(len(power))),
    ]
    return torch.cat([torch.quantile(power, power.new_tensor([0.05, 0.25, 0.5, 0.75, 0.95])), torch.stack(rest)])


def _modulation(power: Tensor) -> Tensor:
    """[12]: log spectrum of loudness over time in steps of half a hertz, up to 6 Hz: rhythm of syllables and stress."""
    own = power[:_MODULATION] - power[:_MODULATION].mean()
    window = torch.hann_window(len(own), periodic=False).to(power)
    magnitudes = torch.fft.rfft(own * window, _MODULATION).abs()[:60].reshape(12, 5).mean(dim=1)
    result: Tensor = (magnitudes / math.sqrt(len(own)) + 1e-2).log()
    return result


def _part(values: Tensor, voiced: Tensor, number: int, count: int) -> Tensor:
    """[13] of one of `count` equal stretches: pitch, loudness, voicing, the coarse spectrum."""
    begin, end = number * len(values) // count, (number + 1) * len(values) // count
    own, f0 = values[begin:end], values[begin:end, F0][voiced[begin:end]]
    f0 = f0 if len(f0) else values[voiced, F0]
    level = own[:, POWER]
    prosody = [f0.mean(), f0.std(correction=0), level.mean(), level.max(), voiced[begin:end].to(values).mean()]
    return torch.cat([torch.stack(prosody), own[:, :8].mean(dim=0)])


#: Those that follow a change of pitch: mean and percentiles of F0, and its mean in each third.
_PITCH = 8 * CEPSTRUM
F0_STATISTICS = (*(_PITCH + n for n in (0, 2, 3, 4)), *(STATISTICS - 13 * n for n in (3, 2, 1)))


def wave_statistics(wave: Floats) -> NDArray[np.float32] | None:
    """[STATISTICS] by signal processing of a waveform [n] at 16 kHz and of any level; None below 25 ms or if silent."""
    if len(wave) < WINDOW or not float(np.abs(wave).max()) > _LEAST_LEVEL:
        return None
    return statistics(compact(torch.from_numpy(tracks(normalise(wave))))).numpy()
