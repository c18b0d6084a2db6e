"""A published text classifier (`AutoModelForSequenceClassification`) over texts of any length and number."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel

from ml.checkpoints.errors import CheckpointUnreadable
from ml.models.hub.loading import load_classifier

#: Longer texts are cut, if the tokenizer does not name a smaller bound: an utterance of 60 s holds about 200 words.
MAX_TOKENS = 512
TEXTS_PER_PASS = 32


class TextClassifier:
    """A model and its tokenizer."""

    def __init__(self, model: PreTrainedModel, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        self._limit = min(MAX_TOKENS, int(tokenizer.model_max_length))

    @classmethod
    def load(cls, folder: Path, *, device: str = "cpu") -> "TextClassifier":
        """Load a folder in the Hub's format; raises errors of `ml.checkpoints.errors`."""
        model = load_classifier(AutoModelForSequenceClassification, folder)
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder)
        except (OSError, ValueError) as exc:
            raise CheckpointUnreadable(f"the checkpoint in {folder} has no usable tokenizer") from exc
        return cls(model.to(device), tokenizer)

    @torch.inference_mode()
    def logits(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Outputs [1, classes] of each text, [0, classes] of an empty one; texts of like length share a pass.

        What shares a pass does not change a result (1e-4, fp32); without a token to pad with, only equal lengths do.
        """
        result = [np.zeros((0, self.model.config.num_labels), dtype=np.float32) for _ in texts]
        encoded = {
            index: self.tokenizer(text, truncation=True, max_length=self._limit)
            for index, text in enumerate(texts)
            if text.strip()
        }
        order = sorted(encoded, key=lambda index: (len(encoded[index]["input_ids"]), index))
        group: list[int] = []
        for place, index in enumerate(order):
            group.append(index)
            following = order[place + 1] if place + 1 < len(order) else None
            if (
                following is None
                or len(group) == TEXTS_PER_PASS
                or not self._together(encoded[index], encoded[following])
            ):
                for own, row in zip(group, self._forward([encoded[i] for i in group]), strict=True):
                    result[own] = row[None]
                group = []
        return result

    def _together(self, one: Any, other: Any) -> bool:
        return self.tokenizer.pad_token_id is not None or len(one["input_ids"]) == len(other["input_ids"])

    def _forward(self, encoded: list[Any]) -> NDArray[np.float32]:
        if self.tokenizer.pad_token_id is None:
            inputs = {name: torch.tensor([one[name] for one in encoded]) for name in encoded[0]}
        else:
            inputs = dict(self.tokenizer.pad(encoded, return_tensors="pt"))
        device = self.model.device
        outputs: NDArray[np.float32] = (
            self.model(**{k: v.to(device) for k, v in inputs.items()}).logits.float().cpu().numpy()
        )
        return outputs
