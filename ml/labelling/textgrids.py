"""Labels in a tier of Praat's TextGrids, each named like its recording: an interval's text is its label.

An empty interval says nothing. The tier is the one that is named; else the one called emotion, emotions, label or
labels. The annotator is the one whom the command names, since a TextGrid names none.
"""

import re

from ml.labelling.rows import MAPPED_AWAY
from ml.labelling.types import About, Judgement, Read, Refusal
from ml.labelling.words import Words, several
from ml.transcripts.errors import TranscriptUnreadable
from ml.transcripts.formats import textgrid
from ml.transcripts.source import Source

_TIER = re.compile(r"emotions?|labels?", re.IGNORECASE)


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
    if len(chosen) != 1:
        names = ", ".join(f"“{name}”" for name, _ in tiers) or "none"
        which = f"called {tier}" if tier is not None else "for labels"
        reason = f"it has {len(chosen) or 'no'} tier{'s' if len(chosen) > 1 else ''} {which}; its tiers are {names}"
        found.refusals.append(Refusal(file, "all of it", f"{reason}; name one with --tier"))
        return
    if annotator is None:
        found.refusals.append(Refusal(file, "all of it", "it does not say who judged; name somebody with --annotator"))
        return
    about = About(paths=(re.sub(r"\.textgrid$", "", file, flags=re.IGNORECASE),), by_name=True)
    for start, end, label in chosen[0]:
        _interval(found, file, about, annotator, words, (start, end, label))


def _interval(
    found: Read, file: str, about: About, annotator: str, words: Words, interval: tuple[float, float, str]
) -> None:
    start, end, label = interval
    if not label.strip():
        return
    where = f"interval at {start:.3f} s"
    try:
        said = words.emotion(several(label))
        if said.label is None and said.shares is None:
            found.left_out[MAPPED_AWAY] += 1
            return
        found.judgements.append(
            Judgement(
                file=file,
                where=where,
                about=about,
                annotator=annotator,
                start_s=start,
                end_s=end,
                label=said.label,
                shares=said.shares,
                source_label=said.source_label,
            )
        )
    except ValueError as exc:
        found.refusals.append(Refusal(file, where, str(exc)))
