"""The loop of an adaptation: stages that thaw more and more, terms that methods add, a run that can be killed.

A step depends on the weights, the optimiser and (seed, step) alone, so a run that was killed goes on to the same model.
Apart from the other loops because what differs between stages (what learns, at which rate, over which features) is no
part of theirs.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ml.adaptation.bank import FrameBank
from ml.adaptation.errors import Stopped
from ml.adaptation.heads import Heard
from ml.adaptation.material import TARGET, Batch, Draw
from ml.adaptation.method import Method, Moment, Work, scores
from ml.adaptation.rates import rates
from ml.training.checkpoint import CheckpointUnreadable, read_checkpoint, write_checkpoint
from ml.training.metrics import balanced_accuracy

#: Labelled utterances of development speakers below which they choose no step. On twenty, of one speaker, nothing beat
#: step 0, and what the other labels had taught was thrown away (ops/docs/transfer.md); the gate judges in any case.
DECIDING = 50


@dataclass(frozen=True, slots=True)
class Stage:
    """So many steps with so many of the encoder's layers; without `emotion`, on the methods' own tasks."""

    name: str
    steps: int
    top_layers: int
    emotion: bool = True
    #: Whether the features are those of the convolutions, because the encoder learns or has learned.
    conv: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is; `eta_s` is None before the first step was timed."""

    stage: str
    step: int
    total: int
    losses: dict[str, float]
    #: Balanced accuracy on the development speakers at the last look; None without one.
    development: float | None
    eta_s: float | None


@dataclass(slots=True)
class History:
    """What the looks at the development speakers found."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    best_step: int = 0
    best: float | None = None


def stages(work: Work, methods: Sequence[Method]) -> list[Stage]:
    """Task stage, head, encoder; those without steps left out."""
    plan, task = work.plan, max((method.task_steps for method in methods), default=0)
    deep = plan.encoder_steps > 0 and work.network.encoder is not None
    layers = plan.top_layers if deep else 0
    found = [
        Stage("task", task, layers, emotion=False, conv=deep),
        # A task that moved the encoder has made the kept frames stale.
        Stage("head", plan.head_steps, 0, conv=deep and task > 0),
        Stage("encoder", plan.encoder_steps if deep else 0, layers, conv=deep),
    ]
    return [stage for stage in found if stage.steps]


class Loop:
    """One run; `network` ends as the best of the looks, or as the last step left it where nothing may choose."""

    def __init__(
        self, work: Work, methods: Sequence[Method], conv: FrameBank | None, checkpoint: Path, identity: dict[str, Any]
    ) -> None:
        self.work, self.methods, self.path, self.identity = work, methods, checkpoint, identity
        self._modules = nn.ModuleList(methods)
        self.stages = stages(work, methods)
        self.steps = sum(stage.steps for stage in self.stages)
        self._banks = {False: work.frames, True: conv}
        plan, material = work.plan, work.material
        hears = plan.batch if any(method.hears_target for method in methods) else 0
        self._draw = Draw(
            material,
            labelled=plan.batch,
            source_share=plan.source_share,
            unlabelled=hears,
            segment=work.segment,
            segments=work.network.ears.most(plan.segments),
        )
        own = material.development
        # Speakers of the source say nothing about the target: they fit the temperature, but choose no step.
        self._chooses = len(own) >= DECIDING and bool((material.part[own] == TARGET).all())
        self._kept = self._ever_learning()
        self._optimiser, self._peaks = self._optimise()
        self.history, self.done = History(), 0
        self._best: dict[str, Tensor] = {}

    def run(self, report: Callable[[Progress], None], stop: Callable[[], bool]) -> History:
        """Make the steps that are left; raises `Stopped` with the checkpoint written."""
        self._restore()
        begun, first, losses = time.monotonic(), self.done, {}
        if not self.history.rows:
            self._look()
        while self.done < self.steps:
            if stop():
                self._save()
                raise Stopped(f"stopped after step {self.done} of {self.steps}")
            stage, begin = self._stage()
            losses = self._step(stage, begin)
            self.done += 1
            if self.done % self.work.plan.judge_every == 0 or self.done == self.steps:
                self._look()
            if self.done % self.work.plan.save_every == 0 or self.done == self.steps:
                self._save()
            each = (time.monotonic() - begun) / (self.done - first)
            seen = self.history.rows[-1]["balanced_accuracy"] if self.history.rows else None
            report(Progress(stage.name, self.done, self.steps, losses, seen, each * (self.steps - self.done)))
        if self._best:
            self._load(self._best)
        self.work.network.eval()
        return self.history

    @property
    def conv(self) -> bool:
        """Whether the network now has to be heard from the convolutions on."""
        return bool(self.stages) and self.stages[-1].conv

    def bank(self, conv: bool) -> FrameBank:
        """The features of a stage."""
        found = self._banks[conv]
        assert found is not None
        return found

    def _stage(self) -> tuple[Stage, int]:
        begin = 0
        for stage in self.stages:
            if self.done < begin + stage.steps:
                return stage, begin
            begin += stage.steps
        raise AssertionError("no step is left")

    def _step(self, stage: Stage, begin: int) -> dict[str, float]:
        work, plan = self.work, self.work.plan
        rng = np.random.default_rng([plan.seed, self.done])
        torch.manual_seed(int(rng.integers(2**31)))
        self._set_rates((self.done - begin) / stage.steps, self.done - begin)
        self._thaw(stage)
        work.network.learning()
        self._modules.train()
        losses = self._losses(self._draw.batch(self.bank(stage.conv), rng, work.device), stage)
        total = torch.stack(list(losses.values())).sum()
        self._optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        learned = [p for group in self._optimiser.param_groups for p in group["params"] if p.grad is not None]
        nn.utils.clip_grad_norm_(learned, plan.clip)
        self._optimiser.step()
        return {name: float(value.detach()) for name, value in losses.items()}

    def _losses(self, batch: Batch, stage: Stage) -> dict[str, Tensor]:
        network, moment = self.work.network, Moment(self.done, self.steps, stage.name)
        read, mask = network.read(batch.features, batch.mask, conv=stage.conv)
        for method in self.methods:
            read = method.remap(read, batch)
        heard = network.hear(read, mask, batch.voices)
        losses: dict[str, Tensor] = {}
        if stage.emotion:
            losses["emotion"] = emotion_loss(heard, batch, self.work.plan.smoothing)
        for method in self.methods:
            own = method.loss(heard, batch, moment) if stage.emotion else method.task_loss(heard, batch)
            if own is not None:
                losses[method.name] = own
        return losses

    def _thaw(self, stage: Stage) -> None:
        self.work.network.thaw(stage.top_layers)
        for method in self.methods:
            method.thaw(self.work.network, stage.top_layers)

    def _look(self) -> None:
        material = self.work.material
        if not self._chooses:
            return
        stage = self._stage()[0] if self.done < self.steps else self.stages[-1]
        conv = stage.conv
        found = scores(self.work.network, material, self.bank(conv), material.development, self.work.device, conv=conv)
        labels = material.labels[material.development]
        score = balanced_accuracy(labels, found.probabilities().argmax(axis=1))
        self.history.rows.append({"step": self.done, "balanced_accuracy": score})
        if self.history.best is None or score > self.history.best:
            self.history.best, self.history.best_step, self._best = score, self.done, self._learned()

    def _ever_learning(self) -> set[str]:
        names = {f"head.{name}" for name in self.work.network.head.state_dict()}
        for stage in self.stages:
            self._thaw(stage)
            names |= {name for name, p in self.work.network.named_parameters() if p.requires_grad}
        return names

    def _optimise(self) -> tuple[torch.optim.Optimizer, list[float]]:
        network, peak = self.work.network, rates(self.work.plan, self.work.network)
        faster = max((method.rate_factor for method in self.methods), default=1.0)
        named = {name: p for name, p in network.named_parameters() if name in self._kept}
        parts = [
            (
                [p for name, p in named.items() if name.startswith("head.")] + list(self._modules.parameters()),
                peak.head,
            ),
            ([p for name, p in named.items() if name.startswith("encoder.")], peak.encoder * faster),
            ([p for name, p in named.items() if name == "layer_weights"], peak.layer_weights),
        ]
        groups = [{"params": own, "lr": rate} for own, rate in parts if own]
        return torch.optim.AdamW(groups, weight_decay=self.work.plan.weight_decay), [g["lr"] for g in groups]  # type: ignore[misc]

    def _set_rates(self, share: float, step: int) -> None:
        factor = min(1.0, (step + 1) / 20) * (0.01 + 0.495 * (1 + math.cos(math.pi * share)))
        for group, peak in zip(self._optimiser.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor

    def _learned(self) -> dict[str, Tensor]:
        state = self.work.network.state_dict()
        return {name: t.detach().cpu().clone() for name, t in state.items() if name in self._kept}

    def _load(self, tensors: dict[str, Tensor]) -> None:
        self.work.network.load_state_dict(tensors, strict=False)

    def _save(self) -> None:
        tensors = {f"model.{name}": t for name, t in self._learned().items()}
        tensors |= {f"best.{name}": t for name, t in self._best.items()}
        tensors |= {f"methods.{name}": t for name, t in self._modules.state_dict().items()}
        for number, own in self._optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{name}": t for name, t in own.items()}
        history = {"rows": self.history.rows, "best_step": self.history.best_step, "best": self.history.best}
        write_checkpoint(self.path, tensors, {"run": self.identity, "done": self.done, "history": history})

    def _restore(self) -> None:
        if not self.path.is_file():
            return
        tensors, state = read_checkpoint(self.path)
        if state["run"] != self.identity:
            raise CheckpointUnreadable(f"checkpoint {self.path} was written by a run with other settings or data")
        part = {
            prefix: {n.removeprefix(f"{prefix}."): t for n, t in tensors.items() if n.startswith(f"{prefix}.")}
            for prefix in ("model", "best", "methods", "optimiser")
        }
        self._load(part["model"])
        self._modules.load_state_dict(part["methods"])
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in part["optimiser"].items():
            number, _, key = name.partition(".")
            moments.setdefault(int(number), {})[key] = tensor
        self._optimiser.load_state_dict(self._optimiser.state_dict() | {"state": moments})
        self._best, self.done, self.history = part["best"], state["done"], History(**state["history"])


def emotion_loss(heard: Heard, batch: Batch, smoothing: float) -> Tensor:
    """Cross-entropy with shares of votes, of segments by their real frames and of utterances by their weight."""
    classes = batch.targets.shape[1]
    wanted = batch.targets * (1 - smoothing) + smoothing / classes
    each = -(torch.log_softmax(heard.logits.float(), dim=2) * wanted[:, None]).sum(dim=2)
    own = (each * heard.shares).sum(dim=1) * batch.weights
    loss: Tensor = own.sum() / batch.weights.sum().clamp(min=1e-6)
    return loss
