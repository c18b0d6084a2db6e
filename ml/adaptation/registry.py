"""All methods by name: what each does, and which situation it is for.

The situations are those of Han, Zhao, Wang 2019, section II, after Pan and Yang (TKDE 2010, table 1), whose definitions
hold where accounts of the survey exchange them: with target labels transfer is inductive, whether the classes are the
same or not; without, and with source labels for the same classes, transductive; without any labels, unsupervised.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ml.adaptation.errors import DataLacking, PlanInvalid
from ml.adaptation.method import Method, Work
from ml.adaptation.mmd import MmdAlignment
from ml.adaptation.plan import AdaptationPlan, MethodChoice
from ml.adaptation.staged import FineTuning
from ml.adaptation.starts import STARTS

Kind = Literal["instance", "feature", "parameter", "relational"]


@dataclass(frozen=True, slots=True)
class MethodCard:
    """What a method is for; a row of `tenor retrain --methods`."""

    name: str
    does: str
    #: What is transferred, in the survey's words.
    transfers: Kind
    #: The survey's situations in which it helps.
    situations: str
    #: What has to be given: "target labels", "source", "unlabelled target".
    needs: tuple[str, ...]
    #: Whether the classes may differ from the champion's.
    new_classes: bool
    #: Settings with their defaults, as text.
    settings: str
    paper: str
    make: Callable[..., Method]


INDUCTIVE, TRANSDUCTIVE = "inductive", "transductive"
_LABELS, _SOURCE, _HEARD = "target labels", "source", "unlabelled target"

CARDS: dict[str, MethodCard] = {
    card.name: card
    for card in (
        MethodCard(
            "finetune", "head first, then the top layers of the encoder", "parameter", INDUCTIVE, (_LABELS,), True,
            "plan: head_steps, encoder_steps, top_layers, rates, source_share", "Han 2019 IV.B", FineTuning,
        ),
        MethodCard(
            "mmd", "source and target embeddings at the same place, in many kernels", "feature", TRANSDUCTIVE,
            (_SOURCE, _HEARD), False, "weight=1.0", "Long et al. 2015; Han 2019 III.A", MmdAlignment,
        ),
    )
}  # fmt: skip


def check(plan: AdaptationPlan, *, has_target: bool, has_source: bool, has_unlabelled: bool) -> None:
    """Raise `PlanInvalid` for unknown methods, `DataLacking` where one lacks what it needs."""
    given = {_LABELS: has_target, _SOURCE: has_source, _HEARD: has_target or has_unlabelled}
    for choice in plan.methods:
        card = card_of(choice)
        for need in card.needs:
            if not given[need]:
                raise DataLacking(f"{card.name} needs {need}, and there is none")


def card_of(choice: MethodChoice) -> MethodCard:
    """The method of a choice; raises `PlanInvalid`."""
    if choice.name not in CARDS:
        raise PlanInvalid(f"there is no method {choice.name}; there are {', '.join(CARDS)}")
    return CARDS[choice.name]


def build(choice: MethodChoice, work: Work) -> Method:
    """The method of a choice, prepared on the data; raises `PlanInvalid` for settings that it does not have."""
    settings: dict[str, Any] = {} if choice.name in STARTS and choice.name != "gender-start" else dict(choice.settings)
    settings.pop("speaker_size", None)
    try:
        return card_of(choice).make(work, **settings)
    except TypeError as exc:
        raise PlanInvalid(f"{choice.name} does not take these settings ({exc})") from exc


def rows() -> list[tuple[str, ...]]:
    """The table of `tenor retrain --methods`, its header first."""
    header: tuple[str, ...] = (
        "method",
        "what it does",
        "transfers",
        "situation",
        "needs",
        "new classes",
        "settings",
        "source",
    )
    own: list[tuple[str, ...]] = [
        (c.name, c.does, c.transfers, c.situations, ", ".join(c.needs) or "labels of any corpus",
         "yes" if c.new_classes else "no", c.settings, c.paper)
        for c in CARDS.values()
    ]  # fmt: skip
    return [header, *own]
