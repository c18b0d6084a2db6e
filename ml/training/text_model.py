"""The small text model in training: a BERT-like encoder, whose upper layers learn, and source A's CNN over it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.encoders.text import TextEncoder
from ml.models.makiuchi.text import TextEmotionCnn, TextEmotionConfig
from ml.training.text_data import padded, pair_ids


class TextModel(nn.Module):
    """Texts to emotions, differentiable down to the lowest layer that learns."""

    def __init__(self, encoder: TextEncoder, config: TextEmotionConfig, *, layers: int) -> None:
        """The uppermost `layers` of the encoder learn; what is below, and the embeddings, stay the package's."""
        super().__init__()
        self.encoder, self.bert, self.head = encoder, encoder.model, TextEmotionCnn(config)
        self._depth = int(self.bert.config.num_hidden_layers)
        upper = tuple(f"encoder.layer.{i}." for i in range(self._depth - layers, self._depth))
        for name, parameter in self.bert.named_parameters():
            parameter.requires_grad = name.startswith(upper)

    def forward(self, ids: Tensor, mask: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits [B, classes] of ids and mask [B, T]; special tokens are hidden from the head, as in production.

        So are those that are of a context (1, else 0), which only the encoder sees.
        """
        hidden = self.bert(input_ids=ids, attention_mask=mask, token_type_ids=context).last_hidden_state
        own = mask if context is None else mask * (1 - context)
        real = own.bool().clone()
        real[:, 0] = False
        real[torch.arange(len(ids)), own.sum(dim=1) - 1] = False
        logits: Tensor = self.head(hidden, real)
        return logits

    def groups(self, rate: float, head_rate: float, decay: float) -> list[dict[str, Any]]:
        """Parameters for an optimiser: each layer of the encoder learns `decay` times as fast as the one above it.

        Howard and Ruder (ACL 2018), section 3.2: what is far below is general already.
        """
        result: list[dict[str, Any]] = []
        for layer in range(self._depth):
            start = f"encoder.layer.{layer}."
            named = self.bert.named_parameters()
            own = [p for name, p in named if name.startswith(start) and p.requires_grad]
            result += [{"params": own, "lr": rate * decay ** (self._depth - 1 - layer)}] if own else []
        return [*result, {"params": list(self.head.parameters()), "lr": head_rate}]

    def learned(self) -> dict[str, Tensor]:
        """Copies of what differs from the package, under the names that a bundle has."""
        parts = {f"encoder.{name}": p for name, p in self.bert.named_parameters() if p.requires_grad}
        parts |= {f"head.{name}": p for name, p in self.head.named_parameters()}
        return {name: p.detach().clone() for name, p in parts.items()}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `learned` gave, in any precision."""
        for prefix, module in (("encoder.", self.bert), ("head.", self.head)):
            for name, parameter in module.named_parameters():
                if parameter.requires_grad:
                    parameter.copy_(tensors[prefix + name].to(parameter.dtype))

    def log_probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """[N, classes] by the path that production takes; even ones where a text has no token."""
        self.eval()
        probabilities = self.head.predict(self.encoder.encode(texts))
        return np.asarray(np.log(np.nan_to_num(probabilities, nan=1 / self.head.config.classes) + 1e-9))

    @torch.inference_mode()
    def log_probabilities_in_context(self, texts: Sequence[str], contexts: Sequence[str]) -> NDArray[np.float64]:
        """[N, classes] of texts after what was said before them, as it was trained with."""
        self.eval()
        rows = pair_ids(self.encoder.tokenizer, texts, contexts)
        result = np.zeros((len(rows), self.head.config.classes))
        order = np.argsort([len(ids) for ids, _ in rows])
        for begin in range(0, len(order), 32):
            group = order[begin : begin + 32]
            parts = padded([rows[index] for index in group], int(self.encoder.tokenizer.pad_token_id))
            logits = self(*(torch.from_numpy(part).to(self.bert.device) for part in parts))
            result[group] = torch.log_softmax(logits.double(), dim=1).cpu().numpy()
        return result


def stored(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The half precision that a bundle holds."""
    return {name: tensor.detach().cpu().half() for name, tensor in tensors.items()}
