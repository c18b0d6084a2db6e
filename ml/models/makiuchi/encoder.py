"""Source A's encoder: frames and a speaker's vector to a few narrow codes."""

import torch
from torch import Tensor, nn

from ml.errors import ModelError
from ml.models.makiuchi.config import SpeechEmotionConfig
from ml.models.makiuchi.convolutions import stack


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
        joined = torch.cat([segments, speakers[:, None, :].expand(-1, segments.shape[1], -1)], dim=2)
        hidden, _ = self.recurrent(self.convolutions(joined.transpose(1, 2)).transpose(1, 2))
        return torch.cat([hidden[:, factor - 1 :: factor, :width], hidden[:, ::factor, width:]], dim=2)
