"""BERT-like encoders as token vectors: real tokens only, independent of what shares the batch.

Special tokens are those that the checkpoint's own tokenizer adds, so any family of `AutoModel` with token vectors does.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoModel, AutoTokenizer

from ml.checkpoints.errors import CheckpointUnreadable
from ml.encoders.loading import load_whole
from ml.encoders.source import verified_folder
from ml.errors import ModelError

#: Longer texts are cut: an utterance of 15 s holds about 50 words.
MAX_TOKENS = 126
TEXTS_PER_PASS = 32


class TextEncoder:
    """A tokenizer and a BERT-like model."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer

    @classmethod
    def load(
        cls,
        source: str,
        *,
        sha256: str | None = None,
        delta: dict[str, Tensor] | None = None,
        device: str = "cpu",
    ) -> "TextEncoder":
        """Load an encoder and, over it, `delta`: the tensors that fine-tuning changed.

        Raises `ModelError` when the encoder is missing, is not the one `sha256` names, or the delta does not fit it.
        """
        folder = verified_folder(source, sha256)
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder)
        except (OSError, ValueError) as exc:
            raise CheckpointUnreadable(f"the text encoder {source} has no usable tokenizer") from exc
        model = load_whole(AutoModel, folder)
        if delta:
            own = dict(model.named_parameters())
            if unknown := delta.keys() - own.keys():
                raise ModelError(f"the bundle changes {len(unknown)} tensors that the text encoder does not have")
            if any(own[name].shape != tensor.shape for name, tensor in delta.items()):
                raise ModelError("the bundle's tensors do not have the sizes of the text encoder's")
            with torch.no_grad():
                for name, tensor in delta.items():
                    own[name].copy_(tensor.to(own[name].dtype))
        return cls(model.to(device), tokenizer)

    @property
    def hidden_size(self) -> int:
        """Width of a token vector."""
        return int(self.model.config.hidden_size)

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], *, padded_to: int | None = None) -> list[NDArray[np.float32]]:
        """Token vectors [tokens, hidden] per text, without those of special tokens; zero tokens for an empty text.

        Texts are grouped by length, so results neither depend on the order nor (1e-4, fp32) on the company.
        `padded_to` gives what source A's released code keeps instead: every text padded to so many tokens, without the
        first and the last vector, so [padded_to - 2, hidden] with those of [SEP] and [PAD].
        """
        result = [np.zeros((0, self.hidden_size), dtype=np.float32) for _ in texts]
        longest = padded_to or MAX_TOKENS + self.tokenizer.num_special_tokens_to_add()
        encoded = [
            self.tokenizer(text, truncation=True, max_length=longest, return_special_tokens_mask=True) for text in texts
        ]
        real = [np.flatnonzero(np.asarray(one.pop("special_tokens_mask")) == 0) for one in encoded]
        order = sorted((i for i in range(len(texts)) if len(real[i])), key=lambda i: (len(real[i]), i))
        for begin in range(0, len(order), TEXTS_PER_PASS):
            group = order[begin : begin + TEXTS_PER_PASS]
            vectors, starts = self._forward([encoded[i] for i in group], padded_to)
            for row, index in enumerate(group):
                kept = np.arange(1, padded_to - 1) if padded_to else starts[row] + real[index]
                result[index] = vectors[row, kept]
        return result

    def _forward(self, encoded: list[Any], padded_to: int | None) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """All vectors [B, length, hidden] of tokenized texts, and where each text begins (padding may come first)."""
        inputs = self.tokenizer.pad(
            encoded, padding="max_length" if padded_to else True, max_length=padded_to, return_tensors="pt"
        )
        device = next(self.model.parameters()).device
        output = self.model(**{name: tensor.to(device) for name, tensor in inputs.items()}).last_hidden_state
        vectors: NDArray[np.float32] = output.float().cpu().numpy()
        return vectors, inputs["attention_mask"].argmax(dim=1).numpy()
