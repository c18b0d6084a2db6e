"""What can be wrong with a transcript."""

from ml.errors import RecordingError


class TranscriptUnreadable(RecordingError):
    """The file is not a transcript in a form that is read."""

    code = "transcript_unreadable"
    hint = (
        "Correct the file, or write plain text, or lines of `start end [speaker] text` with times in seconds; "
        "then enqueue again."
    )


class TranscriptChanged(RecordingError):
    """A file that holds the texts of many recordings is not what it was when it was enqueued."""

    code = "transcript_changed"
    hint = "Enqueue the archive again; only recordings whose text is another one, and those that failed, are aligned."
