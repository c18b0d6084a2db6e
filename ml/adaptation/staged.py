"""Fine-tuning with staged freezing: the head first, then the top of the transformer, the convolutions never.

Han, Zhao, Wang 2019, section IV.B. A fresh or mistaken head would send large errors down into layers that are right, so
it learns alone first (as in ULMFiT: Howard and Ruder, ACL 2018, section 3.3). Wagner et al. (TPAMI 2023) find about 10
points between frozen and thawed transformers on IEMOCAP, with frozen convolutions in both. Steps, layers and rates are
the plan's, and so is how much of earlier corpora is rehearsed (`source_share`), which keeps what was known.
"""

from ml.adaptation.method import Method, Work


class FineTuning(Method):
    """The plan's stages and nothing else."""

    name = "finetune"


class Start(Method):
    """Learning in the plan's stages from what `ml.adaptation.starts` made of the champion."""

    name = "start"

    def __init__(self, work: Work, *, checkpoint: str = "", speaker_size: int | None = None) -> None:
        """The settings are those that `starts.begin` reads."""
        super().__init__(work)
        del checkpoint, speaker_size
