"""All methods by name: what each does, and which situation it is for.

The situations are those of Han, Zhao, Wang 2019, section II, after Pan and Yang (TKDE 2010, table 1), whose definitions
hold where accounts of the survey exchange them: with target labels transfer is inductive, whether the classes are the
same or not; without, and with source labels for the same classes, transductive; without any labels, unsupervised.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ml.adaptation.adversarial import DomainAdversarial, SpeakerAdversarial
from ml.adaptation.autoencoder import SharedHiddenAutoencoder
from ml.adaptation.coral import Coral, DeepCoral
from ml.adaptation.density import DensityRatio, Kliep
from ml.adaptation.distillation import CrossModal, Relations
from ml.adaptation.errors import DataLacking, ModelUnsupported, PlanInvalid
from ml.adaptation.lora import LowRankAdapters
from ml.adaptation.method import Method, Work
from ml.adaptation.mmd import MmdAlignment
from ml.adaptation.multitask import GenderStart, MultiTask
from ml.adaptation.network import KINDS
from ml.adaptation.plan import AdaptationPlan, MethodChoice
from ml.adaptation.pseudo_labels import PseudoLabels
from ml.adaptation.restandardise import Restandardise
from ml.adaptation.staged import FineTuning, Start
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
    #: What has to be given.
    needs: tuple[str, ...]
    #: Whether the classes may differ from the champion's.
    new_classes: bool
    #: Settings with their defaults, as text.
    settings: str
    paper: str
    make: Callable[..., Method]
    #: The kinds of speech model that it suits.
    kinds: tuple[str, ...] = KINDS


INDUCTIVE, TRANSDUCTIVE, BOTH = "inductive", "transductive", "inductive, transductive"
LABELS, SOURCE, HEARD, TEXT = "target labels", "source labels", "target audio", "text model and transcripts"

_TABLE = (
    MethodCard(
        "finetune", "head first, then the top of the encoder; rehearses earlier corpora", "parameter", INDUCTIVE,
        (LABELS,), True, "in the plan: head_steps, encoder_steps, top_layers, rates, source_share",
        "Han 2019 IV.B; Howard and Ruder 2018", FineTuning,
    ),
    MethodCard(
        "lora", "adapters of low rank instead of the encoder's weights", "parameter", INDUCTIVE, (LABELS,), True,
        "rank=8 alpha=16 dropout=0.05", "Hu et al. 2022", LowRankAdapters,
    ),
    MethodCard(
        "multitask", "names gender and speaker beside emotion", "parameter", BOTH, (), True,
        "gender=0.1 speaker=0.1", "Han 2019 IV.A", MultiTask,
    ),
    MethodCard(
        "density-ratio", "source utterances weigh what a classifier of corpora says", "instance", TRANSDUCTIVE,
        (SOURCE, HEARD), False, "c=0.1", "Bickel et al. 2007", DensityRatio,
    ),
    MethodCard(
        "kliep", "the same ratio by kernels", "instance", TRANSDUCTIVE, (SOURCE, HEARD), False, "directions=10",
        "Sugiyama et al. 2007", Kliep,
    ),
    MethodCard(
        "restandardise", "the target's average utterance takes the place of the champion's", "feature", BOTH, (HEARD,),
        True, "share=1", "Li et al. 2018", Restandardise, ("voice-speech",),
    ),
    MethodCard(
        "coral", "source features get the target's mean and covariance", "feature", TRANSDUCTIVE, (SOURCE, HEARD),
        False, "ridge=0.01", "Sun et al. 2016", Coral,
    ),
    MethodCard(
        "deep-coral", "covariances of embeddings come together", "feature", BOTH, (SOURCE, HEARD), False, "weight=3",
        "Sun and Saenko 2016", DeepCoral,
    ),
    MethodCard(
        "mmd", "embeddings of both corpora come together, in many kernels", "feature", BOTH, (SOURCE, HEARD), False,
        "weight=1", "Long et al. 2015", MmdAlignment,
    ),
    MethodCard(
        "dann", "no discriminator can tell the corpora", "feature", BOTH, (SOURCE, HEARD), False,
        "hidden=64 strength=0.3", "Ganin et al. 2016", DomainAdversarial,
    ),
    MethodCard(
        "speaker-adversarial", "no classifier can tell the speakers", "feature", BOTH, (), True, "strength=0.1",
        "arXiv 1903.09606", SpeakerAdversarial,
    ),
    MethodCard(
        "autoencoder", "one hidden layer rebuilds both corpora", "feature", BOTH, (SOURCE, HEARD), True,
        "steps=100 weight=0.1 corrupted=0.3", "Deng et al. 2014; Han 2019 III.A", SharedHiddenAutoencoder,
    ),
    MethodCard(
        "pseudo-labels", "the champion labels what it is sure of, evenly over classes", "instance", TRANSDUCTIVE,
        (HEARD,), False, "share=0.5 threshold=0.5 weight=0.5", "Zou et al. 2018", PseudoLabels,
    ),
    MethodCard(
        "cross-modal", "the text model teaches the speech model on transcripts", "feature", BOTH, (HEARD, TEXT), False,
        "weight=0.5 softness=2 confidence=0.4", "Albanie et al. 2018; Han 2019 III.A", CrossModal,
    ),
    MethodCard(
        "relations", "distances and angles between utterances stay as the teacher has them", "relational", BOTH, (),
        True, "weight=1 teacher=champion|text", "Park et al. 2019", Relations,
    ),
    MethodCard(
        "gender-start", "a fresh head learns gender first", "parameter", BOTH, (), True, "steps=150",
        "Han 2019 III.B", GenderStart,
    ),
    MethodCard(
        "ctc-start", "the encoder of a speech recogniser, and a fresh head", "parameter", BOTH, (), True,
        "checkpoint=FOLDER or Hub id, speaker_size=0 or the champion's", "Han 2019 II, table II", Start,
    ),
    MethodCard(
        "fresh-head", "the champion's encoder, and a fresh head", "parameter", BOTH, (), True,
        "speaker_size=0 or the champion's", "Han 2019 IV.B", Start,
    ),
    MethodCard(
        "fresh-encoder", "nothing but the champion's convolutions: a control", "parameter", BOTH, (), True,
        "speaker_size=0 or the champion's", "", Start, ("makiuchi-speech",),
    ),
)  # fmt: skip

#: Every method by its name in plans.
CARDS: dict[str, MethodCard] = {card.name: card for card in _TABLE}


def check(
    plan: AdaptationPlan,
    *,
    has_target: bool,
    has_source: bool,
    has_unlabelled: bool,
    has_teacher: bool,
    new_classes: bool,
    kind: str,
) -> None:
    """Raise an error for a plan that cannot be.

    `PlanInvalid` for unknown methods and new classes they cannot have, `ModelUnsupported` for a kind of model that
    they do not suit, `DataLacking` for lack of data.
    """
    given = {LABELS: has_target, SOURCE: has_source, HEARD: has_target or has_unlabelled, TEXT: has_teacher}
    if len(set(plan.names)) < len(plan.names) or len(set(plan.names) & set(STARTS)) > 1:
        raise PlanInvalid("a plan names a method once, and one start at most")
    for choice in plan.methods:
        card = card_of(choice)
        if new_classes and not card.new_classes:
            raise PlanInvalid(f"{card.name} takes the classes of source and target for the same, the plan's differ")
        if kind not in card.kinds:
            suits = ", ".join(one.name for one in CARDS.values() if kind in one.kinds)
            raise ModelUnsupported(f"{card.name} is not for {kind} models", hint=f"For these there are {suits}.")
        for need in card.needs:
            if not given[need]:
                raise DataLacking(f"{card.name} needs {need}, and there is none")


def card_of(choice: MethodChoice) -> MethodCard:
    """The method of a choice; raises `PlanInvalid`."""
    if choice.name not in CARDS:
        raise PlanInvalid(f"there is no method {choice.name}; there are {', '.join(CARDS)}")
    return CARDS[choice.name]


def hears_target(plan: AdaptationPlan) -> bool:
    """Whether a method of the plan learns from audio of the new corpus that nobody has labelled."""
    return any(HEARD in card_of(choice).needs for choice in plan.methods)


def build(choice: MethodChoice, work: Work) -> Method:
    """The method of a choice, prepared on the data; raises `PlanInvalid` for settings that it does not have."""
    try:
        return card_of(choice).make(work, **choice.settings)
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
        "models",
        "settings",
        "source",
    )
    own: list[tuple[str, ...]] = [
        (c.name, c.does, c.transfers, c.situations, ", ".join(c.needs) or "labels of any corpus",
         "yes" if c.new_classes else "no", "all" if c.kinds == KINDS else ", ".join(c.kinds), c.settings, c.paper)
        for c in CARDS.values()
    ]  # fmt: skip
    return [header, *own]
