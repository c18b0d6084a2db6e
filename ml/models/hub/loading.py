"""Loading a published classifier: safetensors only, whole, and with the head it was trained with."""

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from ml.checkpoints.errors import CheckpointUnsupported
from ml.encoders.loading import load_whole

#: What to do about a checkpoint that cannot be run as a classifier.
HINT = "Name a checkpoint that was saved with its classification head, in safetensors, for transformers alone."
#: Only training reads it; poolers, which encoders may lack, classifiers do read.
_UNREAD = ("masked_spec_embed",)


def load_classifier(auto: Any, folder: Path) -> PreTrainedModel:
    """The model of a folder by an `AutoModelFor…` class; raises `CheckpointUnsupported` or `CheckpointUnreadable`.

    A checkpoint whose head is named otherwise than the class expects would score at random, so it is refused.
    """
    model: PreTrainedModel = load_whole(auto, folder, hint=HINT, unread=_UNREAD)
    if model.config.num_labels < 2 or model.config.problem_type == "regression":
        raise CheckpointUnsupported(f"the checkpoint in {folder} predicts values, not classes", hint=HINT)
    return model


def is_multi_label(model: PreTrainedModel) -> bool:
    """True when the classifier judges each label by itself."""
    return bool(model.config.problem_type == "multi_label_classification")
