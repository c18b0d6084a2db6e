"""The loop of the small speech model: measures first, then emotion, with weights averaged over steps.

Apart from the trainer of source A's models, because what matters here is no part of it: a rate that falls to zero in
cycles counted in advance, and the average of the weights, which is the model. A step depends on the weights and on
(seed, step) alone, so a run that was killed goes on to the same model.
"""

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ml.training.checkpoint import CheckpointUnreadable, read_checkpoint, write_checkpoint
from ml.training.front_end import Standard
from ml.training.speech_batches import Batch, Batches, emotion_loss, measure_loss
from ml.training.speech_model import SpeechModel


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how fast."""

    #: Steps on the measures alone, and steps on emotion too.
    measure_steps: int = 120
    emotion_steps: int = 1200
    #: The rate falls to zero so many times (warm restarts: Loshchilov and Hutter, ICLR 2017).
    cycles: int = 2
    #: Segments in a batch.
    batch: int = 32
    rate: float = 1.5e-3
    weight_decay: float = 0.02
    #: Weights are averaged over about 1 / (1 - decay) steps.
    decay: float = 0.99
    save_every: int = 100

    @property
    def steps(self) -> int:
        return self.measure_steps + self.emotion_steps


class SpeechLoop:
    """One run of a plan; `average` is the model."""

    def __init__(self, model: SpeechModel, plan: Plan, *, seed: int, device: str, checkpoint: Path) -> None:
        self.model, self.average = model.to(device), copy.deepcopy(model).to(device)
        self.plan, self.seed, self.device, self.path = plan, seed, device, checkpoint
        own = {name: p for name, p in model.named_parameters() if p.requires_grad}
        groups = [
            {"params": [p for name, p in own.items() if name != "layer_weights"], "lr": plan.rate},
            {"params": [model.layer_weights], "lr": 1e-2},
        ]
        self.optimiser = torch.optim.AdamW(groups, weight_decay=plan.weight_decay)
        self._peaks = [float(group["lr"]) for group in self.optimiser.param_groups]
        self.done = 0

    def run(self, batches: Batches, frame: Standard, report: Callable[[str], None] = print) -> SpeechModel:
        """Make the steps that are left, from the checkpoint if there is one; returns the averaged model."""
        self._restore()
        while self.done < self.plan.steps:
            rng = np.random.default_rng([self.seed, self.done])
            torch.manual_seed(int(rng.integers(2**31)))
            losses = self._step(batches.draw(self.plan.batch, rng, device=self.device), frame)
            self.done += 1
            if self.done % self.plan.save_every == 0 or self.done == self.plan.steps:
                self._save()
                report(f"step {self.done}/{self.plan.steps}, " + ", ".join(f"{n} {v:.3f}" for n, v in losses.items()))
        return self.average.eval()

    def _step(self, batch: Batch, frame: Standard) -> dict[str, float]:
        cycle = max(0.0, (self.done - self.plan.measure_steps) / self.plan.emotion_steps * self.plan.cycles)
        rise = min(1.0, (self.done + 1) / 60)
        for group, peak in zip(self.optimiser.param_groups, self._peaks, strict=True):
            group["lr"] = peak * rise * (0.01 + 0.495 * (1 + math.cos(math.pi * (cycle % 1))))
        self.model.train()
        with torch.autocast(self.device, dtype=torch.bfloat16):
            heard = self.model(batch.features, batch.counts, batch.usual)
        with torch.no_grad():
            tracks = self.model.tracks(batch.whole)
        measures = measure_loss(heard, batch, tracks, frame)
        loss, losses = (1 - 0.7 * (cycle % 1)) * measures, {"measures": measures.item()}
        if self.done >= self.plan.measure_steps:
            emotion = emotion_loss(heard, batch.labels)
            loss, losses["emotion"] = loss + emotion, emotion.item()
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 2.0)
        self.optimiser.step()
        self._update_average()
        return losses

    @torch.no_grad()
    def _update_average(self) -> None:
        # Early weights are forgotten sooner. Buffers, the statistics of batch norm, are averages already.
        share = 1 - min(self.plan.decay, (self.done + 1) / (self.done + 10))
        for ours, theirs in zip(self.average.parameters(), self.model.parameters(), strict=True):
            ours.lerp_(theirs, share)
        for kept, seen in zip(self.average.buffers(), self.model.buffers(), strict=True):
            kept.copy_(seen)

    def _learned(self, model: SpeechModel) -> dict[str, Tensor]:
        """What differs between model and average; the convolutions below do not, and would only fill the file."""
        fixed = ("encoder.feature_extractor.", "tracks.")
        return {name: t for name, t in model.state_dict().items() if not name.startswith(fixed)}

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
