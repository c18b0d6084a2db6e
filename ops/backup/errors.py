"""What can go wrong with back-ups."""

from ml.errors import TenorError


class BackupFailed(TenorError):
    """A back-up could not be made; what was there before is untouched."""

    code = "backup_failed"
    hint = "Look at the reason, make room or give permission, and run it again."


class BackupUnusable(TenorError):
    """A back-up is incomplete, was changed, or is of a newer version of Tenor."""

    code = "backup_unusable"
    hint = "Take another one; `manifest.json` in it says what it should hold."


class RestoreRefused(TenorError):
    """There is something that a restore would do away with, or that works on it at this moment."""

    code = "restore_refused"


class RestoreFailed(TenorError):
    """The database could not be restored; what was there before is there again."""

    code = "restore_failed"
    hint = "Look at the reason; Postgres' own log is in its data folder."
