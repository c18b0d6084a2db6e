"""One fold of one model: trained, calibrated on its development items, tested."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ml.training.checkpoint import write_checkpoint, write_json
from ml.training.crossval import CHECKPOINT, RESULT
from ml.training.emotion_task import EmotionTask, Learner
from ml.training.scoring import Scores
from ml.training.splits import Fold
from ml.training.trainer import History, Progress, Schedule, fit

MODEL = "model.safetensors"
DIGITS = 6

AnyLearner = TypeVar("AnyLearner", bound=Learner[Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldJob(ABC, Generic[AnyLearner]):
    """What a process needs to compute a fold."""

    schedule: Schedule
    fold: Fold
    seed: int
    device: str
    #: Classes count the same in the loss; the paper's do not.
    weighted: bool
    #: Whether the weights are kept, for a bundle.
    keep: bool = False

    @abstractmethod
    def learner(self) -> AnyLearner:
        """The model, untrained, with its data."""

    def measured(self, learner: AnyLearner) -> dict[str, Any]:
        """What a model of this kind is asked beyond the emotions of its items."""
        return {}


def compute_fold(job: FoldJob[Any], folder: Path, report: Callable[[Progress], None]) -> None:
    """Compute a fold into its folder; goes on from its checkpoint if there is one."""
    torch.manual_seed(job.seed)
    learner: Learner[Any] = job.learner()
    task = EmotionTask(learner, job.fold.train, job.fold.development, batch=job.schedule.batch, weighted=job.weighted)
    checkpoint = folder / CHECKPOINT
    history = fit(task, job.schedule, seed=job.seed, device=job.device, checkpoint=checkpoint, report=report)
    result = _tested(learner, job.fold) | _told(learner.module, history) | job.measured(learner)
    if job.keep:
        tensors, config = learner.stored()
        write_checkpoint(folder / MODEL, tensors, {"config": config})
    write_json(folder / RESULT, result)
    checkpoint.unlink(missing_ok=True)


def _tested(learner: Learner[Any], fold: Fold) -> dict[str, Any]:
    """Probabilities of development and test items, with the temperature that the development items ask for."""
    result: dict[str, Any] = {"temperature": None}
    temperature = 1.0
    if len(fold.development):
        development = learner.scores(fold.development)
        temperature = development.fitted_temperature(learner.labels[fold.development])
        result |= {"temperature": temperature, "development": _part(fold.development, development, temperature)}
    if len(fold.test):
        result["test"] = _part(fold.test, learner.scores(fold.test), temperature)
    return result


def _part(items: NDArray[np.int64], scores: Scores, temperature: float) -> dict[str, Any]:
    return {
        "items": items.tolist(),
        "probabilities": _rounded(scores.probabilities()),
        "calibrated": _rounded(scores.probabilities(temperature)),
    }


def _rounded(values: NDArray[np.float64]) -> list[Any]:
    stored: list[Any] = np.round(values, DIGITS).tolist()
    return stored


def _told(module: nn.Module, history: History) -> dict[str, Any]:
    """Of the training itself: its length and what the learning curves are drawn from, and the size of the model."""
    return {
        "history": {"rows": history.rows, "best_step": history.best_step or history.step, "steps": history.step},
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
    }
