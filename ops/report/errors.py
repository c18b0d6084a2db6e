"""What stands between a name and a report."""

from ml.errors import TenorError


class RecordingUnknown(TenorError):
    """No recording of the database has that name."""

    code = "recording_unknown"
    hint = '`tenor sql "select distinct archive, recording from utterance_emotions"` lists what is analysed.'


class RecordingUnclear(TenorError):
    """More than one may be meant."""

    code = "recording_unclear"


class NotAnalysed(TenorError):
    """The recording is known, and there is nothing to show of it."""

    code = "not_analysed"
    hint = "`tenor errors` says what failed, `tenor status` what is still worked on."
