"""Gender and speaker as tasks beside emotion.

Han, Zhao, Wang 2019, section IV.A: related tasks learned together share what they need. Weights as in systems of the
Interspeech 2025 challenge: cross-entropy of emotion plus 0.1 of each.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ml.adaptation.errors import DataLacking
from ml.adaptation.heads import Heard
from ml.adaptation.material import Batch
from ml.adaptation.method import Method, Moment, Work, setting

#: What cross-entropy passes over.
UNKNOWN = -1


class Naming(nn.Module):
    """A linear classifier of something that is known of some utterances."""

    numbers: Tensor

    def __init__(self, work: Work, said: Sequence[str | None], width: int) -> None:
        super().__init__()
        self.names = sorted({name for name in said if name is not None})
        ids = [UNKNOWN if name is None else self.names.index(name) for name in said]
        self.register_buffer("numbers", torch.tensor(ids, device=work.device), persistent=False)
        self.linear = nn.Linear(width, max(1, len(self.names)))

    def loss(self, embedding: Tensor, batch: Batch) -> Tensor | None:
        """Mean cross-entropy over those of the batch of which it is known; None where it is known of none."""
        wanted = self.numbers[torch.from_numpy(batch.numbers).to(self.numbers.device)]
        if not bool((wanted != UNKNOWN).any()):
            return None
        return nn.functional.cross_entropy(self.linear(embedding), wanted, ignore_index=UNKNOWN)


def genders(work: Work) -> Naming:
    """Of what corpora say; raises `DataLacking` unless there are two."""
    found = Naming(work, [item.gender for item in work.material.items], code_width(work))
    if len(found.names) < 2:
        raise DataLacking("no two genders are named in the data")
    return found


def code_width(work: Work) -> int:
    """Numbers in an utterance's embedding."""
    return work.network.ears.embedding_size


class MultiTask(Method):
    """Adds a share of the losses of naming the speaker's gender and the speaker."""

    name = "multitask"

    def __init__(self, work: Work, *, gender: float = 0.1, speaker: float = 0.1) -> None:
        super().__init__(work)
        setting(
            min(gender, speaker) >= 0 and gender + speaker > 0, "the weights of multitask are 0 or more, not both 0"
        )
        tasks = {}
        if gender and len({item.gender for item in work.material.items} - {None}) > 1:
            tasks["gender"] = genders(work)
        if speaker:
            held = {work.material.items[i].speaker for i in work.material.development}
            said = [None if name in held else name for name in work.material.speakers]
            tasks["speaker"] = Naming(work, said, code_width(work))
        if not tasks:
            raise DataLacking("no two genders are named in the data, and speakers are not to be named")
        self.tasks, self._weights = nn.ModuleDict(tasks), {"gender": gender, "speaker": speaker}
        work.notes["multitask"] = {name: len(task.names) for name, task in tasks.items()}

    def loss(self, heard: Heard, batch: Batch, moment: Moment) -> Tensor | None:
        """See the class."""
        found = []
        for name, task in self.tasks.items():
            assert isinstance(task, Naming)
            if (own := task.loss(heard.embedding.float(), batch)) is not None:
                found.append(self._weights[name] * own)
        return torch.stack(found).sum() if found else None


class GenderStart(Method):
    """First learn to tell women's voices from men's, then emotion from what that has made.

    Han, Zhao, Wang 2019, section III.B, after Zhao et al.'s network for age and gender. No corpus that Tenor reads says
    ages in years that could be learned, so it is gender alone; utterances without an emotion's label help too.
    """

    name = "gender-start"
    hears_target = True

    def __init__(self, work: Work, *, steps: int = 150, speaker_size: int | None = None) -> None:
        super().__init__(work)
        del speaker_size  # `starts.begin` reads it.
        setting(steps >= 1, "gender-start takes at least one step")
        self.gender, self.task_steps = genders(work), steps

    def task_loss(self, heard: Heard, batch: Batch) -> Tensor | None:
        """Cross-entropy of gender."""
        found = self.gender.loss(heard.embedding.float(), batch)
        return heard.embedding.sum() * 0 if found is None else found
