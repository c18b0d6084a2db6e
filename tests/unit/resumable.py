"""A training run that takes its time, to be killed: `python -m tests.unit.resumable CHECKPOINT PAUSE_S`."""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ml.training.trainer import History, Schedule, fit

SCHEDULE = Schedule(steps=60, batch=8, rate=1e-2, judge_every=5, patience=20)


class Circles:
    """Two rings of points that a small network with dropout and batch norm tells apart."""

    def __init__(self, pause_s: float = 0.0) -> None:
        torch.manual_seed(3)
        self.module = nn.Sequential(nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 2))
        self._pause_s = pause_s

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Points and whose ring they are on."""
        labels = rng.integers(0, 2, size=SCHEDULE.batch)
        angles = rng.uniform(0, 2 * np.pi, size=SCHEDULE.batch)
        points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * (1 + labels[:, None])
        return torch.from_numpy(points.astype(np.float32)), torch.from_numpy(labels)

    def losses(self, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """Cross-entropy, after a pause."""
        time.sleep(self._pause_s)
        return {"total": nn.functional.cross_entropy(self.module(batch[0]), batch[1])}

    @torch.inference_mode()
    def judge(self) -> dict[str, float]:
        """Accuracy on points that are always the same."""
        points, labels = self.draw(np.random.default_rng(99))
        return {"score": float((self.module(points).argmax(dim=1) == labels).float().mean())}


def run(
    checkpoint: Path, pause_s: float = 0.0, schedule: Schedule = SCHEDULE, seed: int = 1
) -> tuple[Circles, History]:
    """Train, with a checkpoint at every look."""
    torch.set_num_threads(1)
    task = Circles(pause_s)
    return task, fit(task, schedule, seed=seed, device="cpu", checkpoint=checkpoint, checkpoint_s=0.0)


if __name__ == "__main__":
    run(Path(sys.argv[1]), float(sys.argv[2]))
