"""A fold of a variant of the speech model: emotions, what it rebuilds, and whether its codes tell speakers."""

from dataclasses import dataclass
from typing import Any

from ml.experiments.folds import FoldJob
from ml.experiments.probing import probe_speakers
from ml.models.makiuchi.config import CrossRepresentationConfig
from ml.training.features import SpeechSet
from ml.training.speech_learner import SpeechLearner


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechJob(FoldJob[SpeechLearner]):
    """A fold of a configuration of the speech model."""

    data: SpeechSet
    config: CrossRepresentationConfig
    #: Trained as the authors' code does, see `SpeechLearner`.
    released: bool
    #: Whether a probe looks for speakers in the codes.
    probe: bool = False

    def learner(self) -> SpeechLearner:
        """The training model."""
        return SpeechLearner(self.data, self.config, device=self.device, released=self.released)

    def measured(self, learner: SpeechLearner) -> dict[str, Any]:
        """Errors of the rebuilt mel spectrogram of the test items, and the speaker probe, where asked for."""
        found: dict[str, Any] = {}
        test = self.fold.test
        if self.config.losses.reconstructs and len(test):
            rebuilt, mean = learner.reconstruction_error(test, learner.mean_mel(self.fold.train))
            frames = sum(self.data.frames[int(i)] for i in test)
            found["reconstruction"] = {"model": rebuilt, "mean_mel": mean, "frames": frames}
        if self.probe:
            found["probe"] = probe_speakers(learner, self.fold, seed=self.seed)
        return found
