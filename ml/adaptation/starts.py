"""What training begins with: the champion as it is, or with parts that are new.

Han, Zhao, Wang 2019, sections III.B and IV: parameters are shared where the tasks are related. A start is part of a
plan's methods: `fresh-head`, `fresh-encoder`, `ctc-start`; `gender-start` brings a fresh head with it.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from transformers import Wav2Vec2Model

from ml.adaptation.errors import ModelUnsupported, PlanInvalid
from ml.adaptation.heads import Head
from ml.adaptation.label_set import remapped
from ml.adaptation.network import Champion, SpeechNetwork
from ml.adaptation.plan import AdaptationPlan
from ml.emotions import EMOTIONS
from ml.encoders.source import weights_sha256
from ml.encoders.speech import SpeechEncoder
from ml.inference.makiuchi import MakiuchiSpeech
from ml.quiet import quiet

STARTS = ("fresh-head", "fresh-encoder", "ctc-start", "gender-start")


@dataclass(frozen=True, slots=True)
class Began:
    """A model before its first step."""

    champion: Champion
    labels: tuple[str, ...]
    #: Whether the encoder is no longer the one that the parent's bundle names.
    changed: bool
    #: Whether the read-out of an encoder's frames has to be fitted first.
    unread: bool
    temperature: float


def begin(plan: AdaptationPlan, champion: Champion, device: str) -> Began:
    """The champion, or what the plan's start makes of it, with the plan's classes. Draws from torch's generator."""
    torch.manual_seed(plan.seed)
    labels = champion.labels if plan.labels is None else tuple(label for label in EMOTIONS if label in plan.labels)
    fresh = changed = unread = False
    for choice in plan.methods:
        if choice.name == "ctc-start":
            champion, fresh = _from_ctc(champion, str(choice.settings.get("checkpoint", "")), device), True
            unread = bool(champion.network.ears.below)
        elif choice.name == "fresh-encoder":
            champion, fresh, changed = _fresh_encoder(champion), True, True
        elif choice.name in ("fresh-head", "gender-start"):
            fresh = True
    head = champion.speech.head
    if fresh:
        head = champion.network.ears.fresh(len(labels), speaker_size=_speaker_size(plan))
    elif labels != champion.labels:
        head = remapped(head, champion.labels, labels)
    kept = not fresh and labels == champion.labels
    own = _with_head(champion, head.to(device), device)
    return Began(own, labels, changed, unread, float(champion.side["temperature"]) if kept else 1.0)


def _speaker_size(plan: AdaptationPlan) -> int | None:
    """What a fresh start says of it; 0 leaves the speaker out."""
    for choice in plan.methods:
        if "speaker_size" in choice.settings:
            return int(choice.settings["speaker_size"])
    return None


def _with_head(champion: Champion, head: Head, device: str) -> Champion:
    speech = replace(champion.speech, head=head)
    network = SpeechNetwork(champion.network.encoder, _weights(champion), head).to(device)
    return Champion(champion.side, speech, network)


def _weights(champion: Champion) -> torch.Tensor | None:
    own = champion.network.layer_weights
    return None if own is None else own.detach().clone()


def _from_ctc(champion: Champion, source: str, device: str) -> Champion:
    """The encoder of a speech recogniser (`Wav2Vec2ForCTC`) in place of the champion's; its letters are not used.

    SpeechBrain measured recognisers' encoders as worse starts than self-supervised ones on IEMOCAP (4 points).
    """
    if not source:
        raise PlanInvalid("ctc-start names no checkpoint", hint="Say which: checkpoint = a folder or a Hub id.")
    with quiet():
        encoder = SpeechEncoder.load(source, device=device)
    layers = encoder.model.config.num_hidden_layers + 1
    weights = torch.ones(layers, device=device)
    config: dict[str, Any] = dict(champion.side["config"]) | {
        "encoder": {"source": source, "sha256": weights_sha256(source)},
        "do_normalize": True,
        "centred": False,
    }
    head = champion.network.ears.fresh(len(champion.labels), input_size=encoder.hidden_size).to(device)
    speech = MakiuchiSpeech(encoder, weights.cpu().numpy(), head, 1.0)
    return Champion(dict(champion.side) | {"config": config}, speech, SpeechNetwork(encoder.model, weights, head))


def _fresh_encoder(champion: Champion) -> Champion:
    """The convolutions as they are, everything above them at random: no label that the champion saw is left.

    That holds for encoders whose convolutions were trained without labels.
    """
    encoder = champion.speech.encoder
    if not isinstance(encoder, SpeechEncoder) or "source" in champion.side["config"]["encoder"]:
        raise ModelUnsupported("only an encoder that lies in its bundle can begin anew")
    model = Wav2Vec2Model(encoder.model.config)
    model.feature_extractor.load_state_dict(encoder.model.feature_extractor.state_dict())
    device = next(encoder.model.parameters()).device
    anew = SpeechEncoder(model.to(device), do_normalize=encoder.do_normalize, centred=encoder.centred)
    weights = nn.Parameter(torch.ones(model.config.num_hidden_layers + 1, device=device))
    speech = replace(champion.speech, encoder=anew, layer_weights=weights.detach().cpu().numpy())
    return Champion(champion.side, speech, SpeechNetwork(anew.model, weights.detach(), speech.head))
