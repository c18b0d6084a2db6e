"""Loading a published classifier: safetensors only, whole, and with the head it was trained with."""

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from ml.checkpoints.errors import CheckpointUnreadable, CheckpointUnsupported

#: Parameters that only training uses and that some published checkpoints lack.
_TRAINING_ONLY = ("masked_spec_embed",)


#: What to do about a checkpoint that cannot be run as a classifier.
HINT = "Name a checkpoint that was saved with its classification head, in safetensors, for transformers alone."


def load_classifier(auto: Any, folder: Path) -> PreTrainedModel:
    """The model of a folder by an `AutoModelFor…` class; raises `CheckpointUnsupported` or `CheckpointUnreadable`.

    `transformers` gives layers that it finds no weights for random ones and a warning, so that a checkpoint whose head
    is named otherwise would score at random. Here it is refused.
    """
    try:
        model, report = auto.from_pretrained(folder, use_safetensors=True, output_loading_info=True)
    except (OSError, ValueError, RuntimeError, KeyError) as exc:
        raise CheckpointUnreadable(f"the classifier in {folder} cannot be loaded ({type(exc).__name__})") from exc
    missing = sorted(name for name in report["missing_keys"] if not name.endswith(_TRAINING_ONLY))
    unfit = [*missing, *sorted(str(name) for name in report.get("mismatched_keys", ()))]
    if unfit:
        raise CheckpointUnsupported(
            f"the checkpoint in {folder} lacks {len(unfit)} of its model's tensors ({unfit[0]}), which would be random",
            hint=HINT,
        )
    if model.config.num_labels < 2 or model.config.problem_type == "regression":
        raise CheckpointUnsupported(f"the checkpoint in {folder} predicts values, not classes", hint=HINT)
    loaded: PreTrainedModel = model.eval()
    return loaded


def is_multi_label(model: PreTrainedModel) -> bool:
    """True when the classifier judges each label by itself."""
    return bool(model.config.problem_type == "multi_label_classification")
