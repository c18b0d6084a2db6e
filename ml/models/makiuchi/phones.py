"""Source A's phone encoder: tells the decoder what is said, so that the codes need not."""

import torch
from torch import Tensor, nn

from ml.models.makiuchi.convolutions import stack


class PhoneEncoder(nn.Module):
    """Phone ids per frame to vectors per frame (Makiuchi, Uto, Shinoda 2021, section 3.1)."""

    def __init__(self, classes: int = 128, channels: int = 512, size: int = 128) -> None:
        super().__init__()
        self.classes = classes
        self.convolutions = stack(classes, channels, 3)
        self.recurrent = nn.LSTM(channels, size, num_layers=2, batch_first=True, bidirectional=True)

    def forward(self, phones: Tensor) -> Tensor:
        """[B, T] int64 ids (`ml.alignment.phone_ids`) to [B, T, 2 · size]."""
        chosen = nn.functional.one_hot(phones, self.classes).to(next(self.parameters()).dtype)
        hidden: Tensor = self.recurrent(self.convolutions(torch.transpose(chosen, 1, 2)).transpose(1, 2))[0]
        return hidden
