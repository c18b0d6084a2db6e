"""One colour and one letter per emotion, the same in every drawing.

The colours are Okabe and Ito's, which stay apart for colour-blind readers; letters serve where there is no colour.
"""

from typing import Final

#: Emotion → (hex colour, letter), in the canonical order.
PALETTE: Final[dict[str, tuple[str, str]]] = {
    "angry": ("#D55E00", "A"),
    "happy": ("#E69F00", "H"),
    "neutral": ("#999999", "n"),
    "sad": ("#0072B2", "S"),
    "fear": ("#CC79A7", "F"),
    "disgust": ("#009E73", "D"),
    "surprise": ("#56B4E9", "U"),
}


def colour(emotion: str) -> str:
    """Hex colour of an emotion."""
    return PALETTE[emotion][0]


def letter(emotion: str) -> str:
    """The letter that stands for an emotion."""
    return PALETTE[emotion][1]
