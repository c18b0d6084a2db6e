"""Low-rank adapters: instead of a weight W, learn B·A of rank r beside it.

Hu et al. (ICLR 2022, section 4). Parameter transfer of Han, Zhao, Wang 2019, section III.B, for few labels: fewer
numbers learn, and the shared ones stay. With r = 8 on queries and values, wav2vec2-large learns 0.25 % of its weights.
The bundle holds W + B·A, so inference costs nothing more; `peft` keeps the adapters in training only.
"""

from typing import ClassVar

from torch import nn

from ml.adaptation.errors import PlanInvalid
from ml.adaptation.method import Method, Work, setting
from ml.adaptation.network import SpeechNetwork


class LowRankAdapters(Method):
    """In the stage that thaws the encoder, adapters learn in place of its upper layers."""

    name = "lora"
    #: Adapters begin at zero and need about ten times the rate of the weights themselves.
    rate_factor: ClassVar[float] = 10.0

    def __init__(self, work: Work, *, rank: int = 8, alpha: float = 16.0, dropout: float = 0.05) -> None:
        super().__init__(work)
        encoder, layers = work.network.encoder, work.plan.top_layers
        setting(rank >= 1, "the rank of lora has to be at least 1")
        setting(work.plan.encoder_steps > 0, "lora learns in the plan's encoder_steps, which are 0")
        if encoder is None:
            raise PlanInvalid("lora needs an encoder, and this model hears mel frames")
        try:
            from peft import LoraConfig
            from peft.tuners.lora import LoraModel
        except ImportError as exc:
            raise PlanInvalid("lora needs the package peft", hint="pip install 'tenor[lora]'") from exc
        count = len(encoder.encoder.layers)
        config = LoraConfig(
            r=rank,
            lora_alpha=alpha,
            lora_dropout=dropout,
            target_modules=["q_proj", "v_proj"],
            layers_to_transform=list(range(max(0, count - layers), count)),
            layers_pattern="layers",
        )
        # In a list: they are the network's parameters, not this method's.
        self._adapters = [LoraModel(encoder, config, "tenor")]
        work.notes["lora"] = {"learning": sum(p.numel() for n, p in encoder.named_parameters() if "lora_" in n)}

    def thaw(self, network: SpeechNetwork, top_layers: int) -> None:
        """Of the encoder, adapters only."""
        assert network.encoder is not None
        for name, parameter in network.encoder.named_parameters():
            parameter.requires_grad_(bool(top_layers) and "lora_" in name)

    def finish(self, network: SpeechNetwork) -> None:
        """Add the products to the weights."""
        merged: nn.Module = self._adapters.pop().merge_and_unload()
        assert merged is network.encoder
