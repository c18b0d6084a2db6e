"""What can be wrong with a recording's audio. Each is the permanent result of that recording."""

from ml.errors import RecordingError


class AudioMissing(RecordingError):
    """The file is gone or cannot be opened."""

    code = "audio_missing"
    hint = "Restore the file or its permissions and enqueue the archive again."


class AudioUnreadable(RecordingError):
    """The content cannot be decoded."""

    code = "audio_unreadable"
    hint = "Play it in another program; if it is damaged, replace it and enqueue the archive again."


class AudioEmpty(RecordingError):
    """There is not one sample."""

    code = "audio_empty"
    hint = "Nothing was recorded; replace or remove the file."


class AudioTooShort(RecordingError):
    """There is less than a tenth of a second."""

    code = "audio_too_short"
    hint = "Recordings need at least 0.1 s of sound."


class AudioTooLong(RecordingError):
    """There is more than half a day."""

    code = "audio_too_long"
    hint = "Cut it into parts of at most 12 hours and enqueue the archive again."


class AudioSilent(RecordingError):
    """There is no signal, or no speech in it."""

    code = "audio_silent"
    hint = "Check the recording's level and channel; there is nothing to analyse in it."
