"""First step of the small speech model: teach the strided convolutions a log-mel spectrum.

Emotion labels are few; sound is plenty. Regressing 80 log-mel bands from the raw waveform gives the convolutional
front end of wav2vec 2.0 a useful start without labels, in minutes on a CPU.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torchaudio
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import Wav2Vec2Model

from ml.encoders.speech import normalise

BANDS = 80


def log_mel(waveforms: Tensor, frames: int) -> Tensor:
    """Standardised log-mel targets [B, frames, 80] of [B, n]; 25 ms windows every 20 ms, as the convolutions see it."""
    transform = torchaudio.transforms.MelSpectrogram(
        16_000, n_fft=512, win_length=400, hop_length=320, n_mels=BANDS, f_min=60, f_max=7600, center=False
    )
    padded = nn.functional.pad(waveforms, (56, 512))
    mel = torch.log(transform(padded)[:, :, :frames] + 1e-4)
    return (mel.transpose(1, 2) + 2.0) / 4.0


def train_front_end(
    model: Wav2Vec2Model,
    waveforms: Sequence[NDArray[np.float32]],
    *,
    steps: int,
    batch: int = 16,
    seconds: float = 1.5,
    seed: int = 0,
    report: Callable[[str], None] = print,
) -> nn.Linear:
    """Train `model.feature_extractor` in place; returns the linear read-out [conv_dim → 80]."""
    rng = np.random.default_rng(seed)
    length = int(seconds * 16_000)
    usable = [w for w in waveforms if len(w) >= length]
    readout = nn.Linear(model.config.conv_dim[-1], BANDS)
    parameters = [*model.feature_extractor.parameters(), *readout.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda s: min(1.0, s / 50) * 0.5 * (1 + math.cos(math.pi * min(1.0, s / steps)))
    )
    model.feature_extractor.train()
    running = 0.0
    for step in range(steps):
        crops = []
        for index in rng.integers(len(usable), size=batch):
            start = int(rng.integers(len(usable[index]) - length + 1))
            crops.append(normalise(usable[index][start : start + length]))
        waves = torch.from_numpy(np.stack(crops))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            features = model.feature_extractor(waves).transpose(1, 2)
            predicted = readout(features)
        loss = nn.functional.mse_loss(predicted.float(), log_mel(waves, predicted.shape[1]))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        running += loss.item()
        if (step + 1) % 100 == 0:
            report(f"front end: step {step + 1}/{steps}, log-mel error {running / 100:.4f}")
            running = 0.0
    model.feature_extractor.eval()
    return readout
