"""Source A's decoder and post-net: the mel spectrogram rebuilt from codes, speaker and phones. Training only.

Layers are those of AutoVC's decoder (Qian et al., ICML 2019), with the phones beside the speaker's vector
(Makiuchi, Uto, Shinoda 2021, section 3.1).
"""

from torch import Tensor, nn

from ml.models.makiuchi.convolutions import block, stack


class Decoder(nn.Module):
    """Vectors per frame to mel frames."""

    def __init__(self, width_in: int, channels: int = 512, size: int = 1024, bands: int = 80) -> None:
        super().__init__()
        self.first = nn.LSTM(width_in, channels, batch_first=True)
        self.convolutions = stack(channels, channels, 3)
        self.second = nn.LSTM(channels, size, num_layers=2, batch_first=True)
        self.projection = nn.Linear(size, bands)
        nn.init.xavier_uniform_(self.projection.weight)

    def forward(self, frames: Tensor) -> Tensor:
        """[B, T, width_in] to mel [B, T, bands]."""
        hidden, _ = self.first(frames)
        hidden, _ = self.second(self.convolutions(hidden.transpose(1, 2)).transpose(1, 2))
        mel: Tensor = self.projection(hidden)
        return mel


class PostNet(nn.Module):
    """What the decoder's mel spectrogram still lacks, from its surroundings in time."""

    def __init__(self, channels: int = 512, bands: int = 80) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *block(bands, channels, "tanh"),
            *block(channels, channels, "tanh"),
            *block(channels, channels, "tanh"),
            *block(channels, channels, "tanh"),
            *block(channels, bands, "linear"),
        )

    def forward(self, mel: Tensor) -> Tensor:
        """mel [B, T, bands] to the corrected mel of the same shape."""
        change: Tensor = self.convolutions(mel.transpose(1, 2)).transpose(1, 2)
        return mel + change
