"""Published classifiers at work: their outputs travel between stages, and become canonical classes at the end."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.checkpoints.errors import CheckpointUnsupported
from ml.encoders.source import verified_folder
from ml.models.hub.audio import AudioClassifier
from ml.models.hub.labels import LabelMap
from ml.models.hub.loading import HINT, is_multi_label
from ml.models.hub.text import TextClassifier
from ml.models.spoken import words_of


@dataclass(frozen=True, slots=True)
class Outputs:
    """How a classifier's outputs become probabilities of its profile's classes."""

    labels: LabelMap
    temperature: float
    multi_label: bool

    @classmethod
    def of(cls, side: dict[str, Any], classifier: AudioClassifier | TextClassifier) -> "Outputs":
        """From a side of a specification; raises `CheckpointUnsupported` when the weights have other outputs."""
        config = side["config"]
        labels = LabelMap(tuple(config["names"]), config["map"])
        if classifier.model.config.num_labels != len(labels.names):
            raise CheckpointUnsupported(f"{side['name']} has other outputs than its configuration names", hint=HINT)
        return cls(labels, side["temperature"], is_multi_label(classifier.model))

    def mean(self, outputs: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
        """Probabilities [N, labels]: the mean over the pieces of each of N; NaN rows where there is none."""
        result = np.full((len(outputs), len(self.labels.labels)), np.nan)
        for row, pieces in enumerate(outputs):
            if len(pieces):
                own = self.labels.probabilities(pieces, temperature=self.temperature, multi_label=self.multi_label)
                result[row] = own.mean(axis=0)
        return result


@dataclass(frozen=True, slots=True)
class HubSpeech:
    """A `SpeechSide` whose frames are the classifier's outputs, one per piece of the utterance."""

    classifier: AudioClassifier
    outputs: Outputs

    @classmethod
    def load(cls, side: dict[str, Any], device: str) -> "HubSpeech":
        """Build from a side of a specification; raises `ModelError`."""
        classifier = AudioClassifier.load(verified_folder(side["location"], side["sha256"]), device=device)
        return cls(classifier, Outputs.of(side, classifier))

    def frames(self, waveforms: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Outputs [pieces, names] of each waveform."""
        return self.classifier.logits(waveforms)

    def scores(
        self, frames: Sequence[NDArray[np.float32]], speaker_vectors: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Probabilities [N, labels]; such models know nothing of speakers."""
        return self.outputs.mean(frames)


@dataclass(frozen=True, slots=True)
class HubText:
    """A `TextSide` whose tokens are the classifier's outputs, one per text."""

    classifier: TextClassifier
    outputs: Outputs

    @classmethod
    def load(cls, side: dict[str, Any], device: str) -> "HubText":
        """Build from a side of a specification; raises `ModelError`."""
        classifier = TextClassifier.load(verified_folder(side["location"], side["sha256"]), device=device)
        return cls(classifier, Outputs.of(side, classifier))

    def spoken(self, text: str | None) -> str:
        """The words without sounds such as [laughter], which published models have never read."""
        return words_of(text)

    def tokens(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Outputs [1, names] of each text, none of an empty one."""
        return self.classifier.logits(texts)

    def scores(self, tokens: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
        """Probabilities [N, labels]."""
        return self.outputs.mean(tokens)
