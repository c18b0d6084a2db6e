"""What a report says, read from the database."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from ml.emotions import EMOTIONS
from ops.report.finding import Target

#: Prefixes of the views' columns: fused, by voice, by words.
SIDES = {"fused": "p", "speech": "speech", "text": "text"}
#: A label is an utterance's when it covers so much of it.
SHARE_LABELLED = 0.5

#: By emotion; NULL outside of a profile's labels.
Probabilities = dict[str, float]


@dataclass(frozen=True, slots=True)
class Word:
    """A word and when it is heard."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Said:
    """An utterance with everything that is known of it."""

    number: int
    speaker: str
    start_s: float
    end_s: float
    text: str | None
    label: str | None
    confidence: float | None
    #: By side; a side that could not be computed is not there.
    sides: dict[str, Probabilities]
    arousal: float | None
    valence: float | None
    quality: str | None
    words: tuple[Word, ...]
    #: (annotator, label)
    heard: tuple[tuple[str, str], ...]

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Voice:
    """A speaker of the recording; what only times tell is None where the views show another alignment."""

    name: str
    utterances: int
    talk_s: float
    share: float
    mean: Probabilities
    turns: int | None = None
    longest_turn_s: float | None = None
    interruptions: int | None = None
    response_s: float | None = None


@dataclass(frozen=True, slots=True)
class Shift:
    """A row of `emotion_shifts`."""

    number: int
    speaker: str
    start_s: float
    text: str | None
    from_label: str
    to_label: str
    shift: float
    negative_change: float
    after_speaker: str | None
    after_no: int | None
    after_text: str | None


@dataclass(frozen=True, slots=True)
class Content:
    """All of it."""

    target: Target
    duration_s: float
    language: str | None
    aligner: str | None
    recorded_at: datetime | None
    dialogue: str | None
    metadata: dict[str, str]
    analysed_at: datetime | None
    #: The models' name, kind, hash and licence by side: speech, text.
    models: dict[str, dict[str, Any]]
    #: Why the transcript of the whole recording was not followed, in words.
    warning: str | None
    #: The job was told to store no text.
    textless: bool
    utterances: tuple[Said, ...]
    voices: tuple[Voice, ...]
    #: None where the views show other values.
    shifts: tuple[Shift, ...] | None

    @property
    def mean(self) -> Probabilities:
        """Over the whole recording, weighted by seconds of speech."""
        return mean(self.utterances)

    @property
    def notes(self) -> Counter[str]:
        """Words of `quality` and how many utterances have them."""
        return Counter(note for one in self.utterances for note in (one.quality or "").split())


def read(conn: Connection, target: Target) -> Content:
    """Read everything about one analysis."""
    facts = conn.execute(_FACTS, _key(target)).one()
    utterances = _utterances(conn, target)
    return Content(
        target=target,
        duration_s=max([facts.duration_s or 0.0, *(one.end_s for one in utterances)]),
        language=facts.language,
        aligner=facts.aligner,
        recorded_at=facts.recorded_at,
        dialogue=facts.dialogue,
        metadata=facts.metadata,
        analysed_at=facts.analysed_at,
        models={side: facts.spec[side] for side in ("speech", "text") if side in facts.spec},
        warning=facts.warning,
        textless=facts.textless,
        utterances=utterances,
        voices=_voices(conn, target, utterances),
        shifts=_shifts(conn, target) if target.current else None,
    )


def mean(utterances: Sequence[Said], side: str = "fused") -> Probabilities:
    """Mean probabilities weighted by seconds of speech."""
    weighed = [(one.sides[side], one.seconds) for one in utterances if side in one.sides]
    total = sum(seconds for _, seconds in weighed)
    classes = [emotion for emotion in EMOTIONS if any(emotion in values for values, _ in weighed)]
    return {emotion: sum(values.get(emotion, 0.0) * s for values, s in weighed) / total for emotion in classes}


def strongest(values: Probabilities) -> str | None:
    """The emotion with the highest probability."""
    return max(values, key=lambda emotion: values[emotion]) if values else None


_FACTS = text("""
SELECT al.duration_s, al.language, al.aligner, f.recorded_at, f.dialogue, f.metadata, v.spec,
       rs.finished_at AS analysed_at, jr.error AS warning,
       coalesce(al.options->>'keep_text' = 'false', false) AS textless
  FROM alignments al
  JOIN archive_files f ON f.id = :file
  JOIN profile_versions v ON v.id = :version
  LEFT JOIN recording_scores rs ON rs.alignment_id = al.id AND rs.profile_version_id = v.id
  LEFT JOIN job_recordings jr ON jr.job_id = :job AND jr.file_id = f.id
 WHERE al.id = :alignment
""")
#: Words are in no view, and labels meet utterances of any alignment here.
_WORDS = text("SELECT utterance_no, words FROM utterances WHERE alignment_id = :alignment AND words IS NOT NULL")
_HEARD = text("""
SELECT u.utterance_no, l.annotator, l.label
  FROM utterances u
  JOIN labels l ON l.recording_id = :recording AND l.start_s < u.end_s AND l.end_s > u.start_s
 WHERE u.alignment_id = :alignment AND l.label IS NOT NULL
   AND least(l.end_s, u.end_s) - greatest(l.start_s, u.start_s) >= :share * (u.end_s - u.start_s)
 ORDER BY u.utterance_no, l.annotator
""")
_OF_VIEWS = "archive = :archive AND recording = :path AND profile = :profile AND version = :number"


def _key(target: Target) -> dict[str, Any]:
    return {
        "file": target.file_id,
        "recording": target.recording_id,
        "alignment": target.alignment_id,
        "version": target.profile_version_id,
        "job": target.job_id,
        "archive": target.archive,
        "path": target.path,
        "profile": target.profile,
        "number": target.version,
    }


def _utterances(conn: Connection, target: Target) -> tuple[Said, ...]:
    key = _key(target) | {"share": SHARE_LABELLED}
    view = "utterance_emotions WHERE" if target.current else "job_emotions WHERE job_id = :job AND"
    words = {row.utterance_no: row.words for row in conn.execute(_WORDS, key)}
    heard: dict[int, list[tuple[str, str]]] = {}
    for row in conn.execute(_HEARD, key):
        heard.setdefault(row.utterance_no, []).append((row.annotator, row.label))
    rows = conn.execute(text(f"SELECT * FROM {view} {_OF_VIEWS} ORDER BY utterance_no"), key).mappings()
    return tuple(
        Said(
            number=row["utterance_no"],
            **{name: row[name] for name in ("speaker", "start_s", "end_s", "text", "label", "confidence")},
            sides={side: values for side, prefix in SIDES.items() if (values := _side(row, prefix))},
            **{name: row[name] for name in ("arousal", "valence", "quality")},
            words=tuple(Word(*word[:3]) for word in words.get(row["utterance_no"], ())),
            heard=tuple(heard.get(row["utterance_no"], ())),
        )
        for row in rows
    )


def _side(row: Any, prefix: str) -> Probabilities:
    values = {emotion: row[f"{prefix}_{emotion}"] for emotion in EMOTIONS}
    return {emotion: value for emotion, value in values.items() if value is not None}


def _voices(conn: Connection, target: Target, utterances: Sequence[Said]) -> tuple[Voice, ...]:
    names = list(dict.fromkeys(one.speaker for one in utterances))
    dynamics: dict[str, Any] = {}
    if target.current:
        query = text(f"SELECT * FROM conversation_dynamics WHERE {_OF_VIEWS}")
        dynamics = {row.speaker: row for row in conn.execute(query, _key(target))}
    total = sum(one.seconds for one in utterances)
    voices = []
    for name in names:
        own = [one for one in utterances if one.speaker == name]
        seconds, known = sum(one.seconds for one in own), dynamics.get(name)
        times = ("turns", "longest_turn_s", "interruptions", "response_s") if known else ()
        more = {column: getattr(known, column) for column in times}
        voices.append(Voice(name, len(own), seconds, seconds / total, mean(own), **more))
    return tuple(voices)


def _shifts(conn: Connection, target: Target) -> tuple[Shift, ...]:
    query = text(f"""
        SELECT utterance_no AS number, speaker, start_s, text, from_label, to_label, shift, negative_change,
               after_speaker, after_no, after_text
          FROM emotion_shifts WHERE {_OF_VIEWS} ORDER BY shift DESC, utterance_no
    """)
    return tuple(Shift(**row._mapping) for row in conn.execute(query, _key(target)))
