"""Standardisation by the target: its average utterance takes the place of the one that the champion learned with.

Adaptive batch normalisation (Li et al., Pattern Recognition 2018, section 3.2) for a model whose normalisation stands
before its classifier; it needs no label. Feature transfer of Han, Zhao, Wang 2019, section III.A. A room or a
microphone moves the mean of every statistic; half of the classifier's inputs are differences from the speaker's usual
voice, in which that cancels, and this is for the other half. Deviations stay: a small target says little of them.
"""

import numpy as np
import torch

from ml.adaptation.material import TARGET, UNLABELLED
from ml.adaptation.method import Method, Work, needed, setting
from ml.models.voice import VoiceEmotionModel

#: Fewer utterances have no average.
LEAST = 20


class Restandardise(Method):
    """Means of heard and of usual statistics move towards the target's, by a share."""

    name = "restandardise"

    @torch.no_grad()
    def __init__(self, work: Work, *, share: float = 1.0) -> None:
        super().__init__(work)
        setting(0 < share <= 1, "the share of restandardise has to be above 0, and 1 at most")
        material, head = work.material, work.network.head
        assert isinstance(head, VoiceEmotionModel)  # The registry has seen to it.
        numbers = needed(material.domain(TARGET, UNLABELLED), LEAST, "target utterances", self.name)
        heard = np.mean([work.frames.rows(int(number))[0] for number in numbers], axis=0)
        moved = torch.from_numpy(heard).to(head.mean) - head.mean
        usual = torch.from_numpy(material.voices[numbers][:, head.config.embedding_size :]).to(head.mean)
        known = usual[usual[:, 0] > 0]
        if len(known):
            head.usual_mean += share * ((known[:, 1:] / known[:, :1]).mean(dim=0) - head.usual_mean)
        head.mean += share * moved
        work.notes[self.name] = {"moved": float((moved / head.deviation).square().mean().sqrt())}
