"""Errors of the pipeline itself; errors of a recording live in `ml`, errors of the database in `db`."""

from ml.errors import RecordingError, TenorError


class SettingsInvalid(TenorError):
    """A TENOR_* variable or the settings file holds something unusable."""

    code = "settings_invalid"
    hint = "Correct it and run the command again; workers/settings.py explains every setting."


class BrokerUnavailable(TenorError):
    """Redis cannot be reached."""

    code = "broker_unavailable"
    hint = "Start it (`tenor up`) or correct TENOR_BROKER_URL; work that is in Postgres is not lost."


class ArchiveMissing(TenorError):
    """The folder to analyse does not exist or cannot be read."""

    code = "archive_missing"
    hint = "Check the path; workers on other machines need to see it under the same path."


class ArchiveNotAllowed(TenorError):
    """The archive lies where this installation may not read."""

    code = "archive_not_allowed"
    hint = "Whoever runs it can add the folder, or s3://bucket/prefix, to TENOR_ALLOWED_ROOTS of commands and workers."


class ArchiveUnusable(TenorError):
    """The archive cannot be analysed as it is: trying again cannot help."""

    code = "archive_unusable"


class ArchiveEmpty(ArchiveUnusable):
    """The folder, or the zip or tar file, holds no audio file."""

    code = "archive_empty"
    hint = "Give a folder, or a zip or tar file, of recordings (wav, flac, ogg, opus, mp3, m4a, mp4, webm and others)."


class ManifestUnreadable(ArchiveUnusable):
    """Nothing can be made of the archive's manifest."""

    code = "manifest_unreadable"
    hint = "Save it as CSV in UTF-8 with a column `path`, or remove it, and enqueue the archive again."


class ArchiveBroken(ArchiveUnusable):
    """A zip or tar file cannot be read to its end."""

    code = "archive_broken"
    hint = "Copy it again or pack it again (zip or tar), then enqueue it."


class ArchiveEncrypted(ArchiveUnusable):
    """A zip file asks for a password."""

    code = "archive_encrypted"
    hint = "Unpack it, and enqueue the folder."


class ArchiveUnsafe(ArchiveUnusable):
    """A zip or tar file holds something that could write outside of its own folder."""

    code = "archive_unsafe"
    hint = "Unpack it where that does no harm, look at it, and enqueue the folder."


class ArchiveTooLarge(ArchiveUnusable):
    """A zip or tar file unpacks to more than is allowed."""

    code = "archive_too_large"
    hint = "If that is meant, raise TENOR_UNPACK_GB, or unpack it and enqueue the folder."


class JobEnded(TenorError):
    """The job has nothing left that could be paused, resumed or cancelled."""

    code = "job_ended"
    hint = "`tenor errors JOB` says what failed; `tenor retry JOB` puts back to work what another try may help."


class Passing(TenorError):
    """Something around the work failed, not the work: it is done again, as often as it takes, after a longer and longer
    pause."""

    code = "passing"


class ArtifactBroken(Passing):
    """An object that one stage wrote for the next is missing or is not what was written."""

    code = "artifact_broken"
    hint = (
        "The batch is worked on again from its audio, as often as it takes; if this returns, check the artifact store's"
        " disk."
    )


class DiskFull(Passing):
    """The artifact store has no space left."""

    code = "disk_full"
    hint = "Free space where TENOR_ARTIFACTS_URL points; the stage is tried again until there is some."


class StoreUnavailable(Passing):
    """The artifact store cannot be reached, read or written."""

    code = "store_unavailable"
    hint = "Check TENOR_ARTIFACTS_URL and its permissions; the stage is tried again until it answers."


class DatabaseAway(Passing):
    """Postgres cut the line in the middle of a stage."""

    code = "database_away"
    hint = "Nothing to do unless it lasts: the stage is tried again."


class TurnOver(Passing):
    """A long walk lets another job's walk begin."""

    code = "turn_over"
    hint = "Nothing to do: the walk goes on where it stopped."


class StageTooLong(TenorError):
    """A stage took longer than its amount of audio permits."""

    code = "stage_too_long"
    hint = "Look at what it holds; if the machine is only slow, raise TENOR_STAGE_LIMIT_S and run `tenor retry JOB`."


class NoEarlierChampion(TenorError):
    """There is nothing to roll back to."""

    code = "no_earlier_champion"
    hint = "`tenor models list` shows the versions; `--to VERSION` takes any of them."


class NothingToRescore(TenorError):
    """A job has nothing that another version could score."""

    code = "nothing_to_rescore"
    hint = "`tenor errors JOB` says what became of its recordings."


class RunRefused(TenorError):
    """A retraining run cannot come to a better model with what there is; `code` says why."""

    code = "run_refused"

    def __init__(self, code: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code


class RunEnded(TenorError):
    """The retraining run is over."""

    code = "run_ended"
    hint = "`tenor models runs` lists what became of runs; `tenor retrain --now` makes another."


class FolderUnreadable(RecordingError):
    """A folder of the archive cannot be read, so nobody knows what it holds."""

    code = "folder_unreadable"
    hint = "Let the workers read and enter it (chmod +rx), then enqueue the archive again."


class LinkLeadsOut(RecordingError):
    """A recording or its transcript is a link to a file that this installation may not read."""

    code = "link_leads_out"
    hint = "Copy the file into the archive, or have the folder it leads to added to TENOR_ALLOWED_ROOTS."


class ObjectDenied(RecordingError):
    """The object store does not hand out a recording."""

    code = "object_denied"
    hint = "Give the workers' credentials s3:GetObject on it and enqueue the archive again."


class RecordingAbsent(RecordingError):
    """The manifest lists a recording that the archive does not hold."""

    code = "recording_absent"
    hint = "Correct the path (it is relative to the manifest's folder) or add the file, and enqueue the archive again."


class RecordingChanged(RecordingError):
    """The file was replaced after it was enqueued."""

    code = "recording_changed"
    hint = "Enqueue the archive again; the new content becomes a recording of its own."


class RecordingErased(RecordingError):
    """Its content was erased, and is not to be analysed again."""

    code = "recording_erased"
    hint = "Remove the file from the archive, or let it be analysed: `tenor erase --list`, `tenor erase --allow N`."


class SpeakerErased(RecordingError):
    """Somebody who is heard in it was erased."""

    code = "speaker_erased"
    hint = "What they said is not stored; `tenor erase --list` and `--allow N` lift that."


class RecordingTooSlow(RecordingError):
    """Aligning one recording took longer than its length permits."""

    code = "recording_too_slow"
    hint = "Play it in another program; if it is sound, raise TENOR_STAGE_LIMIT_S and run `tenor retry JOB`."


class RecordingTooLarge(RecordingError):
    """The worker's memory does not suffice for one recording."""

    code = "recording_too_large"
    hint = "Cut it, or raise TENOR_MEMORY_MB where the align worker runs, and run `tenor retry JOB`."


class RecordingFailed(RecordingError):
    """An error without a name, while one recording was worked on."""

    code = "unexpected_error"
    hint = "The worker's log holds the traceback; `tenor retry JOB` tries it again."


#: What may be different the next time: `tenor retry` and enqueueing again try recordings with these once more.
WORTH_RETRYING = (
    "audio_missing",
    "transcript_changed",
    ObjectDenied.code,
    RecordingChanged.code,
    RecordingTooSlow.code,
    RecordingTooLarge.code,
    RecordingFailed.code,
)
