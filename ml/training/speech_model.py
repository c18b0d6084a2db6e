"""The small speech model as it is trained, and how it becomes a bundle's encoder and classifier.

Between the two stands, in training only, a read-out of 87 measures of the voice, taught without labels: what an
utterance's tracks and functionals are, at every frame. What is usual for the speaker is subtracted, and the classifier
sees nothing but the difference. All of it is linear, so that `folded` multiplies it into the classifier's weights.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2Model

from ml.encoders.speech import accumulate_layers
from ml.models.makiuchi.config import SpeechEmotionConfig
from ml.models.makiuchi.speech import SpeechEmotionModel
from ml.training.front_end import CONVOLUTIONS
from ml.training.speaker_baseline import MEASURES
from ml.training.tracks import TRACKS

ENCODER: dict[str, Any] = {
    **CONVOLUTIONS,
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 256,
    "do_stable_layer_norm": True,
    "num_conv_pos_embeddings": 32,
    "num_conv_pos_embedding_groups": 8,
    "hidden_dropout": 0.1,
    "feat_proj_dropout": 0.1,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "mask_time_prob": 0.0,
    "layerdrop": 0.0,
}
SEGMENT = 96
_HEAD: dict[str, Any] = {"channels": 128, "bottleneck": 16}


class Heard(NamedTuple):
    """What the model makes of features [B, T, 192], T a multiple of 96."""

    #: [B, segments, classes].
    logits: Tensor
    #: Real frames of each segment [B, segments].
    real: Tensor
    #: [B, T, 87].
    measures: Tensor
    #: Logits [B, classes] of the utterance as a whole, which guide training only.
    pooled: Tensor


class SpeechModel(nn.Module):
    """Encoder, layer weights, read-out and classifier, trained together above fixed convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Wav2Vec2Model(Wav2Vec2Config(**ENCODER))
        self.layer_weights = nn.Parameter(torch.ones(ENCODER["num_hidden_layers"] + 1))
        self.readout = nn.Linear(ENCODER["hidden_size"], MEASURES, bias=False)
        self.head = SpeechEmotionModel(SpeechEmotionConfig(input_size=MEASURES, speaker_size=0, **_HEAD))
        self.tracks = nn.Linear(ENCODER["conv_dim"][-1], TRACKS)
        self.whole = nn.Sequential(
            nn.Linear(2 * MEASURES, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, self.head.config.classes)
        )
        self.encoder.feature_extractor.requires_grad_(False)
        self.tracks.requires_grad_(False)

    def forward(self, features: Tensor, counts: Tensor, usual: Tensor) -> Heard:
        """Of features [B, T, 192] with `counts` [B] real frames, and what is usual for their speakers [B, 87]."""
        frames = features.shape[1]
        mask = torch.arange(frames, device=features.device)[None] < counts[:, None]
        hidden, _ = self.encoder.feature_projection(features)
        with accumulate_layers(self.encoder, self.layer_weights) as average:
            self.encoder.encoder(hidden, attention_mask=mask)
        assert average.value is not None
        measures = self.readout(average.value * mask[:, :, None])
        relative = measures - usual[:, None]
        pieces = relative.reshape(-1, SEGMENT, MEASURES)
        logits = self.head(pieces, pieces.new_zeros(len(pieces), 0))
        real = mask.reshape(len(features), -1, SEGMENT).sum(dim=2)
        pooled = self.whole(_mean_and_deviation(relative, mask))
        return Heard(logits.reshape(len(features), -1, logits.shape[1]), real, measures, pooled)


def _mean_and_deviation(values: Tensor, mask: Tensor) -> Tensor:
    """[B, 2n] over the real frames of [B, T, n]."""
    weight = mask[:, :, None].to(values.dtype)
    count = weight.sum(dim=1).clamp(min=1)
    mean = (values * weight).sum(dim=1) / count
    variance = ((values - mean[:, None]) ** 2 * weight).sum(dim=1) / count
    return torch.cat([mean, (variance + 1e-5).sqrt()], dim=1)


@torch.no_grad()
def folded(model: SpeechModel, baseline: Tensor) -> SpeechEmotionModel:
    """The classifier over encoder frames [T, 128] and speaker vectors [256], by `baseline` [256, 87].

    conv(readout · frame - baselineᵀ · vector) is one convolution over both side by side.
    """
    config = SpeechEmotionConfig(input_size=ENCODER["hidden_size"], speaker_size=len(baseline), **_HEAD)
    result = SpeechEmotionModel(config)
    state = model.head.state_dict()
    kernel = state["convolutions.0.weight"]
    frames = torch.einsum("cmk,mh->chk", kernel, model.readout.weight)
    voices = -torch.einsum("cmk,sm->csk", kernel, baseline.to(kernel))
    result.load_state_dict(state | {"convolutions.0.weight": torch.cat([frames, voices], dim=1)})
    return result.eval()
