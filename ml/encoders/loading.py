"""Loading checkpoints with `transformers`, which fills what it does not find with random numbers and a warning."""

from pathlib import Path
from typing import Any

from ml.checkpoints.errors import CheckpointUnreadable, CheckpointUnsupported
from ml.quiet import quiet

#: What to do about a checkpoint of another architecture than it is loaded as.
HINT = "Name a checkpoint of the right kind, saved whole by transformers, in safetensors."
#: Parameters that published checkpoints lack and that nothing here reads: of masking in training, of [CLS] pooling.
_UNREAD = ("masked_spec_embed", "pooler.dense.weight", "pooler.dense.bias")


def load_whole(
    architecture: Any, folder: Path, *, hint: str = HINT, unread: tuple[str, ...] = _UNREAD, **more: Any
) -> Any:
    """A model of a folder by its class or an `AutoModel…`, in evaluation mode, with no parameter left random.

    Raises `CheckpointUnreadable`, or `CheckpointUnsupported` when the checkpoint lacks tensors that are not `unread`.
    """
    try:
        with quiet():
            model, report = architecture.from_pretrained(folder, use_safetensors=True, output_loading_info=True, **more)
    except (OSError, ValueError, RuntimeError, KeyError) as exc:
        raise CheckpointUnreadable(f"the checkpoint in {folder} cannot be loaded ({type(exc).__name__})") from exc
    missing = sorted(name for name in report["missing_keys"] if not name.endswith(unread))
    unfit = [*missing, *sorted(str(name) for name in report.get("mismatched_keys", ()))]
    if unfit:
        raise CheckpointUnsupported(
            f"the checkpoint in {folder} lacks {len(unfit)} of its model's tensors ({unfit[0]}), which would be random",
            hint=hint,
        )
    return model.eval()
