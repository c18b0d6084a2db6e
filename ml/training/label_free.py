"""A small speech encoder that no label has touched: `python -m ml.training.label_free --speech FOLDER --out ENCODER`.

A bundle's own encoder has learned emotions from some of the speakers that a table of `tenor train` tests, and flatters
every model over it. This one has heard other people only, and none of what they felt: its convolutions learn tracks of
pitch and spectrum (`front_end`), its blocks to say the tracks of hidden stretches from what surrounds them (masked
prediction as in HuBERT, Hsu et al. 2021, of PASE's regression targets instead of clusters). Written as a folder in the
Hub's format, for `--encoder`.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

from ml.device import torch_device
from ml.encoders.speech import normalise
from ml.training.front_end import FrameBank, Standard, convolve_frames, track_loss, train_front_end
from ml.training.speech_data import unlabelled
from ml.training.speech_model import ENCODER
from ml.training.tracks import HOP, TRACKS, VOICED, VOICING, WINDOW, Floats, tracks
from ml.training.trainer import Progress, Schedule, fit

#: Frames of one excerpt: 4 s.
EXCERPT = 200
#: Hidden stretches of an excerpt and their frames: 0.2 s, so about half of it is hidden.
STRETCHES, STRETCH = 10, 10
#: What a frame that can be seen counts beside a hidden one: enough to keep what it holds.
SEEN = 0.3


@dataclass(frozen=True, slots=True)
class Excerpts:
    """Features of the convolutions [B, T, 192], zero where `hidden` [B, T]; standardised tracks and voicing."""

    features: Tensor
    hidden: Tensor
    targets: Tensor
    voiced: Tensor


class MaskedTracks(nn.Module):
    """The encoder's blocks and a read-out of tracks from their last state."""

    def __init__(self, encoder: Wav2Vec2Model) -> None:
        super().__init__()
        self.projection, self.blocks = encoder.feature_projection, encoder.encoder
        self.readout = nn.Linear(encoder.config.hidden_size, TRACKS)

    def forward(self, features: Tensor) -> Tensor:
        """Tracks [B, T, 83] of features [B, T, 192]."""
        predicted: Tensor = self.readout(self.blocks(self.projection(features)[0]).last_hidden_state)
        return predicted


class MaskedTask:
    """Masked prediction as the trainer sees it. There is no development set: the last weights are kept."""

    def __init__(
        self, module: MaskedTracks, heard: Sequence[tuple[Floats, Floats]], *, batch: int, device: str
    ) -> None:
        self.module = module.to(device)
        self._heard = [one for one in heard if len(one[0]) >= EXCERPT]
        self._batch, self._device = batch, device

    def draw(self, rng: np.random.Generator) -> Excerpts:
        """Random excerpts with stretches hidden."""
        cut = []
        for index in rng.integers(len(self._heard), size=self._batch):
            features, values = self._heard[index]
            start = int(rng.integers(len(features) - EXCERPT + 1))
            cut.append((features[start : start + EXCERPT], values[start : start + EXCERPT]))
        hidden = np.zeros((self._batch, EXCERPT), dtype=bool)
        for row in hidden:
            for start in rng.integers(EXCERPT - STRETCH + 1, size=STRETCHES):
                row[start : start + STRETCH] = True
        shown, targets = (torch.from_numpy(np.stack(part)).float() for part in zip(*cut, strict=True))
        mask = torch.from_numpy(hidden)
        return Excerpts(shown.masked_fill(mask[:, :, None], 0.0), mask, targets[:, :, :-1], targets[:, :, -1])

    def losses(self, batch: Excerpts) -> dict[str, Tensor]:
        """The errors of hidden and of seen frames, and their weighted sum."""
        predicted = self.module(batch.features.to(self._device)).float()
        found = {
            name: track_loss(predicted[where], batch.targets[where].to(self._device), batch.voiced[where].to(predicted))
            for name, where in (("hidden", batch.hidden), ("seen", ~batch.hidden))
        }
        return {"total": found["hidden"] + SEEN * found["seen"], **found}

    def judge(self) -> dict[str, float]:
        """Nothing decides when to stop."""
        return {}


@torch.inference_mode()
def heard_by(
    model: Wav2Vec2Model, waves: Sequence[NDArray[np.int16]], standard: Standard, device: str
) -> list[tuple[Floats, Floats]]:
    """Per waveform the features [frames, 192] of the convolutions, and [frames, 84]: tracks and which are voiced."""
    found = []
    for wave in waves:
        samples = normalise(wave.astype(np.float32))
        frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
        features = convolve_frames(model, torch.from_numpy(frames.copy()).to(device)).cpu().numpy()
        values = tracks(samples)
        voiced = (values[:, VOICING] > VOICED)[:, None]
        found.append((features, np.concatenate([standard.apply(values), voiced], axis=1).astype(np.float32)))
    return found


def train_label_free(
    folder: Path, out: Path, *, front_end_steps: int, steps: int, batch: int, seed: int, device: str
) -> float:
    """Train on every mono 16 kHz file below a folder and write the encoder; returns the seconds that were heard."""
    torch.manual_seed(seed)
    waves = [np.clip(own * 32767, -32768, 32767).astype(np.int16) for _, own in unlabelled(folder)]
    bank = FrameBank(waves, [tracks(normalise(wave.astype(np.float32))).astype(np.float16) for wave in waves])
    model = Wav2Vec2Model(Wav2Vec2Config(**ENCODER)).to(device)
    train_front_end(model, bank, steps=front_end_steps, seed=seed, device=device)
    model.feature_extractor.requires_grad_(False)
    task = MaskedTask(MaskedTracks(model), heard_by(model, waves, bank.standard, device), batch=batch, device=device)
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "training.safetensors"
    schedule = Schedule(steps=steps, batch=batch, rate=1e-3, judge_every=100, patience=None)
    fit(task, schedule, seed=seed, device=device, checkpoint=checkpoint, report=_say)
    model.cpu().save_pretrained(out)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True).save_pretrained(out)
    checkpoint.unlink()
    return sum(map(len, waves)) / 16_000


def _say(progress: Progress) -> None:
    print(f"blocks: step {progress.step}/{progress.steps}, hidden {progress.losses['hidden']:.3f}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speech", type=Path, required=True, help="a folder of mono 16 kHz recordings, no labels")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--front-end-steps", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    seconds = train_label_free(
        options.speech,
        options.out,
        front_end_steps=options.front_end_steps,
        steps=options.steps,
        batch=options.batch,
        seed=options.seed,
        device=torch_device(),
    )
    print(f"heard {seconds / 60:.0f} minutes without labels; encoder in {options.out}")


if __name__ == "__main__":
    main()
