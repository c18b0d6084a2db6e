"""What the models need of each utterance, as one object that travels between stages."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Extract:
    """Speech frames and token vectors of N utterances, and notes on what is missing.

    `frames[i]` is [frames, hidden] (zero frames: too short), `tokens[i]` is [tokens, hidden] (zero: no usable text).
    """

    frames: Sequence[NDArray[np.float32]]
    tokens: Sequence[NDArray[np.float32]]
    #: Codes joined by spaces, None where nothing is missing.
    quality: Sequence[str | None]

    def to_tensors(self) -> dict[str, NDArray[Any]]:
        """Flat arrays for safetensors: the values of all utterances one after the other, and how many are whose.

        Values keep their 32 bits, so that a stage run again gives equal scores.
        """
        result: dict[str, NDArray[Any]] = {}
        for name, parts in (("frames", self.frames), ("tokens", self.tokens)):
            result[name] = np.concatenate(list(parts)) if len(parts) else np.zeros((0, 1), dtype=np.float32)
            result[f"{name}_lengths"] = np.array([len(part) for part in parts], dtype=np.int64)
        result["quality"] = np.frombuffer(json.dumps(list(self.quality)).encode(), dtype=np.uint8)
        return result

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]]) -> "Extract":
        """The reverse of `to_tensors`; frames and tokens are views."""

        def split(name: str) -> list[NDArray[np.float32]]:
            ends = np.cumsum(tensors[f"{name}_lengths"])
            return np.split(tensors[name], ends[:-1]) if len(ends) else []

        return cls(split("frames"), split("tokens"), json.loads(tensors["quality"].tobytes()))
