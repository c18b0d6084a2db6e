"""The convolution block that every part of source A's speech model repeats."""

from itertools import pairwise
from typing import Literal

from torch import nn

#: Frames that a convolution sees: 100 ms.
KERNEL = 5


def block(width_in: int, width_out: int, activation: Literal["relu", "tanh", "linear"]) -> list[nn.Module]:
    """Convolution over [B, width_in, T], batch norm and activation; the length stays.

    Xavier-uniform weights with the activation's gain, as in the released code.
    """
    convolution = nn.Conv1d(width_in, width_out, KERNEL, padding=KERNEL // 2)
    nn.init.xavier_uniform_(convolution.weight, gain=nn.init.calculate_gain(activation))
    layers: list[nn.Module] = [convolution, nn.BatchNorm1d(width_out)]
    if activation != "linear":
        layers.append(nn.ReLU() if activation == "relu" else nn.Tanh())
    return layers


def stack(width_in: int, channels: int, count: int) -> nn.Sequential:
    """`count` ReLU blocks: [B, width_in, T] to [B, channels, T]."""
    widths = [width_in] + [channels] * count
    return nn.Sequential(*(layer for narrow, wide in pairwise(widths) for layer in block(narrow, wide, "relu")))
