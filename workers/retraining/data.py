"""The data of a run: who is learned from and who is tested on, frozen for good."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from ml.corpora.types import LabelledUtterance
from workers.errors import RunRefused

if TYPE_CHECKING:
    # Brings pyarrow, which only those load who retrain.
    from ml.corpora.manifest import Manifest

#: Part of the speakers that are tested on, where a plan does not say.
HOLDOUT = 1 / 3
#: Fewer speakers to learn from, or classes, or utterances of either kind, are not enough to begin.
MIN_SPEAKERS, MIN_HELD, MIN_CLASSES, MIN_ITEMS = 4, 4, 2, 40
#: A corpus that is registered is measured on at most so many utterances of its hold-out speakers.
MOST_MEASURED = 400
TARGET, HELD, UNLABELLED = "target.parquet", "holdout.parquet", "unlabelled.parquet"

Items = list[LabelledUtterance]


@dataclass(frozen=True, slots=True)
class Corpus:
    """A row of `training_corpora`, read."""

    name: str
    role: str
    manifest: "Manifest"


def divide(
    conn: Connection, profile_id: int, speakers: Iterable[str], share: float, *, least: int = MIN_HELD
) -> dict[str, str]:
    """speaker → "train" or "holdout", decided when a speaker is first seen, and the same ever after.

    So many are held out, `least` of them however few there are.

    Who is held out follows from a hash of the name, so it follows from nothing that anybody could learn or choose.
    """
    known = parts(conn, profile_id)
    wanted = set(speakers)
    new = sorted(wanted - known.keys(), key=lambda name: hashlib.sha256(f"{profile_id}/{name}".encode()).digest())
    held = sum(part == "holdout" for name, part in known.items() if name in wanted)
    lacking = max(least, round(share * len(wanted))) - held
    for place, name in enumerate(new):
        known[name] = "holdout" if place < lacking else "train"
    if new:
        conn.execute(
            text("""
                INSERT INTO speaker_parts (profile_id, speaker, part) VALUES (:p, :name, :part)
                ON CONFLICT DO NOTHING
            """),
            [{"p": profile_id, "name": name, "part": known[name]} for name in new],
        )
        known = parts(conn, profile_id)
    return {name: known[name] for name in wanted}


def parts(conn: Connection, profile_id: int) -> dict[str, str]:
    """What was decided about the speakers that are known."""
    rows = conn.execute(text("SELECT speaker, part FROM speaker_parts WHERE profile_id = :p"), {"p": profile_id})
    return {row.speaker: row.part for row in rows}


def require(learned: Items, held: Items) -> None:
    """Raise `RunRefused` where there is too little to learn from or to decide on."""
    both = (learned, MIN_SPEAKERS, "to learn from"), (held, MIN_HELD, "to test on")
    for (items, speakers, what), (others, _, use) in (both, both[::-1]):
        people = {item.speaker for item in items}
        if len(people) < speakers or len(items) < MIN_ITEMS:
            raise RunRefused(
                "too_few_labels",
                f"there are {len(items)} labelled utterances of {len(people)} people {what} ({len(others)} {use});"
                f" it takes {MIN_ITEMS} utterances of {speakers} people for each. `tenor labels sample` proposes what"
                " to label next",
            )
    classes = {item.label for item in learned} & {item.label for item in held}
    if len(classes) < MIN_CLASSES:
        raise RunRefused("too_few_classes", f"only {len(classes)} class has labels to learn from and to test on")


def freeze(items: Sequence[LabelledUtterance], path: Path) -> "Manifest":
    """The manifest of items, in the place of what an attempt that was killed may have left there."""
    from ml.corpora import manifest

    return manifest.freeze(items, path)


def frozen(path: Path, *, check_audio: bool = False) -> "Manifest":
    """What lies in a file; raises `ManifestBroken`, or `AudioChanged` where audio is to be looked at too."""
    from ml.corpora.manifest import read_manifest

    return read_manifest(path, check_audio=check_audio)


def corpora(conn: Connection, profile_id: int) -> list[Corpus]:
    """The trusted data sets of a profile; raises `ManifestBroken` for one that is not what was registered."""
    rows = conn.execute(
        text("SELECT name, role, manifest FROM training_corpora WHERE profile_id = :p ORDER BY id"), {"p": profile_id}
    )
    return [Corpus(row.name, row.role, frozen(Path(row.manifest))) for row in rows]


def register(
    conn: Connection, profile_id: int, name: str, role: str, manifest: "Manifest", run_id: int | None = None
) -> None:
    """Keep a frozen data set for later runs; the same name again takes the place of what it was."""
    conn.execute(
        text("""
            INSERT INTO training_corpora (profile_id, name, role, manifest, fingerprint, run_id)
            VALUES (:p, :name, :role, :path, :fingerprint, :run)
            ON CONFLICT (profile_id, name) DO UPDATE
               SET (role, manifest, fingerprint, run_id)
                   = (excluded.role, excluded.manifest, excluded.fingerprint, excluded.run_id)
        """),
        {
            "p": profile_id,
            "name": name,
            "role": role,
            "path": str(manifest.path),
            "fingerprint": manifest.fingerprint,
            "run": run_id,
        },
    )


def of_part(items: Iterable[LabelledUtterance], part: str, decided: dict[str, str]) -> Items:
    """The items whose speaker is in a part."""
    return [item for item in items if decided.get(item.speaker) == part]


def some(items: Items, most: int = MOST_MEASURED) -> Items:
    """At most so many, the same whenever it is asked, in their order."""
    if len(items) <= most:
        return items
    by_hash = sorted(items, key=lambda item: hashlib.sha256(f"{item.corpus}/{item.item_id}".encode()).digest())
    chosen = {id(item) for item in by_hash[:most]}
    return [item for item in items if id(item) in chosen]


def key(item: LabelledUtterance) -> tuple[str, str, str | None]:
    """What makes a label the same label: a corrected one is another."""
    return item.corpus, item.item_id, item.label
