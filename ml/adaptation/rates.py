"""Learning rates that fit a model's width.

Published recipes fine-tune wav2vec 2.0 at 1e-5 and heads at 1e-4; a head says its own rate. Adam's best rate falls as
one over the width (Yang et al., NeurIPS 2021, table 3), so a model of an eighth of the width learns at eight times the
rate.
"""

from typing import NamedTuple

from ml.adaptation.network import SpeechNetwork
from ml.adaptation.plan import AdaptationPlan

#: Width and rate of the published recipes.
_ENCODER, _ENCODER_WIDTH = 1e-5, 1024
_HIGHEST = 2e-3


class Rates(NamedTuple):
    """Peak rates of head and encoder; layer weights, a handful of scalars, need ten times more than the head."""

    head: float
    encoder: float
    layer_weights: float


def rates(plan: AdaptationPlan, network: SpeechNetwork) -> Rates:
    """Those of the plan, else by the model's widths."""
    hidden = _ENCODER_WIDTH if network.encoder is None else int(network.encoder.config.hidden_size)
    head = plan.head_rate or network.ears.rate
    encoder = plan.encoder_rate or min(_HIGHEST, _ENCODER * _ENCODER_WIDTH / hidden)
    return Rates(head, encoder, min(1e-2, 10 * head))
