"""How right speakers and boundaries are: diarization error rate, and utterances against turns.

The error rate is that of the NIST Rich Transcription evaluations (2009 plan, section 6): seconds of missed, false and
wrongly attributed speech over seconds of reference speech, where two people who speak at once count twice. Written
here because the packages that measure it bring pandas and a data set registry; the figures equal theirs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Spoken:
    """Somebody speaks during `[start_s, end_s)`, in seconds."""

    start_s: float
    end_s: float
    speaker: str


@dataclass(frozen=True, slots=True)
class DiarizationError:
    """Seconds of error by kind, and of reference speech (`total_s`); those of several recordings can be added."""

    missed_s: float = 0.0
    false_alarm_s: float = 0.0
    confusion_s: float = 0.0
    total_s: float = 0.0

    @property
    def rate(self) -> float:
        """The diarization error rate; 0 where nobody speaks and nothing was found, infinite where something was."""
        wrong = self.missed_s + self.false_alarm_s + self.confusion_s
        if self.total_s:
            return wrong / self.total_s
        return float("inf") if wrong else 0.0

    def __add__(self, other: Self) -> "DiarizationError":
        return DiarizationError(
            self.missed_s + other.missed_s,
            self.false_alarm_s + other.false_alarm_s,
            self.confusion_s + other.confusion_s,
            self.total_s + other.total_s,
        )


def diarization_error(
    reference: Sequence[Spoken], found: Sequence[Spoken], *, collar_s: float = 0.0
) -> DiarizationError:
    """Compare who spoke when with what was found.

    Labels need not agree: the one-to-one mapping that leaves least confusion is used. `collar_s` on either side of
    every reference boundary is not scored (NIST: 0.25 s), because nobody can say exactly where speech begins.
    """
    # A speaker who overlaps with themself is one speaker.
    real, ours = _merged(reference), _merged(found)
    times = np.unique([t for s in (*real, *ours) for t in (s.start_s, s.end_s)] + _collar_edges(real, collar_s))
    if len(times) < 2:
        return DiarizationError()
    middles, lengths = (times[1:] + times[:-1]) / 2, np.diff(times)
    for spoken in real:
        for boundary in (spoken.start_s, spoken.end_s):
            lengths = np.where(np.abs(middles - boundary) < collar_s, 0.0, lengths)
    is_real, is_ours = _presence(real, middles), _presence(ours, middles)
    spoken_by, said_by = is_real.sum(axis=0), is_ours.sum(axis=0)
    both = np.minimum(spoken_by, said_by)
    return DiarizationError(
        missed_s=float((lengths * np.maximum(spoken_by - said_by, 0)).sum()),
        false_alarm_s=float((lengths * np.maximum(said_by - spoken_by, 0)).sum()),
        confusion_s=max(0.0, float((lengths * both).sum()) - _agreement((is_real * lengths) @ is_ours.T)),
        total_s=float((lengths * spoken_by).sum()),
    )


def boundary_errors(turns: Sequence[Spoken], found: Sequence[Spoken]) -> list[float]:
    """For each end of each turn, the seconds to the nearest such end (start to start, end to end) of what was found.

    Empty when nothing was found.
    """
    if not found:
        return []
    starts, ends = np.array([s.start_s for s in found]), np.array([s.end_s for s in found])
    return [float(error) for t in turns for error in (np.abs(starts - t.start_s).min(), np.abs(ends - t.end_s).min())]


def _merged(spoken: Iterable[Spoken]) -> list[Spoken]:
    merged: dict[str, list[Spoken]] = {}
    for item in sorted(spoken, key=lambda s: (s.start_s, s.end_s)):
        own = merged.setdefault(item.speaker, [])
        if item.end_s <= item.start_s:
            continue
        if own and item.start_s <= own[-1].end_s:
            own[-1] = Spoken(own[-1].start_s, max(own[-1].end_s, item.end_s), item.speaker)
        else:
            own.append(item)
    return [item for own in merged.values() for item in own]


def _collar_edges(real: Sequence[Spoken], collar_s: float) -> list[float]:
    return [t + side for s in real for t in (s.start_s, s.end_s) for side in (-collar_s, collar_s)]


def _presence(spoken: Sequence[Spoken], middles: NDArray[np.float64]) -> NDArray[np.float64]:
    """[speakers, intervals]: 1 where a speaker speaks in the interval around a middle."""
    names = list(dict.fromkeys(s.speaker for s in spoken))
    presence = np.zeros((len(names), len(middles)))
    for item in spoken:
        presence[names.index(item.speaker), (item.start_s < middles) & (middles < item.end_s)] = 1
    return presence


def _agreement(seconds: NDArray[np.float64]) -> float:
    """Most seconds that a one-to-one mapping of the rows (real) to the columns (found) can explain."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(seconds, maximize=True)
    return float(seconds[rows, columns].sum())
