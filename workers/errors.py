"""Errors of the pipeline itself; errors of a recording live in `ml`, errors of the database in `db`."""

from ml.errors import TenorError


class SettingsInvalid(TenorError):
    """A TENOR_* variable or the settings file holds something unusable."""

    code = "settings_invalid"
    hint = "Correct the named setting; `tenor doctor` shows where each one was read from."


class BrokerUnavailable(TenorError):
    """Redis cannot be reached."""

    code = "broker_unavailable"
    hint = "Start it (`tenor up`) or correct TENOR_BROKER_URL; work that is in Postgres is not lost."


class ArchiveMissing(TenorError):
    """The folder to analyse does not exist or cannot be read."""

    code = "archive_missing"
    hint = "Check the path; workers on other machines need to see it under the same path."


class ArchiveEmpty(TenorError):
    """The folder holds no audio file."""

    code = "archive_empty"
    hint = "Give a folder that holds recordings (wav, flac, ogg, opus, mp3, m4a, mp4, webm and others)."


class ArtifactBroken(TenorError):
    """An object that one stage wrote for the next is missing or is not what was written."""

    code = "artifact_broken"
    hint = "The batch is worked on again from its audio; if this returns, check the artifact store's disk."


class DiskFull(TenorError):
    """The artifact store has no space left."""

    code = "disk_full"
    hint = "Free space where TENOR_ARTIFACTS_URL points, then run `tenor retry JOB`."


class RecordingChanged(TenorError):
    """The file was replaced after it was enqueued."""

    code = "recording_changed"
    hint = "Enqueue the archive again; the new content becomes a recording of its own."
