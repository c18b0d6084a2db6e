"""Anybody's labels as a table: the corpus `csv`. PATH is the file; a tab in its header makes it tab-separated.

| column | what it holds |
|---|---|
| `path`, `text` | the recording, relative to the table, and what is said in it; at least one of the two columns |
| `label` | one of the classes, or a word for it such as `anger`, `joy`, `calm`; empty: none was agreed |
| `angry` … `surprise` | votes or shares for each class, instead of or beside `label`; those not there count zero |
| `arousal`, `valence` | from 1 (calm, negative) to 5 (excited, positive) |
| `speaker` | who speaks; without it nobody is known to speak in two recordings |
| `start_s`, `end_s` | which seconds of the recording; empty: all of it |
| `language` | a code such as `en`; without it `und` |
| `dialogue`, `session` | what belongs together; lines of a dialogue stand in its order |
| `split` | `train`, `dev` or `test` |
| `gender`, `annotator`, `id` | optional |

At least one of label, votes, arousal and valence has to be there. Other columns are ignored.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ml.corpora.importer import importer
from ml.corpora.reading import rows, table
from ml.corpora.types import CorpusBroken, CorpusMissing, LabelledUtterance, LabelUnknown, Skipped, shown
from ml.corpora.votes import normalised
from ml.emotions import EMOTIONS

#: Words that other corpora and people use for a class.
LABELS = {emotion: emotion for emotion in EMOTIONS} | {
    "anger": "angry",
    "happiness": "happy",
    "joy": "happy",
    "excited": "happy",
    "calm": "neutral",
    "sadness": "sad",
    "fearful": "fear",
    "disgusted": "disgust",
    "surprised": "surprise",
}
#: Of either, a table needs at least one column.
WHAT = ("path", "text")
SAYING = ("label", *EMOTIONS, "arousal", "valence")
SPLITS = ("train", "dev", "test")


@importer("csv", about="your own table: path, text, label, votes, speaker, …", licence="that of its owner")
def generic(path: Path, skipped: Skipped) -> Iterator[LabelledUtterance]:
    """Every line of a table; lines whose recording is not there are skipped."""
    if not path.is_file():
        raise CorpusMissing(f"{path} is no file", hint="Give the table itself.")
    with path.open("rb") as file:
        delimiter = "\t" if b"\t" in file.readline() else ","
    _require_columns(path, delimiter)
    for number, row in table(path, (), delimiter=delimiter):
        said = {name.strip(): field.strip() for name, field in row.items()}
        if not said.get("path") and not said.get("text"):
            raise CorpusBroken.at(path, number, "it has neither a path nor a text")
        audio = path.parent / said["path"] if said.get("path") else None
        if audio is not None and not audio.is_file():
            skipped.add("no audio", audio)
            continue
        try:
            yield _utterance(path, number, said, audio)
        except ValueError as exc:
            raise CorpusBroken.at(path, number, str(exc)) from exc


def _require_columns(path: Path, delimiter: str) -> None:
    """Refuse a table without a column that is needed, with those that it has."""
    line, header = next(rows(path, delimiter=delimiter), (1, []))
    names = {name.strip() for name in header}
    for what, needed in (("what is labelled", WHAT), ("labels", SAYING)):
        if names.isdisjoint(needed):
            found = ", ".join(shown(name.strip()) for name in header) or "none"
            raise CorpusBroken.at(
                path,
                line,
                f"there is no column of {what}; the columns are {found}",
                hint=f"Name a column one of {', '.join(needed)} in the first line; commas or tabs part the columns.",
            )


def _utterance(path: Path, number: int, said: Mapping[str, str], audio: Path | None) -> LabelledUtterance:
    label = said.get("label", "").lower()
    if label and label not in LABELS:
        raise LabelUnknown.at(path, number, f"{shown(label)} is none of the classes")
    split = said.get("split") or None
    if split is not None and split not in SPLITS:
        raise ValueError(f"the split is none of {', '.join(SPLITS)}")
    counts = {emotion: _number(said, emotion) or 0.0 for emotion in EMOTIONS}
    if not all(0 <= count < float("inf") for count in counts.values()):
        raise ValueError("votes are no numbers of people or shares")
    item = LabelledUtterance(
        corpus="csv",
        item_id=said.get("id") or _name(number, said),
        speaker=f"csv-{said.get('speaker') or said.get('dialogue') or said.get('path') or number}",
        label=LABELS[label] if label else None,
        language=_language(said),
        audio_path=audio,
        text=said.get("text") or None,
        split=split,
        start_s=_number(said, "start_s"),
        end_s=_number(said, "end_s"),
        distribution=normalised(counts),
        arousal=_number(said, "arousal"),
        valence=_number(said, "valence"),
        dialogue=f"csv-{said['dialogue']}" if said.get("dialogue") else None,
        session=f"csv-{said['session']}" if said.get("session") else None,
        gender=said.get("gender") or None,
        source_label=label or None,
        annotator=said.get("annotator") or None,
    )
    if not item.says_something:
        raise ValueError("it has no label, no votes, no arousal and no valence")
    return item


def _name(number: int, said: Mapping[str, str]) -> str:
    """A name that stays when lines are added above: the recording and when in it; a text has its line only."""
    if not said.get("path"):
        return f"line {number}"
    parts = (said["path"], said.get("start_s"), said.get("annotator"))
    return "#".join(part for part in parts if part)


def _number(said: Mapping[str, str], column: str) -> float | None:
    field = said.get(column)
    if not field:
        return None
    try:
        return float(field)
    except ValueError:
        raise ValueError(f"{column} is no number") from None


def _language(said: Mapping[str, str]) -> str:
    if not said.get("language"):
        return "und"
    # Languages have a library of their own, which importing this module should not need.
    from ml.languages import code_of

    code = code_of(said["language"])
    if code is None:
        raise ValueError("the language is not a code of ISO 639")
    return code
