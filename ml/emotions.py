"""The seven canonical emotion classes, in the order every array and every table uses."""

from typing import Final

#: Canonical classes. The position of a class here is its column in every [N, 7] array.
EMOTIONS: Final[tuple[str, ...]] = ("angry", "happy", "neutral", "sad", "fear", "disgust", "surprise")
