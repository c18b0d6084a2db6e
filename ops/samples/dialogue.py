"""A call as it is written down: two speakers, and turns with a mood each. Read from TOML."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.emotions import EMOTIONS

#: Sides of a call in the order of their channels: left, right.
SIDES = ("agent", "customer")


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who is on one side of the line. `voice` is an espeak-ng voice; `pitch` and `rate` multiply its own."""

    name: str
    voice: str
    pitch: float = 1.0
    rate: float = 1.0


@dataclass(frozen=True, slots=True)
class Line:
    """One turn. `gap_s` is from the end of everything before it, negative for an overlap; None: a usual pause."""

    side: str
    mood: str
    text: str
    gap_s: float | None = None

    @property
    def channel(self) -> int:
        """0 left, 1 right."""
        return SIDES.index(self.side)


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One call. `stem` is its file name without extension; `transcript` says whether the archive gets one."""

    stem: str
    title: str
    speakers: tuple[Speaker, Speaker]
    lines: tuple[Line, ...]
    transcript: bool = True


def read_dialogue(path: Path) -> Dialogue:
    """Read one call; raises `ValueError` naming the file and the turn that is not as it should be."""
    with path.open("rb") as file:
        data = tomllib.load(file)
    lines = tuple(_line(path, number, turn) for number, turn in enumerate(data["turns"], start=1))
    agent, customer = (Speaker(**data[side]) for side in SIDES)
    return Dialogue(path.stem, data["title"], (agent, customer), lines, data.get("transcript", True))


def read_dialogues(folder: Path) -> list[Dialogue]:
    """All calls of a folder, in the order of their names."""
    return [read_dialogue(path) for path in sorted(folder.glob("*.toml"))]


def _line(path: Path, number: int, turn: list[Any]) -> Line:
    side, mood, text, *gap = turn
    if side not in SIDES or mood not in EMOTIONS or len(gap) > 1:
        raise ValueError(f"{path.name}, turn {number}: expected [side, mood, text] or [side, mood, text, gap_s]")
    return Line(side, mood, text, gap[0] if gap else None)
