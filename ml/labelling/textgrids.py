"""Labels in a tier of Praat's TextGrids, each named like its recording: an interval's text is its label.

An empty interval says nothing. The tier is the one that is named; else the one called emotion, emotions, label or
labels. Tiers called arousal and valence hold points: those of an interval that has a label too are one judgement with
it. The annotator is the one whom the command names, since a TextGrid names none.
"""

import re

from ml.labelling.rows import MAPPED_AWAY
from ml.labelling.types import About, Judgement, Read, Refusal
from ml.labelling.words import Words, several
from ml.transcripts.errors import TranscriptUnreadable
from ml.transcripts.formats import textgrid
from ml.transcripts.source import Source

_TIER = re.compile(r"emotions?|labels?", re.IGNORECASE)
AFFECT = ("arousal", "valence")


def read_textgrid(
    found: Read, file: str, text: str, *, annotator: str | None, words: Words, tier: str | None = None
) -> None:
    """Read one TextGrid into `found`; `file` is its path below the folder that was named, or its name."""
    source = Source(file, text, file)
    try:
        tiers = list(textgrid.tiers(source))
    except TranscriptUnreadable as exc:
        found.refusals.append(Refusal(file, "all of it", str(exc)))
        return
    found.refusals += [Refusal(file, "an interval", problem) for problem in source.all_problems()]
    chosen = [
        rows
        for name, rows in tiers
        if (name.strip().lower() == tier.strip().lower() if tier is not None else _TIER.fullmatch(name.strip()))
    ]
    affect = {axis: [rows for name, rows in tiers if name.strip().lower() == axis] for axis in AFFECT}
    doubled = [axis for axis, own in affect.items() if len(own) > 1]
    if len(chosen) > 1 or doubled or not (chosen or (tier is None and any(affect.values()))):
        names = ", ".join(f"“{name}”" for name, _ in tiers) or "none"
        which = f"called {doubled[0] if doubled else tier}" if doubled or tier is not None else "for labels"
        count = 2 if doubled else len(chosen)
        reason = f"it has {count or 'no'} tier{'s' if count > 1 else ''} {which}; its tiers are {names}"
        found.refusals.append(Refusal(file, "all of it", reason if doubled else f"{reason}; name one with --tier"))
        return
    if annotator is None:
        found.refusals.append(Refusal(file, "all of it", "it does not say who judged; name somebody with --annotator"))
        return
    about = About(paths=(re.sub(r"\.textgrid$", "", file, flags=re.IGNORECASE),), by_name=True)
    stretches: dict[tuple[float, float], dict[str, str]] = {}
    for axis, own in {"label": chosen, **affect}.items():
        for start, end, said in own[0] if own else ():
            if said.strip():
                stretches.setdefault((round(start, 3), round(end, 3)), {})[axis] = said
    for (start, end), parts in sorted(stretches.items()):
        where = f"interval at {start:.3f} s"
        try:
            judgement = _judgement(file, where, about, annotator, words, (start, end), parts)
        except ValueError as exc:
            found.refusals.append(Refusal(file, where, str(exc)))
            continue
        if judgement is None:
            found.left_out[MAPPED_AWAY] += 1
        else:
            found.judgements.append(judgement)


def _judgement(
    file: str,
    where: str,
    about: About,
    annotator: str,
    words: Words,
    stretch: tuple[float, float],
    parts: dict[str, str],
) -> Judgement | None:
    """What was said of a stretch, None when it was mapped to no class; raises `ValueError`."""
    said = words.emotion(several(parts.get("label", "")))
    points = {axis: words.points(_number(parts[axis], axis), axis) for axis in AFFECT if axis in parts}
    if said.label is None and said.shares is None and not points:
        return None
    return Judgement(
        file=file,
        where=where,
        about=about,
        annotator=annotator,
        start_s=stretch[0],
        end_s=stretch[1],
        label=said.label,
        shares=said.shares,
        arousal=points.get("arousal"),
        valence=points.get("valence"),
        source_label=said.source_label,
    )


def _number(text: str, axis: str) -> float:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        raise ValueError(f"{axis} is no number") from None
