"""What people heard, resolved: one target for each stretch of a recording that somebody judged.

Every annotator has one vote on the classes: the shares he gave, or all of it for his label. What a corpus publishes as
agreed is one annotator's judgement too. Arousal and valence are means over those who said something about them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, text

from db.tables.labels import SHARES
from db.tables.scores import EMOTIONS

#: Shares that differ by less are a tie; they are stored in single precision.
_TIE = 1e-5
#: Of the alignment that a file shows (made with its transcript, and with its options where there is one): the voice
#: that speaks most in a stretch, and what it says there. An utterance counts where half of it is in the stretch. Its
#: language, where it has no words, is what the archive's owner said it is.
_HEARD = """
SELECT s.name AS voice, s.recording_id IS NULL AS is_named, min(u.channel) AS channel,
       min(coalesce(u.language, nullif(a.options ->> 'language', 'auto'))) AS language,
       string_agg(u.text, ' ' ORDER BY u.utterance_no) AS text
  FROM utterances u
  JOIN alignments a ON a.id = u.alignment_id
  JOIN speakers s ON s.id = u.speaker_id
 WHERE u.alignment_id = (
       SELECT al.id FROM alignments al
        WHERE al.recording_id = f.recording_id AND al.transcript_sha256 = f.transcript_sha256 AND al.state = 'done'
        ORDER BY coalesce(al.options_hash = f.options_hash, false) DESC, al.id DESC LIMIT 1)
   AND least(u.end_s, l.end_s) - greatest(u.start_s, l.start_s) >= 0.5 * (u.end_s - u.start_s)
 GROUP BY s.id
 ORDER BY sum(least(u.end_s, l.end_s) - greatest(u.start_s, l.start_s)) DESC, s.id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be learnt of one stretch. `shares` are [7] in the order of the classes, None without votes."""

    recording_id: int
    recording_sha256: str
    start_s: float
    end_s: float
    #: Where the label is from; "archive": labels of one's own.
    corpus: str
    item_id: str
    annotators: tuple[str, ...]
    #: The class with the highest share, None for a tie or when nothing was agreed.
    label: str | None
    source_label: str | None
    shares: tuple[float, ...] | None
    #: From 1 (calm, negative) to 5 (excited, positive).
    arousal: float | None
    valence: float | None
    #: Who speaks, as the labels say; None: see `voice`.
    speaker: str | None
    #: Who speaks, as the analysis heard it; a voice that is not named is one of this recording.
    voice: str | None
    voice_is_named: bool
    channel: int | None
    #: Of the recording, as it was found.
    sample_rate: int | None
    channels: int | None
    gender: str | None
    style: str | None
    language: str | None
    text: str | None
    dialogue: str | None
    session: str | None
    split: str | None
    #: The file that it is read from: a row of `archive_files`.
    file_id: int
    #: When the latest of its judgements came.
    imported_at: datetime


def targets(
    conn: Connection, *, archives: Sequence[int] | None = None, since: datetime | None = None
) -> Iterator[Target]:
    """Every stretch with a judgement, in order of recording and time, of recordings that lie in an archive.

    `archives` names the archives, None: all of them. `since` leaves out stretches about which nothing came after that.
    """
    rows = conn.execute(
        text(f"""
            SELECT l.recording_id, r.sha256, l.start_s, l.end_s, l.annotator, l.corpus, l.item_id, l.label,
                   l.source_label, {", ".join(f"l.{name}" for name in SHARES)}, l.arousal, l.valence, l.speaker,
                   l.gender, l.style, r.sample_rate, r.channels, l.language, l.dialogue, l.session, l.split,
                   l.imported_at, f.id AS file_id,
                   f.dialogue AS conversation, h.voice, h.is_named, h.channel, h.text, h.language AS heard_language
              FROM labels l
              JOIN recordings r ON r.id = l.recording_id
              JOIN LATERAL (
                   SELECT * FROM archive_files af
                    WHERE af.recording_id = l.recording_id
                      AND (CAST(:archives AS bigint[]) IS NULL OR af.archive_id = ANY(CAST(:archives AS bigint[])))
                    ORDER BY af.id LIMIT 1) f ON true
              LEFT JOIN LATERAL ({_HEARD}) h ON true
             ORDER BY l.recording_id, l.start_s, l.end_s, l.annotator
        """),
        {"archives": None if archives is None else list(archives)},
        execution_options={"yield_per": 2000},
    )
    for _, group in groupby(rows, key=lambda row: (row.recording_id, row.start_s, row.end_s)):
        target = _target(list(group))
        if since is None or target.imported_at > since:
            yield target


def _target(rows: Sequence[Row[Any]]) -> Target:
    # A corpus is named before an archive: its item has a name that others know it by.
    first = min(rows, key=lambda row: (row.corpus == "archive", row.annotator))
    label, shares = resolved([(row.label, _shares(row)) for row in rows])
    return Target(
        recording_id=first.recording_id,
        recording_sha256=first.sha256,
        start_s=first.start_s,
        end_s=first.end_s,
        corpus=first.corpus,
        item_id=first.item_id,
        annotators=tuple(row.annotator for row in rows),
        label=label,
        source_label=first.source_label if len(rows) == 1 else None,
        shares=shares,
        arousal=_mean(row.arousal for row in rows),
        valence=_mean(row.valence for row in rows),
        speaker=_first(row.speaker for row in (first, *rows)),
        voice=first.voice,
        voice_is_named=bool(first.is_named),
        channel=first.channel,
        sample_rate=first.sample_rate,
        channels=first.channels,
        gender=_first(row.gender for row in (first, *rows)),
        style=_first(row.style for row in (first, *rows)),
        language=_first(row.language for row in (first, *rows)) or first.heard_language,
        text=first.text,
        dialogue=_first(row.dialogue for row in (first, *rows)) or first.conversation,
        session=_first(row.session for row in (first, *rows)),
        split=_first(row.split for row in (first, *rows)),
        file_id=first.file_id,
        imported_at=max(row.imported_at for row in rows),
    )


def resolved(
    judgements: Sequence[tuple[str | None, Sequence[float] | None]],
) -> tuple[str | None, tuple[float, ...] | None]:
    """(label, shares [7]) of several annotators' (label, shares); an annotator with neither has no vote.

    The label is the class with the highest mean share, None for a tie. One annotator's own label stands as it is: a
    corpus may publish votes and say that they agree on nothing.
    """
    votes = [vote for label, shares in judgements if (vote := _vote(label, shares)) is not None]
    if not votes:
        return None, None
    means = tuple(sum(vote[place] for vote in votes) / len(votes) for place in range(len(EMOTIONS)))
    given = judgements[0][1]
    if len(judgements) == 1:
        return judgements[0][0], None if given is None else means
    ranked = sorted(means, reverse=True)
    return (EMOTIONS[means.index(ranked[0])] if ranked[0] - ranked[1] > _TIE else None), means


def _vote(label: str | None, shares: Sequence[float] | None) -> tuple[float, ...] | None:
    if shares is not None:
        total = sum(shares)
        return tuple(share / total for share in shares) if total > 0 else None
    return None if label is None else tuple(float(emotion == label) for emotion in EMOTIONS)


def _shares(row: Row[Any]) -> tuple[float, ...] | None:
    found = tuple(getattr(row, name) for name in SHARES)
    return None if found[0] is None else tuple(float(share) for share in found)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value is not None), None)
