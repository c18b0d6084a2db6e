"""What can be wrong with a checkpoint that a job, a profile or a command names."""

from ml.errors import ModelError


class CheckpointMissing(ModelError):
    """There is no checkpoint where the name points."""

    code = "checkpoint_missing"
    hint = "Name a folder that every worker can read, or a Hub id (owner/name) while online; an aligner's after `ctc:`."


class CheckpointUnsupported(ModelError):
    """The checkpoint is of a kind that is not run, or not for this."""

    code = "checkpoint_unsupported"
    hint = (
        "Name a wav2vec 2.0 checkpoint that was fine-tuned for speech recognition (Wav2Vec2ForCTC), or, to transcribe,"
        " a Whisper checkpoint."
    )


class CheckpointPickled(ModelError):
    """The weights are only there as pickle, which can run any code when it is read."""

    code = "checkpoint_pickled"
    hint = "Convert it once where you trust it: load it with transformers and save it again with save_pretrained."


class CheckpointWithoutVocabulary(ModelError):
    """Nothing says which letter each output of the checkpoint stands for."""

    code = "checkpoint_without_vocabulary"
    hint = "Put the vocab.json and tokenizer_config.json of its Wav2Vec2CTCTokenizer beside the weights."


class CheckpointUnreadable(ModelError):
    """Its files are broken or do not fit each other."""

    code = "checkpoint_unreadable"
    hint = "Fetch or save the checkpoint again."


class CheckpointChanged(ModelError):
    """The folder holds another checkpoint than when the job was made."""

    code = "checkpoint_changed"
    hint = "Put the former checkpoint back, or enqueue again: what the new one makes is kept apart from the old."
