"""From a published classifier's labels to the canonical classes. Needs no torch, so profiles can check a map."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.emotions import EMOTIONS
from ml.errors import ModelError

#: What a label maps to that stands for no canonical class: its probability is left out.
LEFT_OUT = ""


class LabelMapInvalid(ModelError):
    """A label map does not fit the labels of its checkpoint, or names something that is no class."""

    code = "label_map_invalid"
    hint = 'Give every label of the checkpoint one of Tenor\'s classes, or "" to leave it out, under [speech.labels].'


@dataclass(frozen=True, slots=True)
class LabelMap:
    """`names` are the checkpoint's labels in the order of its outputs, `to` their classes or `LEFT_OUT`."""

    names: tuple[str, ...]
    to: Mapping[str, str]

    def __post_init__(self) -> None:
        if missing := [name for name in self.names if name not in self.to]:
            raise LabelMapInvalid(f"the label map lacks {', '.join(missing)}")
        if unknown := [name for name in self.to if name not in self.names]:
            raise LabelMapInvalid(
                f"the label map has {', '.join(unknown)}, but the checkpoint tells apart {', '.join(self.names)}"
            )
        if strange := [to for to in self.to.values() if to not in {*EMOTIONS, LEFT_OUT}]:
            raise LabelMapInvalid(f"the label map leads to {', '.join(strange)}; classes are {', '.join(EMOTIONS)}")
        if len(self.labels) < 2:
            raise LabelMapInvalid("the label map leads to fewer than two classes, between which nothing is decided")

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that the checkpoint can find, in canonical order."""
        return tuple(label for label in EMOTIONS if label in self.to.values())

    def probabilities(
        self, logits: NDArray[np.floating], *, temperature: float = 1.0, multi_label: bool = False
    ) -> NDArray[np.float64]:
        """[N, labels] of outputs [N, names]: labels of one class are added, rows sum to one.

        A multi-label classifier judges each label by itself (sigmoid); its judgements are added and normalised.
        """
        scaled = logits.astype(np.float64) / temperature
        if multi_label:
            shares = 1 / (1 + np.exp(-np.clip(scaled, -500, 500)))
        else:
            shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        classes = [shares[:, [self.to[name] == label for name in self.names]].sum(axis=1) for label in self.labels]
        stacked = np.stack(classes, axis=1)
        total = stacked.sum(axis=1, keepdims=True)
        # Where a classifier is so sure of what is left out that nothing remains, no class is likelier than another.
        return np.where(total > 0, stacked / np.where(total > 0, total, 1), 1 / len(self.labels))
