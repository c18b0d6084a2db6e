"""Source A's encoder: frames and a speaker's vector to a few narrow codes."""

import torch
from torch import Tensor, nn

from ml.errors import ModelError
from ml.models.makiuchi.config import SpeechEmotionConfig
from ml.models.makiuchi.convolutions import KERNEL, stack


class BottleneckEncoder(nn.Module):
    """Three convolutions over frames joined with the speaker's vector, a two-layer BLSTM, one code every f frames.

    Makiuchi, Uto, Shinoda (ASRU 2021), section 3.1; the bottleneck is that of AutoVC (Qian et al., ICML 2019).
    """

    def __init__(self, config: SpeechEmotionConfig) -> None:
        super().__init__()
        self.config = config
        self.convolutions = stack(config.input_size + config.speaker_size, config.channels, 3)
        self.recurrent = nn.LSTM(config.channels, config.bottleneck, num_layers=2, batch_first=True, bidirectional=True)

    def codes(self, segments: Tensor, speakers: Tensor) -> Tensor:
        """Codes [B, T / factor, 2 · bottleneck] of segments [B, T, input] and speaker vectors [B, speaker].

        A code is the forward state at the last of its frames beside the backward state at the first, so each half has
        seen all of them. Raises `ModelError` when T is not a multiple of the factor.
        """
        width, factor = self.config.bottleneck, self.config.factor
        if segments.shape[1] % factor:
            raise ModelError(f"a segment of {segments.shape[1]} frames is not a multiple of factor {factor}")
        hidden, _ = self.recurrent(self.convolutions[1:](self._first(segments, speakers)).transpose(1, 2))
        return torch.cat([hidden[:, factor - 1 :: factor, :width], hidden[:, ::factor, width:]], dim=2)

    def _first(self, segments: Tensor, speakers: Tensor) -> Tensor:
        """The first convolution [B, channels, T] over frames joined with the speaker's vector.

        The vector is the same at every frame, so what it adds is a sum over the taps that lie within the segment: one
        product per segment instead of one per frame, which over narrow encoders is most of the convolution.
        """
        first, frames = self.convolutions[0], segments.shape[1]
        assert isinstance(first, nn.Conv1d)
        own, voice = first.weight.split([segments.shape[2], speakers.shape[1]], dim=1)
        hidden = nn.functional.conv1d(segments.transpose(1, 2), own, first.bias, padding=first.padding)
        reach = torch.arange(frames, device=segments.device) + torch.arange(KERNEL, device=segments.device)[:, None]
        within = (reach >= KERNEL // 2) & (reach < frames + KERNEL // 2)
        return hidden + torch.einsum("bs,csk->bck", speakers, voice) @ within.to(hidden.dtype)
