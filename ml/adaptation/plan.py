"""What is to be done to a model: methods, steps, rates. JSON-able, and part of a run's identity."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ml.adaptation.errors import PlanInvalid
from ml.emotions import EMOTIONS

Setting = float | int | str | bool


@dataclass(frozen=True, slots=True)
class MethodChoice:
    """A method by its name in the registry, and the settings that differ from its defaults."""

    name: str
    settings: Mapping[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AdaptationPlan:
    """One adaptation. The defaults suit some hundred labelled utterances and the bundled model on a CPU.

    Raises `PlanInvalid` for values that no run could have.
    """

    methods: tuple[MethodChoice, ...]
    #: The classes of the new model; None: those of the champion.
    labels: tuple[str, ...] | None = None
    seed: int = 1
    #: Steps on the head alone, then steps on the top layers of the encoder too (staged freezing).
    head_steps: int = 200
    encoder_steps: int = 0
    #: Transformer layers that thaw in the second stage; the convolutions below never do.
    top_layers: int = 1
    #: Utterances in a batch; as many again where a method hears the target without labels.
    batch: int = 32
    #: Segments (of 1.92 s) of an utterance in a batch, at most; longer ones are cropped at random.
    segments: int = 2
    #: None: 1e-4 and 1e-5 for the published sizes, and more for narrower models (`ml.adaptation.rates`).
    head_rate: float | None = None
    encoder_rate: float | None = None
    weight_decay: float = 0.01
    #: Share of the labelled batch that is drawn from earlier corpora, where both are given.
    source_share: float = 0.5
    #: Share of the labelled speakers that decide when to stop and fit the temperature.
    development: float = 0.15
    judge_every: int = 25
    save_every: int = 50
    #: Gradients are clipped to this norm.
    clip: float = 2.0
    #: Label smoothing of the cross-entropy.
    smoothing: float = 0.05

    def __post_init__(self) -> None:
        if not self.methods:
            raise PlanInvalid("a plan names at least one method")
        if self.labels is not None and (len(self.labels) < 2 or not set(self.labels) <= set(EMOTIONS)):
            raise PlanInvalid(f"the labels of a plan have to be two or more of {', '.join(EMOTIONS)}")
        whole = (self.batch, self.segments, self.judge_every, self.save_every, self.head_steps + self.encoder_steps)
        if min(whole) < 1 or min(self.head_steps, self.encoder_steps, self.top_layers) < 0:
            raise PlanInvalid("steps, batch and intervals of a plan have to be positive")
        if not 0 <= self.source_share <= 1 or not 0 <= self.development < 1:
            raise PlanInvalid("shares of a plan have to be between 0 and 1")

    @classmethod
    def of(cls, *methods: str, **values: Any) -> "AdaptationPlan":
        """A plan with methods at their defaults."""
        return cls(tuple(MethodChoice(name) for name in methods), **values)

    @property
    def names(self) -> tuple[str, ...]:
        """The methods' names."""
        return tuple(choice.name for choice in self.methods)

    def to_json(self) -> dict[str, Any]:
        """The form that is stored with a run."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "AdaptationPlan":
        """The reverse of `to_json`; raises `PlanInvalid` for entries that no plan has."""
        if unknown := set(stored) - {f.name for f in fields(cls)}:
            raise PlanInvalid(f"a plan has no entry {', '.join(sorted(unknown))}")
        try:
            methods = tuple(MethodChoice(m["name"], dict(m.get("settings", {}))) for m in stored["methods"])
            labels = stored.get("labels")
            return cls(**{**stored, "methods": methods, "labels": None if labels is None else tuple(labels)})
        except (KeyError, TypeError) as exc:
            raise PlanInvalid(f"a plan cannot be read: {exc}") from exc
