"""The classifier of voices in training: statistics of a whole utterance against its speaker's usual voice.

Statistics are computed once where nothing below learns, so a step costs a product of two small matrices. Read-out and
standardisation stay: what they mean is what the speaker's usual statistics are compared with. Through them gradients
reach an encoder that is thawed: means, deviations, quantiles and masks are differentiable almost everywhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ml.adaptation.errors import PlanInvalid
from ml.adaptation.heads import LONGEST, Heard
from ml.features.speaker import STATISTICS
from ml.models.voice import VoiceEmotionModel

#: What keeps a few hundred utterances from being learned by heart; a member of the shipped model had the same.
NOISE, INPUT_DROPOUT, DROPOUT = 0.1, 0.3, 0.5
#: Share of utterances whose speaker is known less well than the data would have it.
LESS_KNOWN = 0.2


@dataclass(frozen=True, slots=True)
class VoiceHead:
    """`ml.adaptation.heads.AdaptableHead` for bundles of kind voice-speech."""

    head: VoiceEmotionModel

    @property
    def segment(self) -> int:
        """One row of statistics is an utterance."""
        return 1

    @property
    def reads(self) -> int:
        """Statistics."""
        return STATISTICS

    @property
    def alike(self) -> bool:
        """Octaves beside shares beside logarithms."""
        return False

    @property
    def embedding_size(self) -> int:
        """The hidden layer."""
        return self.head.config.hidden

    @property
    def hidden_size(self) -> int:
        """The hidden layer."""
        return self.head.config.hidden

    @property
    def rate(self) -> float:
        """A quarter of that from nothing, which suits a hidden layer of any width above a hundred."""
        return 5e-4

    @property
    def below(self) -> dict[str, Tensor]:
        """The read-out."""
        return {f"readout.{name}": t for name, t in self.head.readout.state_dict().items()}

    def most(self, segments: int) -> int:
        """Never cropped below a minute: statistics are of the whole."""
        return LONGEST

    def learning(self) -> Iterable[nn.Parameter]:
        """The classifier."""
        return self.head.classifier.parameters()

    def read(self, frames: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Statistics [B, 1, STATISTICS]; unreal where there are no frames."""
        nothing = frames.new_zeros(STATISTICS)
        rows = [
            self.head.heard(own[real]) if bool(real.any()) else nothing for own, real in zip(frames, mask, strict=True)
        ]
        return torch.stack(rows)[:, None], mask.any(dim=1, keepdim=True)

    def hear(self, read: Tensor, mask: Tensor, voices: Tensor) -> Heard:
        """One segment; in training blurred."""
        training = self.head.training
        usual = voices[:, self.head.config.embedding_size :]
        if training:
            share = torch.rand(len(usual), 1, device=usual.device)
            usual = usual * torch.where(torch.rand_like(share) < LESS_KNOWN, share, torch.ones_like(share))
        inputs = self._inputs(read, usual)
        if training:
            inputs = nn.functional.dropout(inputs + NOISE * torch.randn_like(inputs), INPUT_DROPOUT)
        hidden = self._below_last(inputs)
        logits = self.head.classifier[-1](nn.functional.dropout(hidden, DROPOUT, training))
        return Heard(logits, mask.float(), read, mask, hidden[:, 0])

    def hidden(self, read: Tensor, voices: Tensor) -> Tensor:
        """The hidden layer of statistics and speaker."""
        return self._below_last(self._inputs(read, voices[:, self.head.config.embedding_size :]))

    def fresh(
        self, classes: int, *, speaker_size: int | None = None, input_size: int | None = None
    ) -> VoiceEmotionModel:
        """`speaker_size` 0: nothing is usual for anybody. With another `input_size` the read-out has to be fitted.

        Standardisation and read-out never saw a label, so that they stay.
        """
        config = self.head.config
        if speaker_size not in (None, 0, config.speaker_size):
            raise PlanInvalid(f"speaker_size has to be 0 or {config.speaker_size}")
        width = config.input_size if input_size is None else input_size
        result = VoiceEmotionModel(replace(config, classes=classes, input_size=width))
        replaced = ("classifier.", "readout.") if width != config.input_size else ("classifier.",)
        kept = {name: t for name, t in self.head.state_dict().items() if not name.startswith(replaced)}
        result.load_state_dict(kept, strict=False)
        if speaker_size == 0:
            result.usual_map.zero_()
        return result.to(self.head.mean.device)

    def _inputs(self, read: Tensor, usual: Tensor) -> Tensor:
        """[B, T, 2 · STATISTICS]."""
        expected = self.head.expected(usual)[:, None].expand_as(read)
        flat = self.head.inputs(self.head.standardised(read).flatten(0, 1), expected.flatten(0, 1))
        return flat.reshape(*read.shape[:2], -1)

    def _below_last(self, inputs: Tensor) -> Tensor:
        result: Tensor = self.head.classifier[:-1](inputs)
        return result
