"""Fine-tuning with staged freezing: the head first, then the top of the transformer, the convolutions never.

Han, Zhao, Wang 2019, section IV.B. A fresh or mistaken head would send large errors down into layers that are right, so
it learns alone first (as in ULMFiT: Howard and Ruder, ACL 2018, section 3.3). Wagner et al. (TPAMI 2023) find about 10
points between frozen and thawed transformers on IEMOCAP, with frozen convolutions in both. Steps, layers and rates are
the plan's.
"""

from ml.adaptation.method import Method


class FineTuning(Method):
    """The plan's stages and nothing else; earlier corpora in the batch keep what was known (rehearsal)."""

    name = "finetune"
