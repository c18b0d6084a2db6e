"""Log-probabilities of a checkpoint's tokens in every frame, the same whatever a piece is batched with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil, prod
from operator import mul
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import group_norm
from transformers import Wav2Vec2ForCTC

from ml.checkpoints.errors import CheckpointUnreadable
from ml.encoders.speech import SAMPLE_RATE, normalise
from ml.quiet import quiet

#: Longer pieces run in windows of so many seconds, with so many more on both sides that only give context.
WINDOW_S, CONTEXT_S = 30.0, 2.0
#: Seconds of audio, padding included, of one forward pass; bounds memory (some 30 MB per second with large models). A
#: CPU is busy with one piece already, and large passes leave its cache: passes of 40 s take 1.3 times as long as piece
#: by piece (6 layers of 384, one thread).
MAX_PASS_S = {"cpu": 5.0, "cuda": 600.0}
#: The share of a pass that may be padding.
MAX_PADDING = 0.1


@dataclass(frozen=True, slots=True)
class _Window:
    """Samples [start, end) of a piece, whose frames [skip, skip + keep) are the piece's next."""

    piece: int
    start: int
    end: int
    skip: int
    keep: int

    @property
    def samples(self) -> int:
        return self.end - self.start


class CtcEncoder:
    """A `Wav2Vec2ForCTC` and what its feature extractor does to a waveform."""

    def __init__(self, model: Wav2Vec2ForCTC, *, do_normalize: bool = True) -> None:
        self.model = model.eval()
        self.do_normalize = do_normalize
        config = model.config
        before = [1, *accumulate(config.conv_stride, mul)]
        after = config.adapter_stride**config.num_adapter_layers if config.add_adapter else 1
        #: Samples from one frame to the next, and samples that a frame sees.
        self.stride = prod(config.conv_stride) * after
        self.field = 1 + sum((kernel - 1) * step for kernel, step in zip(config.conv_kernel, before, strict=False))
        # The convolutions of an adapter see past a waveform's end, so nothing may follow it.
        self._padding = 0.0 if config.add_adapter else MAX_PADDING
        self._norm = LengthAwareGroupNorm.put_into(model) if config.feat_extract_norm == "group" else None

    @classmethod
    def load(
        cls, folder: Path, *, do_normalize: bool = True, device: str = "auto", dtype: torch.dtype | None = None
    ) -> "CtcEncoder":
        """Load a folder in the Hub's format; by default in bfloat16 on a GPU, else in float32 on the CPU.

        Raises `CheckpointUnreadable` when the weights do not fit the configuration.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if dtype is None:
            dtype = torch.float32 if device == "cpu" else torch.bfloat16
        try:
            with quiet():
                model, report = Wav2Vec2ForCTC.from_pretrained(
                    folder, dtype=dtype, use_safetensors=True, local_files_only=True, output_loading_info=True
                )
        except (OSError, ValueError, RuntimeError, KeyError) as exc:
            raise CheckpointUnreadable(f"the checkpoint in {folder} cannot be loaded ({type(exc).__name__})") from exc
        # Only training needs the vector that masked frames are replaced by; many checkpoints leave it out.
        if missing := {name for name in report["missing_keys"] if not name.endswith("masked_spec_embed")}:
            raise CheckpointUnreadable(f"the checkpoint in {folder} lacks {len(missing)} tensors of its model")
        return cls(model.to(device), do_normalize=do_normalize)

    @property
    def device(self) -> torch.device:
        """Where it runs, and where its emissions are."""
        return torch.device(self.model.device)

    @property
    def frame_s(self) -> float:
        """Seconds from one frame to the next."""
        return float(self.stride / SAMPLE_RATE)

    def frames(self, samples: int) -> int:
        """Frames of a piece (0 when it is shorter than what one frame sees)."""
        config = self.model.config
        for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
            samples = (samples - kernel) // stride + 1
        for _ in range(config.num_adapter_layers if config.add_adapter else 0):
            samples = (samples - 1) // config.adapter_stride + 1
        return max(0, samples)

    @torch.inference_mode()
    def emissions(self, waveforms: Sequence[NDArray[np.float32]]) -> list[Tensor]:
        """Log-probabilities, float32 [frames, tokens] on the model's device, of each waveform [samples] at 16 kHz.

        Waveforms of similar lengths run together. What one gets is what it gets alone (1e-4 in float32): padding is
        masked, and where the first convolution is normalised over time, it is so over the waveform's own samples.
        """
        ready = [normalise(wave) if self.do_normalize and len(wave) else wave for wave in waveforms]
        windows = [window for piece, wave in enumerate(waveforms) for window in self._windows(piece, len(wave))]
        heard: dict[int, Tensor] = {}
        for group in self._passes(windows):
            cut = [ready[windows[i].piece][windows[i].start : windows[i].end] for i in group]
            for i, frames in zip(group, self._forward(cut), strict=True):
                heard[i] = frames[windows[i].skip : windows[i].skip + windows[i].keep]
        parts: list[list[Tensor]] = [[] for _ in waveforms]
        for i, window in enumerate(windows):
            parts[window.piece].append(heard[i])
        nothing = torch.zeros((0, self.model.config.vocab_size), device=self.device)
        return [torch.cat(own) if own else nothing for own in parts]

    def _windows(self, piece: int, samples: int) -> Iterator[_Window]:
        total = self.frames(samples)
        size, context = round(WINDOW_S / self.frame_s), round(CONTEXT_S / self.frame_s)
        if 0 < total <= size + 2 * context:
            yield _Window(piece, 0, samples, 0, total)
            return
        step = ceil(total / max(1, ceil(total / size)))
        for first in range(0, total, max(1, step)):
            last = min(first + step, total)
            start, stop = max(0, first - context), min(total, last + context)
            end = (stop - 1) * self.stride + self.field
            yield _Window(piece, start * self.stride, end, first - start, last - first)

    def _passes(self, windows: Sequence[_Window]) -> Iterator[list[int]]:
        """Windows that run together, longest first, so that memory is known to suffice from the start."""
        budget = MAX_PASS_S[self.device.type] * SAMPLE_RATE
        group: list[int] = []
        heard = 0
        for i in sorted(range(len(windows)), key=lambda i: -windows[i].samples):
            longest = windows[group[0]].samples if group else 0
            padded = (len(group) + 1) * longest
            if group and (padded > budget or heard + windows[i].samples < (1 - self._padding) * padded):
                yield group
                group, heard = [], 0
            group.append(i)
            heard += windows[i].samples
        if group:
            yield group

    def _forward(self, waveforms: Sequence[NDArray[np.float32]]) -> list[Tensor]:
        """Longest first."""
        lengths = [len(wave) for wave in waveforms]
        batch = np.zeros((len(lengths), lengths[0]), dtype=np.float32)
        for row, wave in enumerate(waveforms):
            batch[row, : len(wave)] = wave
        values = torch.from_numpy(batch).to(self.device, self.model.dtype)
        mask = None
        if lengths[-1] != lengths[0]:
            mask = (torch.arange(lengths[0])[None] < torch.tensor(lengths)[:, None]).long().to(self.device)
        if self._norm is not None:
            self._norm.lengths = lengths
        logits = self.model(values, attention_mask=mask).logits
        scores = logits.float().log_softmax(-1)
        return [scores[row, : self.frames(length)] for row, length in enumerate(lengths)]


class LengthAwareGroupNorm(nn.Module):
    """The group norm over time of a first convolution, over each waveform's own frames instead of the padding too.

    Checkpoints with `feat_extract_norm = "group"` (wav2vec2-base) were trained on one waveform at a time: the zeros
    of a batch would change the mean and variance of every frame.
    """

    def __init__(self, norm: nn.GroupNorm, kernel: int, stride: int) -> None:
        super().__init__()
        self.norm, self.kernel, self.stride = norm, kernel, stride
        #: Samples of each waveform of the pass.
        self.lengths: Sequence[int] = ()

    @classmethod
    def put_into(cls, model: Wav2Vec2ForCTC) -> "LengthAwareGroupNorm":
        """Replace the model's."""
        layer = model.wav2vec2.feature_extractor.conv_layers[0]
        layer.layer_norm = aware = cls(layer.layer_norm, model.config.conv_kernel[0], model.config.conv_stride[0])
        return aware

    def forward(self, hidden: Tensor) -> Tensor:
        """Normalise `hidden` [rows, channels, time]; what is padding becomes zero."""
        result = torch.zeros_like(hidden)
        for row, samples in enumerate(self.lengths):
            own = (samples - self.kernel) // self.stride + 1
            result[row : row + 1, :, :own] = group_norm(
                hidden[row : row + 1, :, :own], self.norm.num_groups, self.norm.weight, self.norm.bias, self.norm.eps
            )
        return result
