"""A change of classes: what is known about shared ones stays, new ones begin at random.

Han, Zhao, Wang 2019, section II: inductive transfer, the source's and the target's label spaces differ.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from ml.models.makiuchi.speech import SpeechEmotionModel


@torch.no_grad()
def remapped(head: SpeechEmotionModel, known: Sequence[str], wanted: Sequence[str]) -> SpeechEmotionModel:
    """A head for the classes `wanted`, with the rows of `known` ones in their new places.

    Rows of new classes are drawn from torch's generator, with the spread of the known ones.
    """
    result = SpeechEmotionModel(replace(head.config, classes=len(wanted)))
    old, new = head.classifier[-1], result.classifier[-1]
    assert isinstance(old, nn.Linear) and isinstance(new, nn.Linear)
    move_rows(old, new, known, wanted)
    below = {name: t for name, t in head.state_dict().items() if not name.startswith(_last(head))}
    result.load_state_dict(below, strict=False)
    return result.to(old.weight.device)


@torch.no_grad()
def move_rows(old: nn.Linear, new: nn.Linear, known: Sequence[str], wanted: Sequence[str]) -> None:
    """Fill a classifier of the classes `wanted` from one of the classes `known`."""
    new.weight.copy_(old.weight.std() * torch.randn(new.weight.shape))
    new.bias.copy_(old.bias.mean())
    for row, label in enumerate(wanted):
        if label in known:
            new.weight[row], new.bias[row] = old.weight[known.index(label)], old.bias[known.index(label)]


def _last(head: SpeechEmotionModel) -> str:
    return f"classifier.{len(head.classifier) - 1}."
