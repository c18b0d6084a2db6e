"""An alignment in the formats that other programs read: TextGrid, CTM, SRT, RTTM, JSON. Pure: text out, no files.

None of them can hold everything. TextGrid holds one label at a time per tier, CTM only words that have times, SRT only
utterances that have text, RTTM no text at all. Voice embeddings are in none of them: they tell people apart.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from ml.alignment.types import Alignment, Utterance

#: (label, start_s, end_s)
Interval = tuple[str, float, float]

#: The shortest interval that the formats' three decimals can express.
SHORTEST_S = 0.001


def to_textgrid(alignment: Alignment) -> str:
    """Praat's long text format: for each speaker the tiers "NAME - utterances", "- words", "- syllables", "- phones".

    Tiers that would be empty are left out. An utterance without text is labelled "?". Where a speaker's intervals
    overlap, the earlier one ends when the later one begins, and those that begin together share one label: Praat
    refuses tiers with overlaps.
    """
    tiers = [
        (f"{speaker} - {name}", intervals)
        for speaker in alignment.speakers
        for name, intervals in _tiers([u for u in alignment.utterances if u.speaker == speaker])
        if intervals
    ]
    end = max([alignment.duration_s, SHORTEST_S, *(last for _, intervals in tiers for _, _, last in intervals)])
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {_s(end)}",
        "tiers? <exists>",
        f"size = {len(tiers)}",
        "item []:",
    ]
    for number, (name, intervals) in enumerate(tiers, start=1):
        filled = _filled(intervals, end)
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f"        name = {_quoted(name)}",
            "        xmin = 0",
            f"        xmax = {_s(end)}",
            f"        intervals: size = {len(filled)}",
        ]
        for index, (label, start_s, end_s) in enumerate(filled, start=1):
            lines += [
                f"        intervals [{index}]:",
                f"            xmin = {_s(start_s)}",
                f"            xmax = {_s(end_s)}",
                f"            text = {_quoted(label)}",
            ]
    return "\n".join(lines) + "\n"


def to_ctm(alignment: Alignment, recording: str) -> str:
    """NIST CTM: `recording channel start duration word [confidence]` per word, by channel and time.

    Channels count from 1, as in NIST's tools; the mix of all is channel 1.
    """
    words = sorted(
        ((u.channel or 0) + 1, w.start_s, w.end_s, w.text, w.confidence)
        for u in alignment.utterances
        for w in u.words or ()
    )
    return _lines(
        f"{_field(recording)} {channel} {_s(start_s)} {_s(_length(start_s, end_s))} {_field(word)}"
        + ("" if confidence is None else f" {confidence:.3f}")
        for channel, start_s, end_s, word, confidence in words
    )


def to_srt(alignment: Alignment) -> str:
    """SubRip subtitles: `[Speaker]: text`, as WhisperX writes it, for each utterance with text."""
    cues = [u for u in alignment.utterances if u.text]
    return "\n".join(
        f"{number}\n{_clock(cue.start_s)} --> {_clock(cue.start_s + _length(cue.start_s, cue.end_s))}\n"
        f"[{_cue(cue.speaker).replace(']', ')')}]: {_cue(cue.text or '')}\n"
        for number, cue in enumerate(cues, start=1)
    )


def to_rttm(alignment: Alignment, recording: str) -> str:
    """NIST RTTM: a `SPEAKER` line per utterance. Blanks in names become "_": fields are separated by blanks."""
    return _lines(
        f"SPEAKER {_field(recording)} {(u.channel or 0) + 1} {_s(u.start_s)} {_s(_length(u.start_s, u.end_s))} "
        f"<NA> <NA> {_field(u.speaker)} <NA> <NA>"
        for u in alignment.utterances
    )


def to_json(alignment: Alignment) -> dict[str, Any]:
    """Everything but the voice embeddings, with the names of `ml.alignment.types`; times in seconds."""
    return {
        "duration_s": alignment.duration_s,
        "aligner": alignment.aligner,
        "language": alignment.language,
        "quality": alignment.quality,
        "speakers": [{"label": s.label, "named": s.named, "channel": s.channel} for s in alignment.speakers.values()],
        "utterances": [asdict(utterance) for utterance in alignment.utterances],
    }


def _tiers(own: Sequence[Utterance]) -> Iterable[tuple[str, list[Interval]]]:
    yield "utterances", _apart((u.text or "?", u.start_s, u.end_s) for u in own)
    yield "words", _apart((w.text, w.start_s, w.end_s) for u in own for w in u.words or ())
    yield "syllables", _apart((s.label, s.start_s, s.end_s) for u in own for s in u.syllables or ())
    yield "phones", _apart((p.label, p.start_s, p.end_s) for u in own for p in u.phones or ())


def _apart(intervals: Iterable[Interval]) -> list[Interval]:
    """In order, on a grid of milliseconds, none empty, none over another; no label is lost."""
    result: list[Interval] = []
    for label, start_s, end_s in sorted(intervals, key=lambda interval: interval[1]):
        start, end = round(max(0.0, start_s), 3), round(end_s, 3)
        if result and start <= result[-1][1]:
            before = result.pop()
            result.append((f"{before[0]} {label}", before[1], max(before[2], end)))
            continue
        if result and start < result[-1][2]:
            result[-1] = (*result[-1][:2], start)
        result.append((label, start, max(end, round(start + SHORTEST_S, 3))))
    return result


def _filled(intervals: Sequence[Interval], end_s: float) -> list[Interval]:
    """With intervals without a label where there is none, since a tier covers all of its time."""
    result: list[Interval] = []
    at = 0.0
    for interval in intervals:
        if interval[1] > at:
            result.append(("", at, interval[1]))
        result.append(interval)
        at = interval[2]
    if round(end_s, 3) > at:
        result.append(("", at, end_s))
    return result


def _length(start_s: float, end_s: float) -> float:
    return max(end_s - start_s, SHORTEST_S)


def _s(seconds: float) -> str:
    return f"{seconds:.3f}"


def _clock(seconds: float) -> str:
    total = round(seconds * 1000)
    return f"{total // 3_600_000:02}:{total // 60_000 % 60:02}:{total // 1000 % 60:02},{total % 1000:03}"


def _quoted(text: str) -> str:
    return '"' + " ".join(text.split()).replace('"', '""') + '"'


def _field(text: str) -> str:
    """A field of a line whose fields are separated by blanks; an empty one would shift the others."""
    return re.sub(r"\s+", "_", text.strip()) or "_"


def _cue(text: str) -> str:
    """Text that ends no cue and looks like no time line."""
    return " ".join(text.split()).replace("-->", "→")


def _lines(lines: Iterable[str]) -> str:
    return "".join(line + "\n" for line in lines)
