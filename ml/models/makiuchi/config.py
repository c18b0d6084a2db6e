"""Sizes and choices of source A's speech model, with the paper's variants by name.

Where the released code contradicts its aim, a field says which way is taken; `faithful=True` takes the released one.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ml.errors import ModelError

#: "small" and "large" are the paper's bottlenecks over wav2vec 2.0 frames (section 3.1); "mel" is "small" over the
#: log-mel spectrogram (section 6.1), with a quarter of the channels, as the released code has it.
VARIANTS: dict[str, dict[str, int]] = {
    "small": {"bottleneck": 8, "factor": 48},
    "large": {"bottleneck": 128, "factor": 2},
    "mel": {"bottleneck": 8, "factor": 48, "input_size": 80, "channels": 512},
}


@dataclass(frozen=True, slots=True)
class SpeechEmotionConfig:
    """What inference needs: encoder and classifier. The defaults are the paper's Small variant over wav2vec2-large."""

    input_size: int = 1024
    speaker_size: int = 256
    channels: int = 2048
    #: Width of a code in each direction; the paper's d.
    bottleneck: int = 8
    #: Frames per code; the paper's f.
    factor: int = 48
    segment_frames: int = 96
    hidden: int = 128
    classes: int = 7
    #: "frames" weights a segment by its real frames; "equal" is the paper's plain mean, in which a tail of a few
    #: frames and much padding counts as much as 1.92 s of speech.
    segment_weight: Literal["frames", "equal"] = "frames"
    #: A tail of one frame: the released code drops it, which loses 20 ms of one utterance in 96.
    single_frame_tail: Literal["kept", "dropped"] = "kept"
    #: Between the classifier's layers. The paper draws a perceptron; the released configuration leaves the activation
    #: out, so the classifier is affine. That stays the default: 32 codes need no more, and it folds to one matrix.
    activation: Literal["none", "relu"] = "none"

    def __post_init__(self) -> None:
        if self.factor < 1 or self.segment_frames % self.factor:
            raise ModelError(f"segment_frames {self.segment_frames} is not a multiple of factor {self.factor}")
        if min(self.input_size, self.channels, self.bottleneck, self.hidden, self.classes) < 1:
            raise ModelError("every size of the speech model has to be at least 1")

    @classmethod
    def named(cls, variant: str, *, faithful: bool = False, **sizes: Any) -> "SpeechEmotionConfig":
        """A variant of the paper; `sizes` replaces single fields. Raises `ModelError` for an unknown name."""
        if variant not in VARIANTS:
            raise ModelError(f"there is no variant {variant}; there are {', '.join(VARIANTS)}")
        released = {"segment_weight": "equal", "single_frame_tail": "dropped"} if faithful else {}
        return cls(**{**VARIANTS[variant], **released, **sizes})

    @property
    def code_size(self) -> int:
        """Numbers in one code: both directions."""
        return 2 * self.bottleneck

    @property
    def codes(self) -> int:
        """Codes of one segment."""
        return self.segment_frames // self.factor

    def to_json(self) -> dict[str, Any]:
        """The JSON-able form that stands in a bundle."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class LossWeights:
    """How much each loss counts (paper: 1, 1, 1). Parts of the model that no loss needs are not built.

    `decoder` and `postnet` are mean squared errors over the mel spectrogram before and after the post-net, `emotion`
    is the cross-entropy. With `postnet` 0 there is no post-net; with both 0 neither decoder nor phone encoder.
    """

    decoder: float = 1.0
    postnet: float = 1.0
    emotion: float = 1.0

    def __post_init__(self) -> None:
        if min(self.decoder, self.postnet, self.emotion) < 0 or not self.decoder + self.postnet + self.emotion > 0:
            raise ModelError("loss weights have to be 0 or more, and not all 0")

    @property
    def reconstructs(self) -> bool:
        """True when the mel spectrogram is rebuilt from the codes."""
        return self.decoder > 0 or self.postnet > 0


@dataclass(frozen=True, slots=True)
class CrossRepresentationConfig:
    """The whole training model: the emotion model and what rebuilds the mel spectrogram (paper, section 3.1)."""

    emotion: SpeechEmotionConfig = field(default_factory=SpeechEmotionConfig)
    losses: LossWeights = field(default_factory=LossWeights)
    #: Hidden states of the encoder that are averaged with free weights (25 for 24 blocks); 0: frames come averaged
    #: already, or are no encoder's (mel).
    layers: int = 25
    mel_bands: int = 80
    #: Phone classes per frame; 0: the decoder is told no phones.
    phone_classes: int = 128
    phone_channels: int = 512
    phone_size: int = 128
    decoder_channels: int = 512
    decoder_size: int = 1024
    postnet_channels: int = 512

    @classmethod
    def named(
        cls, variant: str, *, faithful: bool = False, losses: LossWeights | None = None, layers: int = 25, **sizes: Any
    ) -> "CrossRepresentationConfig":
        """A variant of the paper; `sizes` replaces fields of `SpeechEmotionConfig`. Mel input has no layers."""
        emotion = SpeechEmotionConfig.named(variant, faithful=faithful, **sizes)
        return cls(emotion=emotion, losses=losses or LossWeights(), layers=0 if variant == "mel" else layers)

    def to_json(self) -> dict[str, Any]:
        """The JSON-able form for checkpoints and reports."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "CrossRepresentationConfig":
        """The reverse of `to_json`."""
        parts = {"emotion": SpeechEmotionConfig(**fields["emotion"]), "losses": LossWeights(**fields["losses"])}
        return cls(**{**fields, **parts})
