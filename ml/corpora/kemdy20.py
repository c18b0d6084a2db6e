"""KEMDy20 (Noh and Jeong, ETRI): people, not actors, who talk in Korean about given subjects; forty sessions of two.

Published layout:

    annotation/Sess01_eval.csv
    wav/Session01/Sess01_script01_User001F_001.wav · .txt (in the Korean encoding CP949)
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ml.corpora.importer import importer
from ml.corpora.kemdy import LICENCE, Segment, labelled, ratings
from ml.corpora.types import CorpusBroken, CorpusMissing, LabelledUtterance, Skipped

_SEGMENT = re.compile(r"(Sess(\d\d)_script\d+)_(User\d+([FM]))_\d+")


@importer("kemdy20", about="spontaneous Korean dialogues, 80 voices, 40 sessions, votes, arousal and valence",
          licence=LICENCE)  # fmt: skip
def kemdy20(folder: Path, skipped: Skipped) -> Iterator[LabelledUtterance]:
    """Every turn, session by session."""
    tables = sorted((folder / "annotation").glob("Sess*_eval.csv"))
    if not tables:
        raise CorpusMissing(f"{folder} holds no annotation/Sess01_eval.csv")
    for path in tables:
        for rating in sorted(ratings(path), key=lambda rating: rating.number):
            match = _SEGMENT.fullmatch(rating.segment)
            if match is None:
                raise CorpusBroken.at(path, None, f"segment {rating.number} is not named Sess01_script01_User001F_001")
            dialogue, session, user, sex = match.groups()
            audio = folder / "wav" / f"Session{session}" / f"{rating.segment}.wav"
            segment = Segment(user, sex, dialogue, session, "spontaneous", audio)
            item = labelled("kemdy20", rating, segment, path, skipped)
            if item is not None:
                yield item
