"""Encoders by name, as a user types them: a bundle's own encoder, a folder in the Hub's format, or a Hub id."""

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.bundles import BundleMeta, load_bundle, read_meta
from ml.bundles.meta import META
from ml.encoders.framing import centre
from ml.encoders.speech import SpeechEncoder, normalise
from ml.encoders.text import TextEncoder
from ml.errors import ModelError
from ml.profiles.sides import KINDS


def bundled(name: str) -> BundleMeta | None:
    """The description of the bundle that a name says, None where it names a checkpoint."""
    if name.startswith("shipped:") or (Path(name).expanduser() / META).is_file():
        return read_meta(name)
    return None


@functools.lru_cache(maxsize=2)
def speech_encoder(name: str, device: str) -> SpeechEncoder:
    """The encoder of that name, whose frames meet those of the mel spectrogram; raises `ModelError`."""
    meta = bundled(name)
    if meta is None:
        encoder = SpeechEncoder.load(name, device=device)
    else:
        if meta.kind not in KINDS["speech"]:
            raise ModelError(f"bundle {name} holds a {meta.kind} model, no speech encoder")
        encoder = SpeechEncoder.from_tensors(meta.config["encoder"], load_bundle(name).part("encoder"), device=device)
        encoder.do_normalize = bool(meta.config["do_normalize"])
    encoder.centred = True
    for parameter in encoder.model.parameters():
        parameter.requires_grad = False
    return encoder


@functools.lru_cache(maxsize=4)
def text_encoder(name: str, device: str) -> TextEncoder:
    """The encoder of that name; raises `ModelError`."""
    return TextEncoder.load(name, device=device)


def content_hash(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> str:
    """Which weights these are, wherever they came from."""
    digest = hashlib.sha256(repr(sorted((k, str(v)) for k, v in config.items())).encode())
    for name in sorted(tensors):
        values = tensors[name].detach().cpu().contiguous()
        digest.update(name.encode() + values.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def layers_of(encoder: SpeechEncoder) -> int:
    """Hidden states that the encoder gives: one before the first block, and one after each."""
    return int(encoder.model.config.num_hidden_layers) + 1


@torch.inference_mode()
def hidden_states(encoder: SpeechEncoder, samples: NDArray[np.float32]) -> Tensor:
    """All hidden states [T, layers, D] of a waveform [n] (16 kHz), on the CPU; T = floor(n / 320) + 1.

    Half precision: the states are averaged over layers and then normalised by a batch norm, so what it rounds away
    is far below what training adds.
    """
    parameter = next(encoder.model.parameters())
    wave = centre(normalise(samples) if encoder.do_normalize else samples)
    values = torch.from_numpy(wave)[None].to(parameter.device, parameter.dtype)
    states = encoder.model(values, output_hidden_states=True).hidden_states
    return torch.stack([state[0] for state in states], dim=1).half().cpu()
