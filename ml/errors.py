"""The root of every named error that Tenor shows to a person.

The message of an error is one plain sentence. It never holds words from a transcript, because messages travel into
logs, Flower and the database. `code` is what the database stores; `hint` says what to do next.
"""


class TenorError(Exception):
    """Something went wrong that a person can act on."""

    #: Stable snake_case identifier, stored in the database.
    code = "tenor_error"
    #: What to do next, one sentence.
    hint = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class RecordingError(TenorError):
    """The permanent result of one recording: trying again cannot help, and its neighbours go on."""

    code = "recording_error"


class ModelError(TenorError):
    """A model, encoder or profile cannot be used as it is named or stored."""

    code = "model_error"
