"""What every method of adaptation is: something that prepares itself on the data, and adds to the loss."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.adaptation.bank import FrameBank
from ml.adaptation.errors import DataLacking, PlanInvalid
from ml.adaptation.heads import Heard
from ml.adaptation.material import Batch, Indices, Material, in_order
from ml.adaptation.network import SpeechNetwork
from ml.adaptation.plan import AdaptationPlan
from ml.training.scoring import Scores


@dataclass
class Work:
    """What methods are built from: the model as it stands before training, and the data."""

    network: SpeechNetwork
    material: Material
    #: The classes of the new model.
    labels: tuple[str, ...]
    plan: AdaptationPlan
    #: Frames that the head reads, as the unchanged encoder gives them.
    frames: FrameBank
    #: Makes the champion's probabilities honest.
    temperature: float
    device: str
    #: The text side of the profile's specification, for methods that it teaches.
    teacher: dict[str, Any] | None = None
    #: What methods found out, for the run's report.
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def segment(self) -> int:
        """Rows of what the head reads that it classifies at once."""
        return self.network.ears.segment

    @torch.no_grad()
    def embeddings(self, numbers: Indices) -> NDArray[np.float32]:
        """What the champion's head says before its classifier [n, codes] of utterances by number."""
        self.network.eval()

        def hear(batch: Batch) -> Tensor:
            return self.network.hear(batch.features, batch.mask, batch.voices).embedding

        return in_order(self.material, self.frames, numbers, hear, self.segment, self.device)

    @torch.no_grad()
    def log_probabilities(self, numbers: Indices) -> NDArray[np.float32]:
        """The champion's [n, classes], before any temperature."""
        self.network.eval()

        def hear(batch: Batch) -> Tensor:
            return self.network.hear(batch.features, batch.mask, batch.voices).log_probabilities

        return in_order(self.material, self.frames, numbers, hear, self.segment, self.device)


@dataclass(frozen=True, slots=True)
class Moment:
    """Where training is."""

    step: int
    steps: int
    stage: str

    @property
    def progress(self) -> float:
        """0 at the first step, 1 at the last."""
        return self.step / max(1, self.steps - 1)


class Method(nn.Module):
    """One method. Its parameters learn with the network's, and are thrown away with it unless it writes them into it.

    Building one may take long and change `work.material`; it has to give the same whenever it is built.
    """

    #: Its name in plans.
    name: ClassVar[str]
    #: Whether every batch also holds utterances of the new corpus without their labels.
    hears_target: ClassVar[bool] = False
    #: Steps on its own task before emotion is learned.
    task_steps: int = 0
    #: By how much the encoder's learning rate is multiplied.
    rate_factor: ClassVar[float] = 1.0

    def __init__(self, work: Work) -> None:
        super().__init__()
        del work  # Methods keep what they need of it.

    def remap(self, frames: Tensor, batch: Batch) -> Tensor:
        """What the head is to read instead of frames [B, T, width]."""
        return frames

    def loss(self, heard: Heard, batch: Batch, moment: Moment) -> Tensor | None:
        """What is added to the cross-entropy; None: nothing."""
        return None

    def task_loss(self, heard: Heard, batch: Batch) -> Tensor | None:
        """What is minimised in the stage before emotion is learned."""
        return None

    def thaw(self, network: SpeechNetwork, top_layers: int) -> None:
        """Change what learns in a stage whose upper `top_layers` layers have just been thawed."""

    def finish(self, network: SpeechNetwork) -> None:
        """Leave nothing in the network that its bundle could not hold."""


def needed(numbers: Indices, least: int, what: str, method: str) -> Indices:
    """The same numbers; raises `DataLacking` when there are fewer than a method can do with."""
    if len(numbers) < least:
        raise DataLacking(f"{method} needs at least {least} {what}, there are {len(numbers)}")
    return numbers


def setting(condition: bool, sentence: str) -> None:
    """Raise `PlanInvalid` with a sentence when a setting is not possible."""
    if not condition:
        raise PlanInvalid(sentence)


@torch.inference_mode()
def scores(
    network: SpeechNetwork, material: Material, bank: FrameBank, numbers: Indices, device: str, *, conv: bool
) -> Scores:
    """Logits of all segments of utterances by number, whole, as inference weighs them."""
    network.eval()
    segment, parts = network.ears.segment, []
    owners = {int(number): row for row, number in enumerate(numbers)}
    seen: list[int] = []

    def hear(batch: Batch) -> Tensor:
        heard = network.hear(*network.read(batch.features, batch.mask, conv=conv), batch.voices)
        rows, columns = torch.nonzero(heard.shares > 0, as_tuple=True)
        counts = heard.mask.sum(dim=1).float()
        weights = (heard.shares * counts[:, None])[rows, columns]
        parts.append((heard.logits[rows, columns].double().cpu().numpy(), weights.double().cpu().numpy()))
        seen.extend(owners[int(batch.numbers[row])] for row in rows.tolist())
        return heard.embedding

    in_order(material, bank, numbers, hear, segment, device)
    classes = network.head.config.classes
    logits = np.concatenate([own for own, _ in parts]) if parts else np.zeros((0, classes))
    weights = np.concatenate([own for _, own in parts]) if parts else np.zeros(0)
    return Scores(logits, np.asarray(seen, dtype=np.int64), weights, len(numbers))
