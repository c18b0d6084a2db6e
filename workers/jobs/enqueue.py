"""Making a job: the row is the job, a hint follows it."""

import json
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from ml.alignment.options import AlignOptions
from ml.alignment.registry import find_aligner, pin_aligner
from ml.languages import standard_language
from ml.profiles import Profile
from workers import broker, context
from workers.app import app
from workers.archives.allowed import require_allowed
from workers.archives.files import audio_files, is_audio, reason, storable_path
from workers.archives.objects.bucket import first_look
from workers.archives.objects.places import is_object_url
from workers.archives.packed import is_packed
from workers.errors import ArchiveEmpty, ArchiveMissing
from workers.jobs.versions import ensure_version
from workers.ledger.dispatch import send


@dataclass(frozen=True, slots=True)
class JobOptions(AlignOptions):
    """What a job may choose; all but the priority decide which alignments it shares with other jobs.

    The transcriber is the profile's, see `with_transcriber`.
    """

    keep_text: bool = True
    priority: int = 0

    def alignment(self) -> dict[str, Any]:
        """The identity of the alignments that the job uses."""
        pinned = replace(self, aligner=pin_aligner(self.aligner), language=standard_language(self.language))
        return {**pinned.identity(), "keep_text": self.keep_text}

    def with_transcriber(self, profile: Profile) -> "JobOptions":
        """The same with the profile's transcriber, pinned to what its folder holds now."""
        if profile.transcription is None:
            return self
        chosen = profile.transcription.pinned()
        return replace(self, transcriber=chosen.checkpoint, transcriber_language=chosen.language)


def create_job(engine: Engine, archive: Path | str, profile: Profile, options: JobOptions) -> int:
    """Enqueue a folder, a zip or tar file, or one recording, each also as `s3://…`; returns the job's id.

    Raises `ArchiveNotAllowed`, `ArchiveMissing`, `ArchiveEmpty`, `StoreUnavailable`, `AlignerUnknown`,
    `LanguageUnknown`, a `ModelError` of the profile or the aligner, or `BrokerUnavailable`.
    """
    find_aligner(options.aligner)
    alignment = options.with_transcriber(profile).alignment()
    url = str(archive)
    if is_object_url(url):
        require_allowed(url, context.settings())
        root, only = first_look(url)
    else:
        folder, only = _place(Path(archive))
        root = str(folder)
        require_allowed(root if only is None else f"{root}/{only}", context.settings())
    broker.ping(app)
    root_id = uuid.uuid4()
    with engine.begin() as conn:
        version_id = ensure_version(conn, profile)
        archive_id = conn.execute(
            text("""
                INSERT INTO archives (url) VALUES (:url)
                ON CONFLICT (url) DO UPDATE SET url = excluded.url RETURNING id
            """),
            {"url": storable_path(root)},
        ).scalar_one()
        fields = {"alignment": alignment, **({"only": storable_path(only)} if only else {})}
        job_id = int(
            conn.execute(
                text("""
                    INSERT INTO jobs (archive_id, profile_version_id, options, priority, root_id)
                    VALUES (:archive, :version, CAST(:options AS jsonb), :priority, :root) RETURNING id
                """),
                {
                    "archive": archive_id,
                    "version": version_id,
                    "options": json.dumps(fields),
                    "priority": options.priority,
                    "root": root_id,
                },
            ).scalar_one()
        )
        stage_id = conn.execute(
            text("""
                INSERT INTO stages (stage, job_id, state, root_id, ready_at)
                VALUES ('ingest', :job, 'ready', :root, now()) RETURNING id
            """),
            {"job": job_id, "root": root_id},
        ).scalar_one()
    send(app, engine, [stage_id])
    return job_id


def _place(archive: Path) -> tuple[Path, str | None]:
    """(folder or zip or tar file, None), or (folder, name) for a single recording."""
    path = archive.expanduser().absolute()
    try:
        if path.is_file():
            if is_packed(path):
                return path, None
            if not is_audio(path.name):
                raise ArchiveEmpty(f"the file {archive} is neither an audio file nor a zip or tar file")
            return path.parent, path.name
        if not path.is_dir():
            raise ArchiveMissing(f"there is no folder or file {archive}")
        closed: set[str] = set()
        if next(audio_files(path, closed=closed), None) is None:
            if closed:
                raise ArchiveMissing(f"of the archive {archive} nothing but folders without audio files can be read")
            raise ArchiveEmpty(f"the archive {archive} holds no audio file")
    except OSError as exc:
        raise ArchiveMissing(f"the archive {archive} cannot be read: {reason(exc)}") from exc
    return path, None
