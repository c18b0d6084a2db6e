"""Source A's text emotion model: a small CNN over the token vectors of a BERT-like encoder.

Makiuchi, Uto, Shinoda (ASRU 2021), section 3.2, in two variants with the same weights' shapes.

"corrected", the default, departs from the released code where that contradicts its aim: only real tokens enter (there,
[SEP] and [PAD] vectors do), the mean runs over real tokens, convolutions keep the length so that one word is enough,
and logits go to the softmax without a sigmoid, which confines probabilities to a narrow band.

"faithful" is the released code: 120 vectors of a text padded to 122 tokens ([CLS] and the last one removed), two rows
of zeros, one position of padding on each side of every convolution, a mean over the first 118 of 120 positions, and a
sigmoid before the softmax.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.models.spoken import words_of

KERNELS = (1, 1, 8, 4)
#: The released code's fixed length in tokens, and the window of its average pooling.
POSITIONS, POOLED = 122, 118


@dataclass(frozen=True, slots=True)
class TextEmotionConfig:
    """Sizes; the defaults are the paper's over bert-large."""

    input_size: int = 1024
    widths: tuple[int, int, int, int] = (256, 256, 128, 64)
    classes: int = 7
    #: On the token vectors and on the pooled ones; the corrected variant only.
    dropout: float = 0.0
    variant: Literal["corrected", "faithful"] = "corrected"
    #: Before the softmax. None: as the variant has it, so faithful only; it alone confines text probabilities to
    #: [0.11, 0.48] of four classes, which is why the paper's fusion weights do not carry over to a model without it.
    sigmoid: bool | None = None

    @property
    def squashed(self) -> bool:
        """Whether logits pass a sigmoid."""
        return self.variant == "faithful" if self.sigmoid is None else self.sigmoid


class TextEmotionCnn(nn.Module):
    """Token vectors to class logits."""

    def __init__(self, config: TextEmotionConfig) -> None:
        super().__init__()
        self.config = config
        inputs = (config.input_size, *config.widths[:-1])
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width_in, width_out, kernel)
            for width_in, width_out, kernel in zip(inputs, config.widths, KERNELS, strict=True)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(config.widths[-1], config.classes)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TextEmotionCnn":
        """Build from a bundle's configuration."""
        return cls(TextEmotionConfig(**{**config, "widths": tuple(config["widths"])}))

    def to_config(self) -> dict[str, Any]:
        """The JSON-able configuration that `from_config` takes."""
        return asdict(self.config)

    @property
    def padded_to(self) -> int | None:
        """The length that `TextEncoder.encode` has to pad texts to for this model; None: real tokens only."""
        return POSITIONS if self.config.variant == "faithful" else None

    def spoken(self, text: str | None) -> str:
        """The words of a transcript that this model reads, "" where there are none.

        The released code keeps sounds such as [laughter] as words, and no text that begins with one.
        """
        if self.config.variant == "corrected":
            return words_of(text)
        text = (text or "").strip()
        return "" if text.startswith("[") else text.lower()

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Logits [B, classes] of token vectors [B, T, input] with mask [B, T] (True: a real token).

        The faithful variant takes T = 122 and does not look at the mask. After a sigmoid, logits lie between 0 and 1.
        """
        pooled = self._released(tokens) if self.config.variant == "faithful" else self._corrected(tokens, mask)
        logits: Tensor = self.classifier(pooled)
        return torch.sigmoid(logits) if self.config.squashed else logits

    def _released(self, tokens: Tensor) -> Tensor:
        hidden = tokens.transpose(1, 2)
        for convolution in self.convolutions:
            hidden = torch.relu(convolution(nn.functional.pad(hidden, (1, 1))))
        return hidden[:, :, :POOLED].mean(dim=2)

    def _corrected(self, tokens: Tensor, mask: Tensor) -> Tensor:
        real = mask[:, None, :].to(tokens.dtype)
        hidden = self.dropout(tokens).transpose(1, 2) * real
        for kernel, convolution in zip(KERNELS, self.convolutions, strict=True):
            padded = nn.functional.pad(hidden, ((kernel - 1) // 2, kernel // 2))
            # Padding positions are zeroed again after every layer, so a text's result does not depend on its batch.
            hidden = torch.relu(convolution(padded)) * real
        pooled = hidden.sum(dim=2) / real.sum(dim=2).clamp(min=1)
        dropped: Tensor = self.dropout(pooled)
        return dropped

    @torch.inference_mode()
    def predict(self, tokens: Sequence[NDArray[np.float32]], *, temperature: float = 1.0) -> NDArray[np.float64]:
        """Probabilities [N, classes] of N texts of [tokens, input]; NaN rows where there is no token."""
        parameter = next(self.parameters())
        result = np.full((len(tokens), self.config.classes), np.nan)
        order = sorted((i for i in range(len(tokens)) if len(tokens[i])), key=lambda i: (len(tokens[i]), i))
        for begin in range(0, len(order), 64):
            group = order[begin : begin + 64]
            longest = self.padded_to or len(tokens[group[-1]])
            batch = np.zeros((len(group), longest, self.config.input_size), dtype=np.float32)
            mask = np.zeros(batch.shape[:2], dtype=bool)
            for row, index in enumerate(group):
                batch[row, : len(tokens[index])] = tokens[index]
                mask[row, : len(tokens[index])] = True
            logits = self(torch.from_numpy(batch).to(parameter), torch.from_numpy(mask).to(parameter.device))
            result[group] = torch.softmax(logits.double() / temperature, dim=1).cpu().numpy()
        return result
