"""wav2vec 2.0 as a frame encoder: a weighted average over its layers, independent of what shares the batch."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model

from ml.checkpoints import configuration
from ml.checkpoints.errors import CheckpointUnsupported
from ml.encoders.framing import FIELD, centre, centred_frames
from ml.encoders.loading import HINT, load_whole
from ml.encoders.source import verified_folder
from ml.errors import ModelError
from ml.features.tracks import normalise as normalise  # of the whole utterance, as `do_normalize` wants it

#: Shorter waveforms give no frame: the receptive field of the convolutions is 25 ms.
MIN_SAMPLES = FIELD

#: Audio that is padded together in one forward pass, in seconds; bounds memory whatever the list.
MAX_PASS_S = 60.0

SAMPLE_RATE = 16_000


class LayerAverage:
    """Σ wᵢ·hᵢ / Σ wᵢ over the hidden states of one forward pass; filled by `accumulate_layers`."""

    def __init__(self) -> None:
        self.value: Tensor | None = None

    def add(self, weight: Tensor, hidden: Tensor) -> None:
        """Add one layer's weighted states."""
        self.value = weight * hidden if self.value is None else self.value + weight * hidden


@contextmanager
def accumulate_layers(model: Wav2Vec2Model, weights: Tensor) -> Iterator[LayerAverage]:
    """Sum the layers of the passes run inside the block as they are computed, instead of keeping all of them.

    `weights` [layers + 1] follow `output_hidden_states`: 0 is the projected convolution output with its positional
    convolution, the last is after the encoder's final LayerNorm (stable-layer-norm models) or the last block.
    Source A, section 3.1 (layer-weighted average divided by the sum of the weights).
    """
    encoder = model.encoder
    blocks = list(encoder.layers)
    if len(weights) != len(blocks) + 1:
        raise ModelError(
            f"the encoder has {len(blocks) + 1} layers but the model was trained on {len(weights)}",
            hint="Use the encoder that the bundle names.",
        )
    normed = weights / weights.sum()
    average = LayerAverage()
    handles = [blocks[0].register_forward_pre_hook(lambda _m, args: average.add(normed[0], args[0]))]

    def after(index: int) -> Any:
        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            average.add(normed[index], output[0] if isinstance(output, tuple) else output)

        return hook

    for index, block in enumerate(blocks[:-1], start=1):
        handles.append(block.register_forward_hook(after(index)))
    last = encoder.layer_norm if model.config.do_stable_layer_norm else blocks[-1]
    handles.append(last.register_forward_hook(after(len(blocks))))
    try:
        yield average
    finally:
        for handle in handles:
            handle.remove()


class SpeechEncoder:
    """A `Wav2Vec2Model` that turns 16 kHz waveforms into frames of 20 ms."""

    def __init__(self, model: Wav2Vec2Model, *, do_normalize: bool = True, centred: bool = False) -> None:
        self.model = model.eval()
        self.do_normalize = do_normalize
        #: Whether waveforms are padded so that frames meet those of a mel spectrogram, one for one.
        self.centred = centred
        # Group norm in the first convolution runs over time, so padding changes every frame: equal lengths only.
        self._pads = model.config.feat_extract_norm == "layer"

    @classmethod
    def load(
        cls,
        source: str | Path,
        *,
        sha256: str | None = None,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> "SpeechEncoder":
        """Load a local folder in the Hub's format, or a Hub id.

        Raises `ModelError` when it is not there or not the one that `sha256` names.
        """
        folder = verified_folder(str(source), sha256)
        if (kind := configuration(folder).get("model_type")) != "wav2vec2":
            raise CheckpointUnsupported(f"the speech encoder {source} is of the type {kind!r}, not wav2vec2", hint=HINT)
        return cls(load_whole(Wav2Vec2Model, folder, dtype=dtype).to(device))

    @classmethod
    def from_tensors(
        cls, config: dict[str, Any], tensors: dict[str, Tensor], *, device: str = "cpu"
    ) -> "SpeechEncoder":
        """Build from a bundle's `Wav2Vec2Config` fields and weights; raises `ModelError` when they do not fit."""
        model = Wav2Vec2Model(Wav2Vec2Config(**config))
        try:
            model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        except RuntimeError as exc:
            raise ModelError("the bundle's speech encoder weights do not fit its configuration") from exc
        return cls(model.to(device))

    @property
    def hidden_size(self) -> int:
        """Width of a frame."""
        return int(self.model.config.hidden_size)

    def frames(self, samples: int) -> int:
        """Frames that a waveform of so many samples gives (0 below the receptive field)."""
        if samples < MIN_SAMPLES:
            return 0
        if self.centred:
            return centred_frames(samples)
        return int(self.model._get_feat_extract_output_lengths(torch.tensor(samples)))

    @torch.inference_mode()
    def encode(
        self, waveforms: Sequence[NDArray[np.float32]], layer_weights: NDArray[np.float32] | None = None
    ) -> list[NDArray[np.float32]]:
        """Frames [frames, hidden] of each waveform [samples]; `layer_weights` None takes the last layer.

        Waveforms are grouped by length, so results neither depend on the order nor (1e-4, fp32) on the company.
        """
        result = [np.zeros((0, self.hidden_size), dtype=np.float32) for _ in waveforms]
        usable = [i for i, wave in enumerate(waveforms) if len(wave) >= MIN_SAMPLES]
        for group in self._groups(usable, waveforms):
            for index, frames in zip(group, self._forward([waveforms[i] for i in group], layer_weights), strict=True):
                result[index] = frames
        return result

    def _groups(self, usable: list[int], waveforms: Sequence[NDArray[np.float32]]) -> Iterator[list[int]]:
        group: list[int] = []
        for index in sorted(usable, key=lambda i: (len(waveforms[i]), i)):
            longest = len(waveforms[index])
            too_much = (len(group) + 1) * longest > MAX_PASS_S * SAMPLE_RATE
            uneven = bool(group) and not self._pads and longest != len(waveforms[group[0]])
            if group and (too_much or uneven):
                yield group
                group = []
            group.append(index)
        if group:
            yield group

    def _prepared(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        wave = normalise(waveform) if self.do_normalize else waveform
        return centre(wave) if self.centred else wave

    def _forward(
        self, waveforms: list[NDArray[np.float32]], layer_weights: NDArray[np.float32] | None
    ) -> list[NDArray[np.float32]]:
        parameter = next(self.model.parameters())
        prepared = [self._prepared(wave) for wave in waveforms]
        batch = np.zeros((len(prepared), max(map(len, prepared))), dtype=np.float32)
        mask = torch.zeros(batch.shape, dtype=torch.long)
        for row, wave in enumerate(prepared):
            batch[row, : len(wave)] = wave
            mask[row, : len(wave)] = 1
        values = torch.from_numpy(batch).to(parameter.device, parameter.dtype)
        attention = mask.to(parameter.device) if self._pads else None
        if layer_weights is None:
            output = self.model(values, attention_mask=attention).last_hidden_state
        else:
            weights = torch.from_numpy(np.asarray(layer_weights, dtype=np.float32)).to(parameter)
            with accumulate_layers(self.model, weights) as average:
                self.model(values, attention_mask=attention)
            assert average.value is not None
            output = average.value
        frames = output.float().cpu().numpy()
        return [frames[row, : self.frames(len(wave))].copy() for row, wave in enumerate(waveforms)]
