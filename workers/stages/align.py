"""align: recordings of a group → utterances, speakers, words and phones; cuts the utterances into batches."""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from celery import Task
from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy import Connection, text

from db import erasures
from db.scores import write_utterances
from ml.errors import RecordingError, TenorError
from workers import context
from workers.app import app
from workers.archives.files import check_unchanged
from workers.archives.members import Member, members_of
from workers.errors import RecordingFailed, RecordingTooLarge, RecordingTooSlow, SpeakerErased
from workers.ledger import failures, limits
from workers.ledger.claims import Claim
from workers.ledger.deadline import deadline
from workers.ledger.units import Aligned, add_batches
from workers.stages.runner import Outcome, run
from workers.telling import Tell

if TYPE_CHECKING:
    from ml.alignment.types import Alignment

logger = logging.getLogger(__name__)


@app.task(bind=True, name="align.group")
def align_group(self: "Task[Any, Any]", *, stage_id: int, job: int) -> str:
    """Align the recordings of one group."""
    return run(self, stage_id, _work)


def _work(claim: Claim, tell: Tell) -> Outcome:
    started = time.monotonic()
    assert claim.group_id is not None
    members = members_of(claim.group_id)
    context.await_preload()
    tell("loading models")
    _load_models(members)
    results: list[tuple[Member, Alignment | RecordingError]] = []
    minutes = sum(member.seconds for member in members) / 60
    for member in members:
        done = sum(told.seconds for told, _ in results) / 60
        tell(f"{len(results)} of {len(members)} recordings, {done:.1f} of {minutes:.1f} min")
        results.append((member, _result(member)))
    failed = sum(isinstance(result, Exception) for _, result in results)
    audio_s = sum(result.duration_s for _, result in results if not isinstance(result, Exception))
    utterances = sum(len(result.utterances) for _, result in results if not isinstance(result, Exception))
    lost = f" ({failed} failed)" if failed else ""
    summary = (
        f"{len(members)} recordings{lost}, {utterances} utterances, {audio_s / 60:.1f} min,"
        f" {time.monotonic() - started:.1f} s"
    )
    return Outcome(summary, lambda conn: _commit(conn, claim, results))


def _load_models(members: Sequence[Member]) -> None:
    """Load what the group's jobs name besides the usual, so that it does not count as work on its first recording."""
    from ml.alignment.registry import find_aligner

    for name in {member.options["aligner"] for member in members}:
        find_aligner(name, context.settings().device).preload()
    # What an older version of Tenor wrote down does not name one.
    for name in {member.options["transcriber"] for member in members if member.options.get("transcriber")}:
        from ml.transcription.transcriber import preload

        preload(name, context.settings().device)


def _result(member: Member) -> "Alignment | RecordingError":
    """One recording's alignment, or the error that is its result; its neighbours go on either way.

    Raises only what says nothing about the recording: limits of the whole stage, and what passes.
    """
    limit_s = limits.recording_s(member.seconds, context.settings().stage_limit_s)
    try:
        with deadline(limit_s, RecordingTooSlow(f"aligning it was given up after {limit_s:.0f} s")):
            return _align(member)
    except RecordingError as exc:
        return exc
    except MemoryError:
        return RecordingTooLarge("the memory of the worker does not suffice for it")
    except SoftTimeLimitExceeded:
        raise
    except Exception as exc:
        if isinstance(failures.named(exc), TenorError):
            raise
        logger.warning(
            "alignment %d ended with an error without a name\n%s",
            member.alignment_id, failures.trace_without_values(exc),
        )  # fmt: skip
        return RecordingFailed(f"aligning it ended with {type(exc).__name__}")


def _align(member: Member) -> "Alignment":
    from ml.alignment.options import AlignOptions
    from ml.alignment.recording import align_recording

    # What an older version of Tenor wrote down may lack the newest options.
    options = {field.name: member.options[field.name] for field in fields(AlignOptions) if field.name in member.options}
    with member.here():
        check_unchanged(member.audio, member.size_bytes, member.mtime_ns, member.sha256)
        return align_recording(member.audio, member.transcript, AlignOptions(**options), context.settings().device)


def _commit(
    conn: Connection,
    claim: Claim,
    results: "Sequence[tuple[Member, Alignment | RecordingError]]",
) -> Sequence[int]:
    results = [(member, _without_erased(conn, result)) for member, result in results]
    ids = sorted(member.alignment_id for member, _ in results)
    # In order, so that two groups that share an alignment wait for each other instead of deadlocking.
    pending = {
        row.id
        for row in conn.execute(
            text("SELECT id FROM alignments WHERE id = ANY(:ids) AND state = 'pending' ORDER BY id FOR UPDATE"),
            {"ids": ids},
        )
    }
    aligned: list[Aligned] = []
    for member, result in results:
        if member.alignment_id not in pending:
            continue
        if isinstance(result, Exception):
            _fail(conn, member.alignment_id, result.code, failures.sentence(result))
        else:
            _store(conn, member, result)
            aligned.append(Aligned(member.alignment_id, [u.end_s - u.start_s for u in result.utterances]))
    schedule(conn, claim, aligned)
    return ()


def _without_erased(conn: Connection, result: "Alignment | RecordingError") -> "Alignment | RecordingError":
    """What people say who were not erased, numbered anew; an error where nobody else speaks."""
    erasures.share(conn)
    if isinstance(result, Exception):
        return result
    named = {label for label, speaker in result.speakers.items() if speaker.named}
    gone = erasures.erased(conn, "person", named)
    if not gone:
        return result
    left = [u for u in result.utterances if u.speaker not in gone]
    if not left:
        return SpeakerErased("everybody who is heard in it was erased")
    return replace(
        result,
        utterances=tuple(replace(u, number=number) for number, u in enumerate(left)),
        speakers={label: speaker for label, speaker in result.speakers.items() if label not in gone},
        quality=result.quality | {"erasures": sorted({one.erasure_id for one in gone.values()})},
    )


def _fail(conn: Connection, alignment_id: int, code: str, sentence: str) -> None:
    values = {"id": alignment_id, "code": code, "error": sentence}
    conn.execute(
        text("""
            UPDATE alignments SET state = 'failed', error_code = :code, error = :error, finished_at = now()
             WHERE id = :id
        """),
        values,
    )
    conn.execute(
        text("""
            UPDATE job_recordings SET state = 'failed', error_code = :code, error = :error
             WHERE alignment_id = :id AND state = 'aligning'
        """),
        values,
    )


def _store(conn: Connection, member: Member, alignment: "Alignment") -> None:
    keep_text = member.options.get("keep_text", True)
    speaker_ids: dict[str, int] = {}
    for label in sorted(alignment.speakers):
        speaker = alignment.speakers[label]
        # DO UPDATE instead of DO NOTHING, so that the id comes back when the speaker is known already.
        speaker_ids[label] = conn.execute(
            text("""
                INSERT INTO speakers (name, recording_id) VALUES (:name, :recording)
                ON CONFLICT (name, recording_id) DO UPDATE SET name = excluded.name RETURNING id
            """),
            {"name": label, "recording": None if speaker.named else member.recording_id},
        ).scalar_one()
        conn.execute(
            text("""
                INSERT INTO alignment_speakers (alignment_id, speaker_id, channel, embedding, usual)
                VALUES (:alignment, :speaker, :channel, :embedding, :usual)
            """),
            {
                "alignment": member.alignment_id,
                "speaker": speaker_ids[label],
                "channel": speaker.channel,
                "embedding": [float(value) for value in speaker.embedding],
                "usual": [float(value) for value in speaker.usual],
            },
        )
    write_utterances(
        conn,
        (
            (
                member.alignment_id,
                u.number,
                speaker_ids[u.speaker],
                u.channel,
                round(u.start_s, 3),
                round(u.end_s, 3),
                # Kept until the text model has read it, see the fuse stage.
                u.text,
                u.language,
                [[w.text, w.start_s, w.end_s, w.confidence] for w in u.words] if u.words and keep_text else None,
                [[p.label, p.start_s, p.end_s] for p in u.phones] if u.phones else None,
                [[s.label, s.start_s, s.end_s] for s in u.syllables] if u.syllables else None,
                u.quality,
            )
            for u in alignment.utterances
        ),
    )
    from ml.alignment.quality import noted

    erased = "erasures" in alignment.quality
    code, said = noted(alignment.quality) or (None, None)
    if erased and code is None:
        code, said = SpeakerErased.code, failures.sentence(SpeakerErased("somebody who is heard in it was erased"))
    conn.execute(
        text("""
            UPDATE alignments
               SET state = 'done', aligner = :aligner, language = :language, duration_s = :duration,
                   options = CASE WHEN :erased THEN options - 'speaker' ELSE options END,
                   quality = CAST(:quality AS jsonb), error_code = :code, error = :error, finished_at = now()
             WHERE id = :id
        """),
        {
            "id": member.alignment_id,
            "aligner": alignment.aligner,
            "language": alignment.language,
            "duration": alignment.duration_s,
            "quality": json.dumps(alignment.quality),
            # The manifest may have named them.
            "erased": erased,
            "code": code,
            "error": said,
        },
    )


def schedule(conn: Connection, claim: Claim, aligned: Sequence[Aligned]) -> None:
    """Cut new alignments into batches, once for every profile version that some live job wants."""
    by_id = {item.alignment_id: item for item in aligned}
    wanted = conn.execute(
        text("""
            UPDATE job_recordings r
               SET state = 'scoring', profile_version_id = j.profile_version_id,
                   error_code = a.error_code, error = a.error
              FROM jobs j, alignments a
             WHERE r.alignment_id = ANY(:ids) AND r.state = 'aligning' AND j.id = r.job_id AND a.id = r.alignment_id
               AND j.state IN ('queued', 'running')
            RETURNING r.alignment_id, j.profile_version_id, j.id AS job_id, j.root_id
        """),
        {"ids": list(by_id)},
    ).all()
    jobs: dict[int, tuple[int, Any, list[int]]] = {}
    for row in sorted(wanted, key=lambda row: (row.job_id, row.alignment_id)):
        inserted = conn.execute(
            text("""
                INSERT INTO recording_scores (alignment_id, profile_version_id) VALUES (:a, :v)
                ON CONFLICT DO NOTHING RETURNING alignment_id
            """),
            {"a": row.alignment_id, "v": row.profile_version_id},
        ).scalar()
        if inserted is not None:
            jobs.setdefault(row.profile_version_id, (row.job_id, row.root_id, []))[2].append(row.alignment_id)
    for version_id, (job_id, root_id, alignment_ids) in jobs.items():
        add_batches(
            conn,
            job_id,
            version_id,
            [by_id[a] for a in alignment_ids],
            context.settings().batch_s,
            root_id,
            claim.task_id,
        )
