"""One fold of the text model over one encoder: trained, calibrated on its development items, tested."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from ml.experiments.speech_folds import CHECKPOINT, MODEL, tested, told
from ml.models.makiuchi.text import TextEmotionConfig
from ml.training.checkpoint import write_checkpoint, write_json
from ml.training.crossval import RESULT
from ml.training.features import TextSet
from ml.training.splits import Fold
from ml.training.text_task import TextTask
from ml.training.trainer import Progress, Schedule, fit


@dataclass(frozen=True, slots=True)
class TextJob:
    """What a process needs to compute a fold."""

    data: TextSet
    config: TextEmotionConfig
    schedule: Schedule
    fold: Fold
    seed: int
    device: str
    weighted: bool
    keep: bool = False


def compute_text(job: TextJob, folder: Path, report: Callable[[Progress], None]) -> None:
    """Compute a fold into its folder; goes on from its checkpoint if there is one."""
    torch.manual_seed(job.seed)
    task = TextTask(
        job.data,
        job.config,
        job.fold.train,
        job.fold.development,
        batch=job.schedule.batch,
        weighted=job.weighted,
        device=job.device,
    )
    checkpoint = folder / CHECKPOINT
    history = fit(task, job.schedule, seed=job.seed, device=job.device, checkpoint=checkpoint, report=report)
    result = tested(task.scores, job.data.labels, job.fold) | told(task.module, history)
    if job.keep:
        tensors = {f"head.{name}": tensor for name, tensor in task.module.state_dict().items()}
        write_checkpoint(folder / MODEL, tensors, {"config": task.module.to_config()})
    write_json(folder / RESULT, result)
    checkpoint.unlink(missing_ok=True)
