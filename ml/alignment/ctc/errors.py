"""What can be wrong with a checkpoint that a job names."""

from ml.errors import ModelError


class CheckpointMissing(ModelError):
    """There is no checkpoint where the name points."""

    code = "aligner_checkpoint_missing"
    hint = "Name a folder that every worker can read, as ctc:/path/to/folder, or a Hub id, as ctc:owner/name."


class CheckpointNotCtc(ModelError):
    """The checkpoint has no head that writes letters, or is of another kind than wav2vec 2.0."""

    code = "aligner_checkpoint_not_ctc"
    hint = "Name a wav2vec 2.0 checkpoint that was fine-tuned for speech recognition (Wav2Vec2ForCTC)."


class CheckpointPickled(ModelError):
    """The weights are only there as pickle, which can run any code when it is read."""

    code = "aligner_checkpoint_pickled"
    hint = "Convert it once where you trust it: Wav2Vec2ForCTC.from_pretrained(FOLDER).save_pretrained(OTHER_FOLDER)."


class CheckpointWithoutVocabulary(ModelError):
    """Nothing says which letter each output of the checkpoint stands for."""

    code = "aligner_checkpoint_without_vocabulary"
    hint = "Put the vocab.json and tokenizer_config.json of its Wav2Vec2CTCTokenizer beside the weights."


class CheckpointUnreadable(ModelError):
    """Its files are broken or do not fit each other."""

    code = "aligner_checkpoint_unreadable"
    hint = "Fetch or save the checkpoint again."


class CheckpointChanged(ModelError):
    """The folder holds another checkpoint than when the job was made."""

    code = "aligner_checkpoint_changed"
    hint = "Put the former checkpoint back, or enqueue again: what the new one aligns is kept apart from the old."
