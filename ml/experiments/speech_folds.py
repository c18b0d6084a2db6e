"""One fold of one variant of the speech model: trained, calibrated on its development speakers, tested."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ml.models.makiuchi.config import CrossRepresentationConfig
from ml.training.checkpoint import write_checkpoint, write_json
from ml.training.crossval import RESULT
from ml.training.features import SpeechSet
from ml.training.scoring import Scores
from ml.training.speech_task import SpeechTask
from ml.training.splits import Fold
from ml.training.trainer import History, Progress, Schedule, fit

CHECKPOINT, MODEL = "checkpoint.safetensors", "model.safetensors"
DIGITS = 6


@dataclass(frozen=True, slots=True)
class SpeechJob:
    """What a process needs to compute a fold."""

    data: SpeechSet
    config: CrossRepresentationConfig
    schedule: Schedule
    fold: Fold
    seed: int
    device: str
    #: Classes count the same in the loss; the paper's do not.
    weighted: bool
    #: Trained as the authors' code does, see `SpeechTask`.
    released: bool
    #: Whether a probe looks for speakers in the codes.
    probe: bool = False
    #: Whether the weights are kept, for a bundle.
    keep: bool = False


def rounded(values: NDArray[np.float64]) -> list[Any]:
    """Values as a result stores them."""
    stored: list[Any] = np.round(values, DIGITS).tolist()
    return stored


def told(module: nn.Module, history: History) -> dict[str, Any]:
    """Of the training itself: its length and what the learning curves are drawn from, and the size of the model."""
    return {
        "history": {"rows": history.rows, "best_step": history.best_step or history.step, "steps": history.step},
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
    }


def tested(scores: Callable[[NDArray[np.int64]], Scores], labels: NDArray[np.int64], fold: Fold) -> dict[str, Any]:
    """Probabilities of development and test items, with the temperature that the development items ask for."""
    result: dict[str, Any] = {"temperature": None}
    temperature = 1.0
    if len(fold.development):
        development = scores(fold.development)
        temperature = development.fitted_temperature(labels[fold.development])
        result |= {"temperature": temperature, "development": _part(fold.development, development, temperature)}
    if len(fold.test):
        result["test"] = _part(fold.test, scores(fold.test), temperature)
    return result


def _part(items: NDArray[np.int64], scores: Scores, temperature: float) -> dict[str, Any]:
    return {
        "items": items.tolist(),
        "probabilities": rounded(scores.probabilities()),
        "calibrated": rounded(scores.probabilities(temperature)),
    }


def compute_speech(job: SpeechJob, folder: Path, report: Callable[[Progress], None]) -> None:
    """Compute a fold into its folder; goes on from its checkpoint if there is one."""
    torch.manual_seed(job.seed)
    task = SpeechTask(
        job.data,
        job.config,
        job.fold.train,
        job.fold.development,
        batch=job.schedule.batch,
        weighted=job.weighted,
        device=job.device,
        released=job.released,
    )
    checkpoint = folder / CHECKPOINT
    history = fit(task, job.schedule, seed=job.seed, device=job.device, checkpoint=checkpoint, report=report)
    result = tested(task.scores, job.data.labels, job.fold) | told(task.module, history)
    if job.config.losses.reconstructs and len(job.fold.test):
        rebuilt, mean = task.reconstruction_error(job.fold.test, task.mean_mel(job.fold.train))
        result["reconstruction"] = {"model": rebuilt, "mean_mel": mean, "frames": _frames(job, job.fold.test)}
    if job.probe:
        from ml.experiments.probing import probe_speakers

        result["probe"] = probe_speakers(task, job)
    if job.keep:
        write_checkpoint(folder / MODEL, task.module.inference_tensors(), {"config": job.config.to_json()})
    write_json(folder / RESULT, result)
    checkpoint.unlink(missing_ok=True)


def _frames(job: SpeechJob, items: NDArray[np.int64]) -> int:
    return sum(job.data.frames[int(i)] for i in items)
