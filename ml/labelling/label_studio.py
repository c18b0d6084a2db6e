"""The JSON export of Label Studio (its documentation, "Label Studio JSON format of annotated tasks").

A list of tasks: `data` is what was imported, `annotations` what people made of it. What counts of a result:

- `choices`, or `labels` of a region, are the words of an annotator; of several `choices`, those of a control that is
  called emotion or label. Results with the same id are about the same region.
- `rating` and `number` of controls called arousal and valence are points; `textarea` is a note.
- A result with `start` and `end` is about that region, one without about the whole task. Task and result together name
  the region, so that one which its annotator moves stays the same.

A task that `tenor labels sample` made says in `data` which content and which seconds its clip is cut from. Of others,
the recording is told from `recording`, `sha256` or `recording_id` in `data`, else from the URL of its audio.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ml.labelling.errors import LabelsUnreadable
from ml.labelling.rows import MAPPED_AWAY, AnnotatorUnknown
from ml.labelling.types import About, Judgement, Read, Refusal
from ml.labelling.words import Words
from ml.transcripts.naming import recording_name

_EMOTION = ("emotion", "label", "emotions", "labels")
#: What Label Studio puts before the name of a file that was uploaded.
_UPLOAD = re.compile(r"[0-9a-f]{8}-(?=.)")
_NOT_SO = "it is not as Label Studio writes it"
#: Keys of `data` that hold a URL of sound, most telling first.
_AUDIO = ("recording", "audio", "audio_url", "url", "sound", "wav")


@dataclass(slots=True)
class _Region:
    """What one annotator says about one stretch of a task; without times about all of it."""

    id: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    choices: dict[str, list[str]] = field(default_factory=dict)
    points: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def words(self) -> list[str]:
        """The annotator's words for the emotion."""
        telling = {name: words for name, words in self.choices.items() if name.lower() in _EMOTION}
        return [word for words in (telling or self.choices).values() for word in words]


def is_export(content: Any) -> bool:
    """True for what an export of Label Studio looks like."""
    return isinstance(content, list) and all(isinstance(task, dict) and "data" in task for task in content)


def read_export(found: Read, text: str, *, annotator: str | None, words: Words) -> None:
    """Read every annotation; raises `LabelsUnreadable`. `annotator` is used where the export names nobody."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise LabelsUnreadable(f"{found.source} cannot be read as JSON") from exc
    if not is_export(content):
        raise LabelsUnreadable(
            f"{found.source} is no list of tasks", hint="Export from Label Studio as “JSON”, not “JSON-MIN”."
        )
    for place, task in enumerate(content):
        name = f"task {task.get('id', place + 1)}"
        annotations = task.get("annotations") or task.get("completions") or []
        if not annotations:
            found.left_out["task without an annotation"] += 1
        try:
            latest = _latest(found, annotations)
        except (TypeError, AttributeError):
            found.refusals.append(Refusal(found.source, name, _NOT_SO))
            continue
        for who, annotation in latest.items():
            where = f"{name}, annotation {annotation.get('id')}"
            try:
                found.judgements += _judgements(found, task, annotation, where, who or annotator, words)
            except ValueError as exc:
                found.refusals.append(Refusal(found.source, where, str(exc)))
            except (TypeError, AttributeError, KeyError):
                found.refusals.append(Refusal(found.source, where, _NOT_SO))


def _latest(found: Read, annotations: Sequence[Any]) -> dict[str | None, Mapping[str, Any]]:
    """One annotation of each annotator: the latest that was not cancelled."""
    chosen: dict[str | None, Mapping[str, Any]] = {}
    for annotation in annotations:
        if annotation.get("was_cancelled") or annotation.get("skipped"):
            found.left_out["skipped by its annotator"] += 1
        elif not annotation.get("result"):
            found.left_out["annotation without a result"] += 1
        else:
            who = _who(annotation.get("completed_by"))
            if who in chosen:
                found.left_out["annotated again by the same annotator"] += 1
            if who not in chosen or _written(annotation) >= _written(chosen[who]):
                chosen[who] = annotation
    return chosen


def _written(annotation: Mapping[str, Any]) -> str:
    return str(annotation.get("updated_at") or annotation.get("created_at") or "")


def _who(given: Any) -> str | None:
    """An address or name where the export has one, else the number of the account."""
    if isinstance(given, Mapping):
        given = given.get("email") or given.get("username") or given.get("id")
    if given is None or given == "":
        return None
    return f"label-studio-{given}" if isinstance(given, int) or str(given).isdigit() else str(given)


def _judgements(
    found: Read, about: Mapping[str, Any], annotation: Mapping[str, Any], where: str, who: str | None, words: Words
) -> list[Judgement]:
    if who is None:
        raise AnnotatorUnknown
    data, task = about["data"], about.get("id")
    recording, (first, last) = _about(data), _stretch(data)
    made = []
    for region in _regions(annotation["result"]):
        said = words.emotion(region.words())
        points = {axis: words.points(value, axis) for axis, value in region.points.items()}
        if not points and said.label is None and said.shares is None:
            found.left_out[MAPPED_AWAY if said.source_label else "region without a label"] += 1
            continue
        start, end = first, last
        if region.start_s is not None and region.end_s is not None:
            start, end = (first or 0.0) + region.start_s, (first or 0.0) + region.end_s
        made.append(
            Judgement(
                file=found.source,
                where=where,
                about=recording,
                annotator=who,
                start_s=start,
                end_s=end,
                label=said.label,
                shares=said.shares,
                arousal=points.get("arousal"),
                valence=points.get("valence"),
                source_label=said.source_label,
                note=" ".join(region.notes) or None,
                region=None if region.id is None or task is None else f"label-studio {task} {region.id}",
            )
        )
    return made


def _regions(results: Sequence[Mapping[str, Any]]) -> list[_Region]:
    """Results gathered by region; those without times are together about the whole task."""
    regions: dict[str | None, _Region] = {}
    for result in results:
        value = result.get("value") or {}
        timed = "start" in value and "end" in value
        key = str(result.get("id")) if timed else None
        region = regions.setdefault(key, _Region(key))
        if timed:
            region.start_s, region.end_s = _number(value["start"], "start"), _number(value["end"], "end")
        kind, control = result.get("type"), str(result.get("from_name", ""))
        if kind in ("choices", "labels"):
            region.choices.setdefault(control, []).extend(map(str, value.get(kind, ())))
        elif kind in ("rating", "number") and control.lower() in ("arousal", "valence"):
            region.points[control.lower()] = _number(value[kind], control.lower())
        elif kind == "textarea":
            given = value.get("text", ())
            region.notes += [given] if isinstance(given, str) else map(str, given)
    return list(regions.values())


def _stretch(data: Mapping[str, Any]) -> tuple[float | None, float | None]:
    if data.get("start_s") is None or data.get("end_s") is None:
        return None, None
    return _number(data["start_s"], "start_s"), _number(data["end_s"], "end_s")


def _number(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is no number") from None


def _about(data: Mapping[str, Any]) -> About:
    sha256 = data.get("recording_sha256") or data.get("sha256")
    number = None if data.get("recording_id") is None else _number(data["recording_id"], "recording_id")
    if number is not None and not (number.is_integer() and 0 <= number < 2**53):
        raise ValueError("recording_id is no whole number")
    given = next((str(data[key]) for key in _AUDIO if data.get(key)), None)
    return About(
        None if number is None else int(number),
        None if sha256 is None else str(sha256),
        () if given is None else paths_of(given),
        by_name=True,
    )


def paths_of(url: str) -> tuple[str, ...]:
    """What a recording's path may be, from the URL that Label Studio has of it, likeliest first."""
    parts = urlsplit(url)
    served = parse_qs(parts.query).get("d")
    path = PurePosixPath(served[0] if served else unquote(parts.path))
    names = [str(path).lstrip("/")]
    if (plain := _UPLOAD.sub("", path.name, count=1)) != path.name:
        names.append(plain)
    return tuple(name for name in names if recording_name(name))
