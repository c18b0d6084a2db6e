"""What can be wrong with a recording's audio, each the permanent result of that recording; and a full disk."""

from ml.errors import RecordingError, TenorError


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
    """There is no signal in any channel."""

    code = "audio_silent"
    hint = "Check the recording's level and channel; there is nothing to analyse in it."


class NoSpeech(RecordingError):
    """There is a signal, but nobody speaks."""

    code = "no_speech"
    hint = "Listen to it: music, noise and tones are not analysed; if somebody speaks, record it louder or closer."


class NoTemporarySpace(TenorError):
    """A long recording cannot be spooled. It says nothing about the recording: with space, it is analysed."""

    code = "temporary_space"
    hint = "Free space there or set TMPDIR to a folder on a larger disk; an hour of one channel needs 230 MB."
