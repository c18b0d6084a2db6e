"""The loop of the small speech encoder: tracks of speech, partly hidden, from what is around; weights averaged.

Apart from the trainer of source A's models, because what matters here is no part of it: no labels, and the average of
the weights over steps is the model. A step depends on the weights and on (seed, step) alone, so a run that was killed
goes on to the same model.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ml.features.tracks import VOICED, VOICING, Floats
from ml.training.checkpoint import CheckpointUnreadable, read_checkpoint, write_checkpoint
from ml.training.front_end import FrameBank, track_loss
from ml.training.speech_data import Noise
from ml.training.speech_model import TrackModel

#: Stretches of every crop that the encoder has to guess, and how long they are at most.
_HIDDEN_STRETCHES, _HIDDEN_FRAMES = 2, 12


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast."""

    steps: int = 300
    #: Crops in a batch, and their length in frames.
    batch: int = 32
    frames: int = 96
    rate: float = 1.5e-3
    weight_decay: float = 0.02
    #: Weights are averaged over about 1 / (1 - decay) steps.
    decay: float = 0.98
    save_every: int = 50


class SpeechLoop:
    """One run of a plan; `average` is the model."""

    def __init__(self, model: TrackModel, plan: Plan, *, seed: int, device: str, checkpoint: Path) -> None:
        self.model, self.average = model.to(device), copy.deepcopy(model).to(device)
        self.plan, self.seed, self.device, self.path = plan, seed, device, checkpoint
        self._own = [p for p in model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.AdamW(self._own, lr=plan.rate, weight_decay=plan.weight_decay)
        self._noise = Noise()
        self.done = 0

    def run(self, bank: FrameBank, report: Callable[[str], None] = print) -> TrackModel:
        """Make the steps that are left, from the checkpoint if there is one; returns the averaged model."""
        self._restore()
        while self.done < self.plan.steps:
            rng = np.random.default_rng([self.seed, self.done])
            torch.manual_seed(int(rng.integers(2**31)))
            loss = self._step(bank, rng)
            self.done += 1
            if self.done % self.plan.save_every == 0 or self.done == self.plan.steps:
                self._save()
                report(f"encoder: step {self.done}/{self.plan.steps}, error {loss:.3f}")
        return self.average.eval()

    def _step(self, bank: FrameBank, rng: np.random.Generator) -> float:
        rate = self.plan.rate * min(1.0, (self.done + 1) / 40)
        rate *= 0.01 + 0.495 * (1 + math.cos(math.pi * self.done / self.plan.steps))
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        waves, tracks = bank.crops(self.plan.batch, self.plan.frames, rng)
        waves = waves + self._noise.frames(len(waves), waves.shape[1], rng, share=0.4)
        targets = torch.from_numpy(bank.standard.apply(tracks)).to(self.device)
        voiced = torch.from_numpy(tracks[:, :, VOICING] > VOICED).to(self.device)
        self.model.train()
        with torch.autocast(self.device, dtype=torch.bfloat16):
            with torch.no_grad():
                features = self.model.encoder.feature_extractor(torch.from_numpy(waves).to(self.device))
            shown = torch.from_numpy(shown_frames(len(waves), self.plan.frames, rng)).to(self.device)
            predicted = self.model(features.transpose(1, 2) * shown[:, :, None])
        loss = track_loss(predicted.float().flatten(0, 1), targets.flatten(0, 1), voiced.flatten())
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._own, 2.0)
        self.optimiser.step()
        self._update_average()
        return float(loss.item())

    @torch.no_grad()
    def _update_average(self) -> None:
        # Early weights are forgotten sooner.
        share = 1 - min(self.plan.decay, (self.done + 1) / (self.done + 10))
        for ours, theirs in zip(self.average.parameters(), self.model.parameters(), strict=True):
            ours.lerp_(theirs, share)

    def _learned(self, model: TrackModel) -> dict[str, Tensor]:
        """What differs between model and average; the convolutions below do not, and would only fill the file."""
        state = model.state_dict()
        return {name: t for name, t in state.items() if not name.startswith("encoder.feature_extractor.")}

    def _save(self) -> None:
        tensors = {f"model.{name}": t for name, t in self.model.state_dict().items()}
        tensors |= {f"average.{name}": t for name, t in self._learned(self.average).items()}
        for number, own in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{name}": t for name, t in own.items()}
        write_checkpoint(self.path, tensors, {"plan": asdict(self.plan), "seed": self.seed, "done": self.done})

    def _restore(self) -> None:
        if not self.path.is_file():
            return
        tensors, state = read_checkpoint(self.path)
        if (state["plan"], state["seed"]) != (asdict(self.plan), self.seed):
            raise CheckpointUnreadable(f"checkpoint {self.path} was written by a run with other settings")
        model = {n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")}
        self.model.load_state_dict(model)
        average = {n.removeprefix("average."): t for n, t in tensors.items() if n.startswith("average.")}
        self.average.load_state_dict(model | average)
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimiser."):
                _, number, key = name.split(".")
                moments.setdefault(int(number), {})[key] = tensor
        self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": moments})
        self.done = state["done"]


def shown_frames(crops: int, frames: int, rng: np.random.Generator) -> Floats:
    """[crops, frames] of ones, but zeros in two stretches of up to 0.22 s (SpecAugment, Park et al. 2019)."""
    result = np.ones((crops, frames), dtype=np.float32)
    for row in result:
        for _ in range(_HIDDEN_STRETCHES):
            length = int(rng.integers(_HIDDEN_FRAMES))
            start = int(rng.integers(frames - length + 1))
            row[start : start + length] = 0
    return result
