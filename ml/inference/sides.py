"""The two models of a profile, loaded from what its specification pins."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.bundles import Bundle, load_bundle
from ml.encoders.speech import SpeechEncoder
from ml.encoders.text import TextEncoder
from ml.errors import ModelError
from ml.models.makiuchi.speech import SpeechEmotionModel
from ml.models.makiuchi.text import TextEmotionCnn


@dataclass(frozen=True, slots=True)
class SpeechSide:
    """Waveforms to frames to emotions."""

    encoder: SpeechEncoder
    #: [layers + 1], index 0 before the first block.
    layer_weights: NDArray[np.float32]
    head: SpeechEmotionModel


@dataclass(frozen=True, slots=True)
class TextSide:
    """Texts to token vectors to emotions."""

    encoder: TextEncoder
    head: TextEmotionCnn


def load_speech(side: dict[str, Any], device: str) -> SpeechSide:
    """The speech model of a specification's `speech`; raises `ModelError` when it is missing, changed or unusable."""
    bundle, config = _pinned(side, "makiuchi-speech"), side["config"]
    encoder = SpeechEncoder.from_tensors(config["encoder"], bundle.part("encoder"), device=device)
    encoder.do_normalize = bool(config["do_normalize"])
    encoder.centred = bool(config.get("centred", False))
    head = SpeechEmotionModel.from_config(config["head"])
    _fill(head, bundle)
    if "layer_weights" not in bundle.tensors:
        raise ModelError(f"bundle {side['name']} lacks the weights of the encoder's layers")
    return SpeechSide(encoder, bundle.tensors["layer_weights"].float().numpy(), head.eval().to(device))


def load_text(side: dict[str, Any], device: str) -> TextSide:
    """The text model of a specification's `text`; raises `ModelError` when it is missing, changed or unusable."""
    bundle, config = _pinned(side, "makiuchi-text"), side["config"]
    encoder = TextEncoder.load(
        config["encoder"]["source"],
        sha256=config["encoder"]["sha256"],
        delta=bundle.part("encoder"),
        device=device,
    )
    head = TextEmotionCnn.from_config(config["head"])
    _fill(head, bundle)
    return TextSide(encoder, head.eval().to(device))


def _pinned(side: dict[str, Any], kind: str) -> Bundle:
    if side["kind"] != kind:
        raise ModelError(f"bundle {side['name']} is a {side['kind']} model where a {kind} model is needed")
    return load_bundle(side["location"], side["sha256"])


def _fill(head: nn.Module, bundle: Bundle) -> None:
    def full(tensor: Tensor) -> Tensor:
        return tensor.float() if tensor.is_floating_point() else tensor

    try:
        head.load_state_dict({name: full(tensor) for name, tensor in bundle.part("head").items()})
    except RuntimeError as exc:
        raise ModelError(f"the weights of bundle {bundle.meta.name} do not fit its configuration") from exc
