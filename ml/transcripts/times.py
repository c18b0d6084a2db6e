"""Times in transcripts: whatever is written becomes seconds, or is refused with a sentence."""

import math
import re

#: No recording is longer (277 hours); a greater number is no time in seconds.
MAX_S = 1_000_000.0
#: What a word gets whose end is its start, as Whisper writes short ones.
SHORTEST_S = 0.01
_CLOCK = re.compile(r"(?:(?:(\d{1,4}):)?(\d{1,6}):)?(\d{1,9}(?:[.,]\d{1,9})?)")
_ISO = re.compile(r"PT(?:(\d{1,4})H)?(?:(\d{1,6})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?")


class BadTimes(ValueError):
    """Times that cannot be; the message is a sentence for `Source.problem`."""


def seconds(value: object, unit_s: float = 1.0) -> float:
    """A number, or text of a number or of `hours:minutes:seconds`, times the unit; raises `BadTimes`."""
    if isinstance(value, str):
        match = _CLOCK.fullmatch(value.strip())
        if match is not None:
            hours, minutes, rest = match.groups()
            value = int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(rest.replace(",", "."))
        else:
            try:
                value = float(value) if len(value) <= 40 else math.nan
            except ValueError:
                raise BadTimes("a time is not a number") from None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadTimes("a time is missing" if value is None else "a time is not a number")
    if not -MAX_S / unit_s <= value <= MAX_S / unit_s:  # NaN is not either.
        raise BadTimes("a time is out of range")
    return round(value * unit_s, 6)


def iso_seconds(value: object) -> float:
    """ISO 8601 durations as Azure writes them ("PT1M2.5S")."""
    match = _ISO.fullmatch(value) if isinstance(value, str) else None
    if match is None or value == "PT":
        raise BadTimes("a time is not a duration")
    hours, minutes, rest = match.groups()
    return seconds(int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(rest or 0))


def span(start_s: float, end_s: float) -> tuple[float, float]:
    """Start and end of a turn; raises `BadTimes` unless 0 <= start < end."""
    start_s += 0.0  # Praat's "-0".
    if start_s < 0:
        raise BadTimes("it starts before the recording")
    if end_s <= start_s:
        raise BadTimes("it ends before it starts" if end_s < start_s else "it has no length")
    if end_s > MAX_S:
        raise BadTimes("a time is out of range")
    return start_s, round(end_s, 6)


def word_span(start_s: float, end_s: float) -> tuple[float, float]:
    """Start and end of a word or phone, which may be written without length."""
    return span(start_s, start_s + SHORTEST_S if end_s == start_s else end_s)


def confidence(value: object) -> float | None:
    """A probability; None for anything else (scores of other kinds are no probabilities)."""
    try:
        number = seconds(value)
    except BadTimes:
        return None
    return number if 0.0 <= number <= 1.0 else None
