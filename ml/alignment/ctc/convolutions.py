"""The convolutions of wav2vec 2.0 on waveforms of several lengths: each gets what it gets alone."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import group_norm
from torch.nn.utils.rnn import pad_sequence
from transformers import Wav2Vec2ForCTC


class ConvolutionsApart(nn.Module):
    """The convolutions of a model run on one waveform after the other, without their padding."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers
        #: Samples of each waveform of the pass.
        self.lengths: Sequence[int] = ()

    @classmethod
    def put_into(cls, model: Wav2Vec2ForCTC) -> "ConvolutionsApart":
        """Replace the model's."""
        model.wav2vec2.feature_extractor = apart = cls(model.wav2vec2.feature_extractor)
        return apart

    def forward(self, values: Tensor) -> Tensor:
        """Features [rows, channels, time] of `values` [rows, samples]; what is padding becomes zero."""
        own = [self.layers(values[row : row + 1, :samples])[0].T for row, samples in enumerate(self.lengths)]
        return pad_sequence(own, batch_first=True).transpose(1, 2)


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


def indifferent_to_padding(model: Wav2Vec2ForCTC, *, apart: bool) -> ConvolutionsApart | LengthAwareGroupNorm | None:
    """Change a model so that padding changes no waveform's features; returns who has to be told the `lengths`.

    None where nothing has to change: a layer norm sees one frame at a time.
    """
    if apart:
        return ConvolutionsApart.put_into(model)
    return LengthAwareGroupNorm.put_into(model) if model.config.feat_extract_norm == "group" else None
