"""One annotator's judgement from named fields: a row of a table, or an object of JSON lines.

| field | what it holds |
|---|---|
| `recording` (`path`) | path within the archive, or the end of one; or `sha256` or `recording_id` instead |
| `start_s`, `end_s` | which seconds of it; or `utterance_no`, as the views have it; neither: all of it |
| `annotator` | who judged; without it the one that the command names |
| `label` | a class, or a word for it; several words, as in `angry; sad`, share the vote |
| `angry` … `surprise` | votes or shares for each class, instead of or beside `label`; in JSON also an object `shares` |
| `arousal`, `valence` | on the scale that the command names |
| `note`, `speaker`, `gender` (of the speaker), `language` | optional |
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ml.corpora.generic import LABELS
from ml.labelling.types import About, Judgement
from ml.labelling.words import Said, Words, several

#: Other names of a field.
_NAMES = {
    "recording": ("recording", "path", "file", "audio"),
    "sha256": ("sha256", "recording_sha256"),
    "recording_id": ("recording_id",),
    "start_s": ("start_s", "start"),
    "end_s": ("end_s", "end"),
    "utterance_no": ("utterance_no", "utterance"),
    "annotator": ("annotator", "rater"),
    "label": ("label", "emotion"),
    "arousal": ("arousal",),
    "valence": ("valence",),
    "note": ("note", "comment"),
    "speaker": ("speaker",),
    "gender": ("gender", "sex"),
    "language": ("language",),
}
_GENDERS = {"f": "female", "m": "male"}
MAPPED_AWAY = "it is none of the classes"


class AnnotatorUnknown(ValueError):
    """Nobody says who judged."""

    def __init__(self) -> None:
        super().__init__("it does not say who judged; name somebody with --annotator")


def is_about_labels(names: Sequence[str]) -> bool:
    """True for a header that says what is judged and how."""
    known = {name.strip().lower() for name in names}
    about = any(name in known for field in ("recording", "sha256", "recording_id") for name in _NAMES[field])
    said = any(name in known for field in ("label", "arousal", "valence") for name in _NAMES[field])
    return about and (said or bool(known & set(LABELS)) or "shares" in known)


def judgement_of(
    given: Mapping[str, Any],
    *,
    file: str,
    where: str,
    annotator: str | None,
    words: Words,
    left_out: Counter[str],
) -> Judgement | None:
    """The judgement that some fields hold, None when it is counted as left out; raises `ValueError` with the reason."""
    fields = {name.strip().lower(): value for name, value in given.items() if not _is_empty(value)}
    who = _text(fields, "annotator") or annotator
    if who is None:
        raise AnnotatorUnknown
    said = _emotion(fields, words)
    arousal, valence = (_points(fields, name, words) for name in ("arousal", "valence"))
    if said.source_label is not None and (said.label, said.shares, arousal, valence) == (None, None, None, None):
        left_out[MAPPED_AWAY] += 1
        return None
    path, utterance_no = _text(fields, "recording"), _whole(fields, "utterance_no")
    start_s, end_s = _number(fields, "start_s"), _number(fields, "end_s")
    if utterance_no is not None and start_s is not None:
        # Times stay what was judged, whatever a later alignment calls the utterance.
        utterance_no = None
    return Judgement(
        file=file,
        where=where,
        about=About(_whole(fields, "recording_id"), _text(fields, "sha256"), (path,) if path else ()),
        annotator=who,
        start_s=start_s,
        end_s=end_s,
        utterance_no=utterance_no,
        label=said.label,
        shares=said.shares,
        arousal=arousal,
        valence=valence,
        source_label=said.source_label,
        note=_text(fields, "note"),
        speaker=_text(fields, "speaker"),
        gender=_gender(fields),
        language=_language(fields),
    )


def _emotion(fields: Mapping[str, Any], words: Words) -> Said:
    given = _field(fields, "label")
    named = [str(word) for word in given] if isinstance(given, list) else several(str(given)) if given else []
    label = words.emotion(named)
    counts = dict(fields["shares"]) if isinstance(fields.get("shares"), Mapping) else {}
    counts |= {name: fields[name] for name in fields if name in LABELS or name in words.also}
    if not counts:
        return label
    votes = words.votes({name: _as_number(value, name) for name, value in counts.items()})
    if votes.shares is None:
        return label
    return Said(label.label or (None if named else votes.label), votes.shares, label.source_label)


def _points(fields: Mapping[str, Any], name: str, words: Words) -> float | None:
    value = _number(fields, name)
    return None if value is None else words.points(value, name)


def _gender(fields: Mapping[str, Any]) -> str | None:
    """One word for each, since people are grouped by it."""
    given = _text(fields, "gender")
    return None if given is None else _GENDERS.get(given.lower(), given.lower())


def _language(fields: Mapping[str, Any]) -> str | None:
    given = _text(fields, "language")
    if given is None:
        return None
    # Languages have a library of their own, which importing this module should not need.
    from ml.languages import code_of

    code = code_of(given)
    if code is None:
        raise ValueError("the language is not a code of ISO 639")
    return code


def _field(fields: Mapping[str, Any], name: str) -> Any:
    return next((fields[known] for known in _NAMES[name] if known in fields), None)


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = _field(fields, name)
    return None if value is None else str(value).strip()


def _number(fields: Mapping[str, Any], name: str) -> float | None:
    value = _field(fields, name)
    return None if value is None else _as_number(value, name)


def _as_number(value: Any, name: str) -> float:
    try:
        number = float(str(value).replace(",", ".")) if not isinstance(value, bool) else None
    except ValueError:
        number = None
    if number is None or number != number:
        raise ValueError(f"{name} is no number")
    return number


def _whole(fields: Mapping[str, Any], name: str) -> int | None:
    value = _number(fields, name)
    if value is not None and not (value.is_integer() and 0 <= value < 2**63):
        raise ValueError(f"{name} is no whole number")
    return None if value is None else int(value)


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())
