"""A fold of the text model over one encoder."""

from dataclasses import dataclass

from ml.experiments.folds import FoldJob
from ml.models.makiuchi.text import TextEmotionConfig
from ml.training.features import TextSet
from ml.training.text_learner import TextLearner


@dataclass(frozen=True, slots=True, kw_only=True)
class TextJob(FoldJob[TextLearner]):
    """A fold of a configuration of the text model."""

    data: TextSet
    config: TextEmotionConfig

    def learner(self) -> TextLearner:
        """The CNN."""
        return TextLearner(self.data, self.config, device=self.device)
