"""The training loop of every model here.

A loop of our own: it is a page long, and what libraries add (callbacks, launchers, loggers) would have to be bent to
give the one thing that matters here, that a run which was killed goes on to the same weights.

A step depends on nothing but the weights, the optimiser and (seed, step): batches and dropout are drawn from generators
seeded with those two, so a resumed run needs no memory of random states or of the order of items.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ml.errors import TenorError
from ml.training.checkpoint import CheckpointUnreadable, read_checkpoint, write_checkpoint

Batch = TypeVar("Batch")
#: Seconds between checkpoints, unless writing one takes long.
CHECKPOINT_S = 30.0
#: Writing checkpoints takes at most this share of the time.
CHECKPOINT_SHARE = 0.05


class TrainingDiverged(TenorError):
    """The weights are no numbers any more."""

    code = "training_diverged"
    hint = "Train with a lower --rate."


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast. The defaults stop early; `paper` is source A's fixed schedule (section 4.2)."""

    steps: int = 4000
    batch: int = 16
    rate: float = 5e-4
    #: Steps between looks at the development set.
    judge_every: int = 100
    #: Looks without a better one after which training stops; None: all steps, and the last weights are kept.
    patience: int | None = 10
    #: Norm that gradients are clipped to; None: not clipped.
    clip: float | None = 5.0

    @classmethod
    def paper(cls, steps: int = 1_000_000, batch: int = 2) -> "Schedule":
        """Adam at 1e-4 for a fixed number of steps; the last weights are the model."""
        return cls(steps=steps, batch=batch, rate=1e-4, judge_every=1000, patience=None, clip=None)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is. `steps` is an upper bound where training may stop early."""

    step: int
    steps: int
    losses: dict[str, float]
    development: dict[str, float]


@dataclass(slots=True)
class History:
    """What happened: one row per look, and which of them is the best."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    best_step: int = 0
    best_score: float = float("-inf")
    step: int = 0

    def stopped(self, schedule: Schedule) -> bool:
        """Whether there is no step left to make."""
        if self.step >= schedule.steps:
            return True
        looks = sum(row["step"] > self.best_step for row in self.rows)
        return schedule.patience is not None and bool(self.rows) and looks >= schedule.patience


class Task(Protocol[Batch]):
    """A model and its data."""

    @property
    def module(self) -> nn.Module:
        """What is trained."""

    def draw(self, rng: np.random.Generator) -> Batch:
        """A training batch, on the CPU; called from another thread while the step before is computed."""

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Losses by name; `total` is the one that is minimised."""

    def judge(self) -> dict[str, float]:
        """Figures on the development set, of which `score` decides; empty where there is none."""


def half_precision(device: str) -> torch.dtype | None:
    """bf16 on GPUs that compute in it, fp16 on older ones; None on the CPU, where results are the same bit for bit."""
    if not device.startswith("cuda"):
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def autocast(device: str) -> AbstractContextManager[Any]:
    """Mixed precision as the device has it."""
    half = half_precision(device)
    return torch.autocast(device.partition(":")[0], dtype=half or torch.bfloat16, enabled=half is not None)


def fit(
    task: Task[Any],
    schedule: Schedule,
    *,
    seed: int,
    device: str,
    checkpoint: Path,
    report: Callable[[Progress], None] = lambda _: None,
    checkpoint_s: float = CHECKPOINT_S,
) -> History:
    """Train in place, from `checkpoint` if that exists; ends with the best weights (or the last, without patience).

    On the CPU, with the same number of threads, a run that was killed and resumed ends with equal weights.
    Raises `TrainingDiverged`.
    """
    run = _Run(task, schedule, seed, device, checkpoint)
    run.restore()
    written, took = time.monotonic(), 0.0
    with ThreadPoolExecutor(max_workers=1) as ahead:
        coming = ahead.submit(run.draw, run.history.step + 1)
        while not run.history.stopped(schedule):
            batch = coming.result()
            coming = ahead.submit(run.draw, run.history.step + 2)
            run.step(batch)
            if run.history.step % schedule.judge_every and run.history.step != schedule.steps:
                continue
            report(run.look())
            if time.monotonic() - written >= max(checkpoint_s, took / CHECKPOINT_SHARE):
                begin = time.monotonic()
                run.save()
                written, took = time.monotonic(), time.monotonic() - begin
    run.save()
    run.finish()
    return run.history


class _Run:
    def __init__(self, task: Task[Any], schedule: Schedule, seed: int, device: str, checkpoint: Path) -> None:
        self.task, self.schedule, self.seed, self.device, self.path = task, schedule, seed, device, checkpoint
        self.optimiser = torch.optim.Adam(task.module.parameters(), lr=schedule.rate)
        # Gradients of fp16 vanish without it; for bf16 and fp32 it does nothing.
        self.scaler = torch.amp.GradScaler("cuda", enabled=half_precision(device) is torch.float16)
        self.history = History()
        self.best: dict[str, Tensor] = {}
        self.sums: dict[str, Tensor] = {}

    def draw(self, step: int) -> Any:
        return self.task.draw(np.random.default_rng([self.seed, step]))

    def step(self, batch: Any) -> None:
        self.history.step += 1
        torch.manual_seed(int(np.random.SeedSequence([self.seed, self.history.step]).generate_state(1)[0]))
        self.task.module.train()
        with autocast(self.device):
            losses = self.task.losses(batch)
        self.optimiser.zero_grad()
        self.scaler.scale(losses["total"]).backward()
        if self.schedule.clip is not None:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.task.module.parameters(), self.schedule.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        for name, value in losses.items():
            self.sums[name] = self.sums[name] + value.detach() if name in self.sums else value.detach()

    def look(self) -> Progress:
        # A single loss may overflow in half precision and be passed over; weights that did never come back.
        if not all(bool(weights.isfinite().all()) for weights in self.task.module.parameters()):
            raise TrainingDiverged(f"training diverged before step {self.history.step}")
        self.task.module.eval()
        figures = self.task.judge()
        step, last = self.history.step, self.history.rows[-1]["step"] if self.history.rows else 0
        losses = {name: float(value) / (step - last) for name, value in self.sums.items()}
        self.history.rows.append({"step": step, "losses": losses, "development": figures})
        self.sums = {}
        if self.schedule.patience is not None and figures and figures["score"] > self.history.best_score:
            self.history.best_step, self.history.best_score = step, figures["score"]
            self.best = {name: t.detach().cpu().clone() for name, t in self.task.module.state_dict().items()}
        return Progress(step, self.schedule.steps, losses, figures)

    def save(self) -> None:
        tensors = {f"model.{name}": t for name, t in self.task.module.state_dict().items()}
        tensors |= {f"best.{name}": t for name, t in self.best.items()}
        optimiser = self.optimiser.state_dict()
        for number, own in optimiser["state"].items():
            tensors |= {f"optimiser.{number}.{name}": t for name, t in own.items()}
        history = {"rows": self.history.rows, "step": self.history.step, "best_step": self.history.best_step}
        state = {
            "run": self._identity(),
            "history": history,
            "best_score": self.history.best_score if self.best else None,
            "scaler": self.scaler.state_dict(),
        }
        write_checkpoint(self.path, tensors, state)

    def restore(self) -> None:
        if not self.path.is_file():
            return
        tensors, state = read_checkpoint(self.path)
        if state["run"] != self._identity():
            raise CheckpointUnreadable(f"checkpoint {self.path} was written by a run with other settings")
        part = {
            prefix: {n.removeprefix(f"{prefix}."): t for n, t in tensors.items() if n.startswith(f"{prefix}.")}
            for prefix in ("model", "best", "optimiser")
        }
        try:
            self.task.module.load_state_dict(part["model"])
        except RuntimeError as exc:
            raise CheckpointUnreadable(f"checkpoint {self.path} belongs to another model") from exc
        own: dict[int, dict[str, Tensor]] = {}
        for name, tensor in part["optimiser"].items():
            number, _, key = name.partition(".")
            own.setdefault(int(number), {})[key] = tensor
        self.optimiser.load_state_dict(self.optimiser.state_dict() | {"state": own})
        self.scaler.load_state_dict(state["scaler"])
        self.best = part["best"]
        self.history = History(**state["history"])
        if state["best_score"] is not None:
            self.history.best_score = state["best_score"]

    def finish(self) -> None:
        if self.best:
            self.task.module.load_state_dict(self.best)
        self.task.module.eval()

    def _identity(self) -> dict[str, Any]:
        return {"schedule": asdict(self.schedule), "seed": self.seed}
