"""What alignment and transcription need of a CTC checkpoint. Needs no torch."""

from pathlib import Path
from typing import Any

from ml.checkpoints import configuration, read_json, tensor_names
from ml.checkpoints.errors import CheckpointUnsupported

SAMPLE_RATE = 16_000


def check(folder: Path) -> dict[str, Any]:
    """The configuration of a checkpoint that has all that alignment needs but for its vocabulary.

    Raises `CheckpointMissing`, `CheckpointPickled`, `CheckpointUnsupported` or `CheckpointUnreadable`. Only the header
    of the weights is read.
    """
    config = configuration(folder)
    if config.get("model_type") != "wav2vec2":
        raise CheckpointUnsupported(
            f"the checkpoint in {folder} is of the type {config.get('model_type')!r}, not wav2vec2"
        )
    if not {"lm_head.weight", "lm_head.bias"} <= tensor_names(folder):
        raise CheckpointUnsupported(
            f"the checkpoint in {folder} has no CTC head (lm_head): it hears but does not write"
        )
    rate = preprocessing(folder).get("sampling_rate", SAMPLE_RATE)
    if rate != SAMPLE_RATE:
        raise CheckpointUnsupported(
            f"the checkpoint in {folder} is made for {rate} Hz, but audio is analysed at 16000 Hz"
        )
    return config


def preprocessing(folder: Path) -> dict[str, Any]:
    """What the checkpoint's feature extractor says, from either of the files that it may stand in; {} without one."""
    if (alone := read_json(folder, "preprocessor_config.json")) is not None:
        return alone
    nested = (read_json(folder, "processor_config.json") or {}).get("feature_extractor")
    return nested if isinstance(nested, dict) else {}
