"""KEMDy19 (Noh et al. 2021, Sensors 21, 1579): voice actors in Korean, twenty sessions of two, scripted and improvised.

Published layout:

    annotation/Session01_F_res.csv · Session01_M_res.csv    ratings of what the woman, the man felt
    wav/Session01/Sess01_script01/Sess01_script01_F001.wav · .txt
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ml.corpora.importer import importer
from ml.corpora.kemdy import LICENCE, Segment, labelled, ratings
from ml.corpora.types import CorpusBroken, CorpusMissing, LabelledUtterance, Skipped

_SEGMENT = re.compile(r"(Sess(\d\d)_(script|impro)\d+)_([FM])\d+")


@importer("kemdy19", about="acted Korean dialogues, 40 voices, 20 sessions, votes, arousal and valence",
          licence=LICENCE)  # fmt: skip
def kemdy19(folder: Path, skipped: Skipped) -> Iterator[LabelledUtterance]:
    """Every turn with the rating of who speaks, session by session; what the listener felt meanwhile is left out."""
    tables: dict[str, list[Path]] = {}
    for path in sorted((folder / "annotation").glob("Session*_[FM]_*.csv")):
        tables.setdefault(path.name.split("_")[0], []).append(path)
    if not tables:
        raise CorpusMissing(f"{folder} holds no annotation/Session01_F_res.csv")
    for paths in tables.values():
        found = [(rating, path) for path in paths for rating in ratings(path)]
        for rating, path in sorted(found, key=lambda pair: pair[0].number):
            match = _SEGMENT.fullmatch(rating.segment)
            if match is None:
                raise CorpusBroken.at(path, None, f"segment {rating.number} is not named Sess01_script01_F001")
            if match.group(4) != path.name.split("_")[1]:
                skipped.add("the listener's rating", f"{path.name} {rating.segment}")
                continue
            item = labelled("kemdy19", rating, _segment(match, folder), path, skipped)
            if item is not None:
                yield item


def _segment(match: re.Match[str], folder: Path) -> Segment:
    dialogue, session, style, sex = match.groups()
    return Segment(
        speaker=f"Sess{session}{sex}",
        sex=sex,
        dialogue=dialogue,
        session=session,
        style="improvised" if style == "impro" else "scripted",
        audio=folder / "wav" / f"Session{session}" / dialogue / f"{match.group()}.wav",
    )
