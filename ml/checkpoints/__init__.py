"""Checkpoints in the Hub's format that a job or a profile names: where they are, which ones, what they hold. No torch.

Whoever runs one says what else it must hold: `ml.alignment.ctc.checkpoint`, `ml.transcription.checkpoint`.
"""

from ml.checkpoints.content import configuration, read_json, require_weights, tensor_names
from ml.checkpoints.naming import Checkpoint

__all__ = ["Checkpoint", "configuration", "read_json", "require_weights", "tensor_names"]
