"""The small speech encoder as it is trained: a layer-norm wav2vec 2.0 that reads out tracks of spectrum and prosody."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model

from ml.encoders.speech import accumulate_layers
from ml.features.tracks import TRACKS
from ml.features.voice import compact
from ml.training.front_end import CONVOLUTIONS, Standard

ENCODER: dict[str, Any] = {
    **CONVOLUTIONS,
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 256,
    "do_stable_layer_norm": True,
    "num_conv_pos_embeddings": 32,
    "num_conv_pos_embedding_groups": 8,
    "hidden_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "mask_time_prob": 0.0,
    "layerdrop": 0.0,
}


class TrackModel(nn.Module):
    """Encoder, layer weights and read-out, trained together above fixed convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Wav2Vec2Model(Wav2Vec2Config(**ENCODER))
        self.layer_weights = nn.Parameter(torch.ones(ENCODER["num_hidden_layers"] + 1))
        self.readout = nn.Linear(ENCODER["hidden_size"], TRACKS)
        self.encoder.feature_extractor.requires_grad_(False)

    def forward(self, features: Tensor) -> Tensor:
        """Standardised tracks [B, T, 83] of the convolutions' features [B, T, 192]."""
        hidden, _ = self.encoder.feature_projection(features)
        with accumulate_layers(self.encoder, self.layer_weights) as average:
            self.encoder.encoder(hidden)
        assert average.value is not None
        tracks: Tensor = self.readout(average.value)
        return tracks


@torch.no_grad()
def compact_readout(model: TrackModel, standard: Standard) -> nn.Linear:
    """From the encoder's frames [128] to compact tracks [23] in their own units: linear after linear is linear."""
    mean, deviation = torch.from_numpy(standard.mean), torch.from_numpy(standard.deviation)
    own = model.readout.cpu()
    result = nn.Linear(own.in_features, compact(mean[None]).shape[1])
    result.weight.copy_(compact((own.weight * deviation[:, None]).T).T)
    result.bias.copy_(compact((own.bias * deviation + mean)[None])[0])
    return result
