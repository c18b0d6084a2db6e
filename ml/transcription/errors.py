"""What can be wrong with a speech recognition checkpoint that a profile or a command names."""

from ml.errors import ModelError


class TranscriberMissing(ModelError):
    """There is no checkpoint where the name points."""

    code = "transcriber_missing"
    hint = "Name a folder that every worker can read, or a Hub id (owner/name) while online."


class TranscriberUnsupported(ModelError):
    """The checkpoint is of a kind that is not run."""

    code = "transcriber_unsupported"
    hint = "Name a Whisper checkpoint, or a wav2vec 2.0 one that was fine-tuned for speech recognition."


class TranscriberPickled(ModelError):
    """The weights are only there as pickle, which can run any code when it is read."""

    code = "transcriber_pickled"
    hint = "Convert it once where you trust it: load it with transformers and save it again with save_pretrained."


class TranscriberUnreadable(ModelError):
    """Its files are broken or do not fit each other."""

    code = "transcriber_unreadable"
    hint = "Fetch or save the checkpoint again."


class TranscriberChanged(ModelError):
    """The folder holds another checkpoint than when the job was made."""

    code = "transcriber_changed"
    hint = "Put the former checkpoint back, or enqueue again: the new one is another version of the profile."
