"""The data set of a run: corpora read, cut down to the classes, frozen as a manifest."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.corpora.manifest import Manifest, freeze
from ml.corpora.registry import corpus, of_classes
from ml.corpora.types import LabelledUtterance, Skipped
from ml.emotions import EMOTIONS
from ml.errors import TenorError
from ml.training import splits
from ml.training.splits import Fold

#: The classes of IEMOCAP's literature, and all canonical ones.
CLASS_SETS = {"4": EMOTIONS[:4], "7": EMOTIONS}
#: Test sets: by session, by speaker, the corpus's own split, or so many groups of speakers.
FOLD_KINDS = ("session", "speaker", "split")
DEFAULT_FOLDS = 5


class DataUnsuitable(TenorError):
    """The corpora hold nothing that this run could learn from."""

    code = "data_unsuitable"
    hint = "Check the corpus, --classes and --folds."


@dataclass(frozen=True, slots=True)
class CorpusPlace:
    """A corpus by name, and where it lies."""

    name: str
    folder: Path


def classes_of(said: str) -> tuple[str, ...]:
    """The classes that `--classes` says: 4, 7, or names with commas; in the canonical order."""
    if said in CLASS_SETS:
        return CLASS_SETS[said]
    wanted = {name.strip() for name in said.split(",")}
    if len(wanted) < 2 or not wanted <= set(EMOTIONS):
        raise DataUnsuitable(f"classes {said} are not known", hint=f"Give 4, 7 or some of {', '.join(EMOTIONS)}.")
    return tuple(name for name in EMOTIONS if name in wanted)


def read(
    places: Sequence[CorpusPlace], classes: Sequence[str], *, side: str
) -> tuple[list[LabelledUtterance], list[str]]:
    """Items of those classes that have what a side needs ("speech": audio, "text": text), and what was left out."""
    items, notes = [], []
    for place in places:
        skipped = Skipped()
        found = list(corpus(place.name, place.folder, skipped))
        usable = (
            [item for item in found if (item.text or "").strip()]
            if side == "text"
            else [item for item in found if item.audio_path is not None]
        )
        chosen = list(of_classes(usable, classes))
        if not chosen:
            left_out = f" ({skipped})" if skipped.counts else ""
            raise DataUnsuitable(
                f"{place.name} in {place.folder} holds no {side} of the classes {', '.join(classes)}{left_out}"
            )
        items += chosen
        if skipped.counts:
            notes.append(f"{place.name}: {skipped}")
        if len(found) > len(usable):
            notes.append(f"{place.name}: {len(found) - len(usable)} without {'audio' if side == 'speech' else 'text'}")
        if len(usable) > len(chosen):
            notes.append(f"{place.name}: {len(usable) - len(chosen)} of other classes or without an agreed label")
    return items, notes


def frozen(items: Sequence[LabelledUtterance], path: Path) -> Manifest:
    """The manifest of a run, the only thing that training reads."""
    return freeze(items, path)


def labels_of(items: Sequence[LabelledUtterance], classes: Sequence[str]) -> NDArray[np.int64]:
    """Class ids [N]: positions in `classes`."""
    return np.asarray([classes.index(item.label or "") for item in items], dtype=np.int64)


def described(items: Sequence[LabelledUtterance], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Items, speakers and labels of every corpus, as a report has them."""
    counts = Counter((item.corpus, item.label) for item in items)
    return [
        {
            "corpus": corpus,
            "items": sum(n for (own, _), n in counts.items() if own == corpus),
            "speakers": len({item.speaker for item in items if item.corpus == corpus}),
            "labels": {label: counts[corpus, label] for label in classes},
        }
        for corpus in sorted({item.corpus for item in items})
    ]


def make_folds(
    items: Sequence[LabelledUtterance],
    classes: Sequence[str],
    kind: str | None,
    *,
    side: str,
    seed: int,
    development: bool,
) -> tuple[str, list[Fold]]:
    """The kind that was used and its folds; None chooses sessions, else the corpus's split, else five of speakers.

    Training and development never share a speaker, or, of texts with a split of their own, a dialogue.
    """
    chosen = kind or _suitable(items)
    labels, speakers = labels_of(items, classes), [item.speaker for item in items]
    if chosen == "session" and not any(item.session for item in items):
        raise DataUnsuitable("the corpus has no sessions", hint="Give --folds speaker, split or a number.")
    if chosen == "session":
        tests = splits.leave_one_out([item.session or item.speaker for item in items])
    elif chosen == "speaker":
        tests = splits.leave_one_out(speakers)
    elif chosen == "split":
        return chosen, [_own_split(items, labels, side=side, seed=seed, development=development)]
    elif chosen.isdecimal():
        tests = splits.k_fold(speakers, int(chosen), seed)
    else:
        raise DataUnsuitable(f"folds {chosen} are not known", hint="Give session, speaker, split or a number.")
    return chosen, splits.folds(tests, speakers, labels, seed=seed, development=development)


def _own_split(
    items: Sequence[LabelledUtterance], labels: NDArray[np.int64], *, side: str, seed: int, development: bool
) -> Fold:
    """The corpus's split: its test part is tested, or its dev part where that is all there is.

    The dev part decides when to stop, or, where it is tested, speakers (of texts: dialogues) of the training part do.
    """
    parts = {name: np.flatnonzero([item.split == name for item in items]) for name in ("train", "dev", "test")}
    if not len(parts["train"]) or not len(parts["dev"]) + len(parts["test"]):
        raise DataUnsuitable("the corpus has no split of its own", hint="Give --folds session, speaker or a number.")
    nobody = np.zeros(0, dtype=np.int64)
    if len(parts["test"]) and len(parts["dev"]):
        return Fold("split", parts["train"], parts["dev"] if development else nobody, parts["test"])
    tested = parts["test"] if len(parts["test"]) else parts["dev"]
    train, held = parts["train"], nobody
    if development:
        groups = [(item.dialogue if side == "text" else None) or item.speaker for item in items]
        train, held = splits.development_set(train, groups, labels, seed=seed)
    return Fold("split", train, held, tested)


def _suitable(items: Sequence[LabelledUtterance]) -> str:
    if all(item.session is not None for item in items) and len({item.session for item in items}) > 1:
        return "session"
    if {item.split for item in items} > {"train"} and None not in {item.split for item in items}:
        return "split"
    return str(min(DEFAULT_FOLDS, len({item.speaker for item in items})))
