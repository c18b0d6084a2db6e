"""The loop of the small text model: one stage of fine-tuning, resumable.

Apart from the trainer of source A's models, because fine-tuning wants what is no part of it: a rate by layer, which
rises and falls over steps counted in advance. A step depends on the weights and on (seed, step) alone, so a run that
was killed goes on to the same model.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.corpora.types import LabelledUtterance
from ml.training.checkpoint import CheckpointUnreadable, read_checkpoint, write_checkpoint
from ml.training.text_data import TextBatches, odds_of
from ml.training.text_model import TextModel


@dataclass(frozen=True, slots=True)
class Stage:
    """How long, how fast, and on what."""

    steps: int
    #: Peak learning rates of the encoder's uppermost layer and of the head.
    rate: float
    head_rate: float
    #: Share of the texts that are of GoEmotions; the others are MELD's.
    goemotions: float
    #: Lines of the dialogue that are read before each one.
    context: int = 0
    #: Rate of a layer over that of the layer above it.
    decay: float = 0.85
    #: Classes drawn naturally (0) to evenly (1).
    balance: float = 0.0
    batch: int = 32
    masked: float = 0.1
    smoothing: float = 0.1
    warm: int = 100
    weight_decay: float = 0.05
    save_every: int = 100


class TextLoop:
    """One stage; the model's weights when it is built are where it begins."""

    def __init__(self, model: TextModel, stage: Stage, *, seed: int, device: str, checkpoint: Path) -> None:
        self.model, self.stage, self.seed, self.device, self.path = model, stage, seed, device, checkpoint
        groups = model.groups(stage.rate, stage.head_rate, stage.decay)
        self.optimiser = torch.optim.AdamW(groups, weight_decay=stage.weight_decay, betas=(0.9, 0.98), fused=True)
        self._peaks = [float(group["lr"]) for group in groups]
        self.done = 0

    def run(self, items: Sequence[LabelledUtterance], report: Callable[[str], None] = print) -> None:
        """Make the steps that are left, from the checkpoint if there is one."""
        stage = self.stage
        self._restore()
        tokenizer, context = self.model.encoder.tokenizer, stage.context
        batches = TextBatches(tokenizer, items, batch=stage.batch, masked=stage.masked, context=context)
        shares = {"goemotions": stage.goemotions, "meld": 1 - stage.goemotions}
        odds = odds_of(items, shares=shares, balance=stage.balance)
        losses = []
        while self.done < stage.steps:
            losses.append(self._step(batches, odds))
            self.done += 1
            if self.done % stage.save_every == 0 or self.done == stage.steps:
                self._save()
                report(f"{self.path.stem}: step {self.done}/{stage.steps}, loss {np.mean(losses):.3f}")
                losses = []

    def _step(self, batches: TextBatches, odds: NDArray[np.float64]) -> float:
        stage, batch = self.stage, batches.draw(odds, self.seed, self.done)
        torch.manual_seed(int(np.random.SeedSequence([self.seed, self.done]).generate_state(1)[0]))
        fall = 0.5 * (1 + math.cos(math.pi * self.done / stage.steps))
        for group, peak in zip(self.optimiser.param_groups, self._peaks, strict=True):
            group["lr"] = peak * min(1.0, (self.done + 1) / stage.warm) * fall
        self.model.train()
        with torch.autocast(self.device.partition(":")[0], dtype=torch.bfloat16):
            parts = (batch.ids, batch.mask, batch.context if stage.context else None)
            logits = self.model(*(None if part is None else part.to(self.device) for part in parts))
        labels = batch.labels.to(self.device)
        loss = nn.functional.cross_entropy(logits.float(), labels, label_smoothing=stage.smoothing)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for p in self.model.parameters() if p.requires_grad], 1.0)
        self.optimiser.step()
        return loss.item()

    def _save(self) -> None:
        """The weights that learn, and the optimiser's state as long as it is needed."""
        tensors = {f"model.{name}": t for name, t in self.model.learned().items()}
        if self.done < self.stage.steps:
            for number, own in self.optimiser.state_dict()["state"].items():
                tensors |= {f"optimiser.{number}.{name}": t for name, t in own.items()}
        write_checkpoint(self.path, tensors, {"run": self._identity(), "done": self.done})

    def _restore(self) -> None:
        if not self.path.is_file():
            return
        tensors, state = read_checkpoint(self.path)
        if state["run"] != self._identity():
            raise CheckpointUnreadable(f"checkpoint {self.path} was written by a run with other settings")
        self.model.restore({n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")})
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimiser."):
                _, number, key = name.split(".")
                moments.setdefault(int(number), {})[key] = tensor
        self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": moments})
        self.done = state["done"]

    def _identity(self) -> dict[str, object]:
        return {"stage": asdict(self.stage), "seed": self.seed}
