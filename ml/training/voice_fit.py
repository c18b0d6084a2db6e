"""Training of the voice classifier: several small networks on the same statistics, shipped as one wide one.

Each network sees other batches; the mean of their logits is again one network with one hidden layer. Speakers' usual
statistics are drawn from all of their utterances, from a few or from none, so that one model serves whoever is known.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.emotions import EMOTIONS
from ml.features.speaker import STATISTICS, usual
from ml.features.voice import F0_STATISTICS
from ml.models.voice import LIMIT, VoiceEmotionConfig, VoiceEmotionModel
from ml.training.voice_bank import FOUR, VoiceBank

#: As many utterances make a speaker's vector in production.
_MOST = 100


@dataclass(frozen=True, slots=True)
class FitPlan:
    """A fixed schedule: no held-out speaker decides anything."""

    members: int = 8
    hidden: int = 256
    steps: int = 1600
    #: Utterances that each network sees in a step.
    batch: int = 64
    rate: float = 2e-3
    weight_decay: float = 0.02
    #: Of the first network and of the last, evenly between: those that see less rely on what many statistics share.
    input_dropout: tuple[float, float] = (0.1, 0.3)
    noise: float = 0.1
    dropout: float = 0.5
    #: Both parameters of the beta distribution that pairs are mixed by (mixup, Zhang et al., ICLR 2018).
    mixing: float = 0.4
    #: Share of draws of a speaker's usual statistics over all utterances; the others are over some.
    of_all: float = 0.8
    #: Share of utterances by an unknown voice.
    unknown: float = 0.05
    #: How much the choice among the four classes counts that every corpus has, beside that among all.
    of_four: float = 0.5
    #: Draws per speaker.
    draws: int = 60
    #: Penalty of the map from measured to heard statistics, in utterances.
    ridge: float = 100.0


class Members(nn.Module):
    """Networks of one hidden layer, side by side."""

    def __init__(self, plan: FitPlan, classes: int) -> None:
        super().__init__()
        width, self._dropout = 2 * STATISTICS, plan.dropout

        def uniform(*shape: int) -> nn.Parameter:
            return nn.Parameter((torch.rand(*shape) * 2 - 1) / shape[1] ** 0.5)

        self.first = uniform(plan.members, width, plan.hidden)
        self.second = uniform(plan.members, plan.hidden, classes)
        self.first_bias = nn.Parameter(torch.zeros(plan.members, 1, plan.hidden))
        self.second_bias = nn.Parameter(torch.zeros(plan.members, 1, classes))

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits [members, B, classes] of [members, B, 2 · STATISTICS]."""
        hidden = torch.baddbmm(self.first_bias, inputs, self.first).relu()
        hidden = nn.functional.dropout(hidden, self._dropout, self.training)
        return torch.baddbmm(self.second_bias, hidden, self.second)

    @torch.no_grad()
    def write_to(self, classifier: nn.Sequential) -> None:
        """Make the classifier the mean of the networks."""
        state = {
            "0.weight": self.first.transpose(1, 2).flatten(0, 1),
            "0.bias": self.first_bias.flatten(),
            "2.weight": self.second.permute(2, 0, 1).flatten(1) / len(self.second),
            "2.bias": self.second_bias.mean(dim=0)[0],
        }
        classifier.load_state_dict(state)


def fit(
    bank: VoiceBank, training: NDArray[np.int64], readout: nn.Linear, plan: FitPlan, *, seed: int
) -> VoiceEmotionModel:
    """A model trained on the clips at these positions; the same for the same seed."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    classes = len(EMOTIONS)
    config = VoiceEmotionConfig(readout.in_features, hidden=plan.members * plan.hidden, classes=classes)
    model = VoiceEmotionModel(config)
    model.readout.load_state_dict(readout.state_dict())
    _standardise(model, bank, training, plan)
    rows = np.flatnonzero(np.isin(bank.owners, training))
    owners = bank.owners[rows]
    heard = model.standardised(torch.from_numpy(bank.versions[rows]))
    expected, whose = _expected(model, bank, training, plan, rng)
    voice = torch.from_numpy(np.array([whose[speaker] for speaker in bank.speakers[owners]]))
    raised = torch.from_numpy(bank.octaves[rows])[:, None] * _of_an_octave(model)
    labels = nn.functional.one_hot(torch.from_numpy(bank.labels[owners]), classes).float()
    doubt = _doubt(bank, training)[owners][:, None]
    targets = labels * (1 - doubt) + doubt / classes
    odds = sampling_odds(bank, rows)
    members = Members(plan, classes)
    optimiser = torch.optim.AdamW(members.parameters(), lr=plan.rate, weight_decay=plan.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.rate, total_steps=plan.steps)
    count = plan.members * plan.batch
    kept = 1 - torch.linspace(*plan.input_dropout, plan.members).repeat_interleave(plan.batch)[:, None]
    for _ in range(plan.steps):
        picked = torch.from_numpy(rng.choice(len(rows), size=count, p=odds))
        drawn = torch.from_numpy(rng.integers(plan.draws, size=count))
        known = expected[voice[picked], drawn] + raised[picked]
        known = known * torch.from_numpy(rng.random((count, 1)) >= plan.unknown)
        inputs = model.inputs(heard[picked], known)
        inputs = inputs + plan.noise * torch.randn_like(inputs)
        inputs = inputs * (torch.rand_like(inputs) < kept) / kept
        seen, wanted = (values.unflatten(0, (plan.members, -1)) for values in (inputs, targets[picked]))
        mixed, soft = _mixed(seen, wanted, plan.mixing, rng)
        loss = _loss(members(mixed), soft, plan.of_four) * plan.members
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    members.write_to(model.classifier)
    return model.eval()


def _doubt(bank: VoiceBank, training: NDArray[np.int64]) -> Tensor:
    """[N]: the share of a label that is spread over all classes, one over the number of people in its corpus.

    What is learned of fewer people holds for new ones less often, and the model has to be less sure of it.
    """
    corpora, speakers = bank.corpora[training], bank.speakers[training]
    people = {corpus: len(set(speakers[corpora == corpus])) for corpus in set(corpora)}
    return torch.tensor([1 / people.get(corpus, 1) for corpus in bank.corpora])


def _loss(logits: Tensor, targets: Tensor, of_four: float) -> Tensor:
    """Cross-entropy of [members, B, classes]; profiles may restrict themselves to four classes, so it counts too."""
    four = [EMOTIONS.index(name) for name in FOUR]
    narrow = targets[:, :, four] * logits[:, :, four].log_softmax(dim=2)
    return -(targets * logits.log_softmax(dim=2)).sum(dim=2).mean() - of_four * narrow.sum(dim=2).mean()


def _mixed(inputs: Tensor, targets: Tensor, mixing: float, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Every utterance of [members, B, …] with a part of another one of the same network's."""
    share = torch.from_numpy(rng.beta(mixing, mixing, (*inputs.shape[:2], 1))).float()
    other = torch.from_numpy(rng.permutation(inputs.shape[1]))
    return share * inputs + (1 - share) * inputs[:, other], share * targets + (1 - share) * targets[:, other]


def _standardise(model: VoiceEmotionModel, bank: VoiceBank, training: NDArray[np.int64], plan: FitPlan) -> None:
    """Fill in everything below the classifier; it is linear, and needs no label."""
    heard, measured = torch.from_numpy(bank.recorded[training]), torch.from_numpy(bank.measured[training])
    for values, mean, deviation in (
        (heard, model.mean, model.deviation),
        (measured, model.usual_mean, model.usual_deviation),
    ):
        mean.copy_(values.mean(dim=0))
        deviation.copy_(values.std(dim=0) + 1e-4)
    own = model.standardised(heard)
    others = ((measured - model.usual_mean) / model.usual_deviation).clamp(-LIMIT, LIMIT)
    penalty = plan.ridge * torch.eye(STATISTICS)
    model.usual_map.copy_(torch.linalg.solve(others.T @ others + penalty, others.T @ own))
    centred = own - torch.cat([model.expected(_all_known(bank, speaker)) for speaker in bank.speakers[training]])
    model.spread.copy_(centred.std(dim=0) + 1e-2)


def _all_known(bank: VoiceBank, speaker: str) -> Tensor:
    """[1, USUAL] as if endless utterances like a speaker's were known."""
    mean = bank.measured[bank.of(speaker)].mean(axis=0)
    return torch.from_numpy(np.concatenate([[1.0], mean]).astype(np.float32))[None]


def _expected(
    model: VoiceEmotionModel, bank: VoiceBank, training: NDArray[np.int64], plan: FitPlan, rng: np.random.Generator
) -> tuple[Tensor, dict[str, int]]:
    """Draws [speakers, draws, STATISTICS] of what is usual, and which row is whose."""
    speakers = sorted(set(bank.speakers[training]))
    drawn = []
    for speaker in speakers:
        own = bank.of(speaker)
        for draw in range(plan.draws):
            few = int(np.exp(rng.uniform(0, np.log(len(own)))))
            count = min(_MOST, len(own)) if draw < plan.of_all * plan.draws else few
            drawn.append(usual(list(bank.measured[rng.choice(own, count, replace=False)])))
    expected = model.expected(torch.from_numpy(np.stack(drawn)))
    return expected.unflatten(0, (len(speakers), plan.draws)), {name: row for row, name in enumerate(speakers)}


def _of_an_octave(model: VoiceEmotionModel) -> Tensor:
    """[STATISTICS]: what a voice an octave higher is expected to change."""
    change = torch.zeros(1, 1 + STATISTICS)
    change[0, 1 + torch.tensor(F0_STATISTICS)] = 1.0
    return model.expected(change)[0]


def sampling_odds(bank: VoiceBank, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Probability of each version, so that corpora, classes within them and clips within these are drawn evenly."""
    owners = bank.owners[rows]
    keys = [f"{corpus} {label}" for corpus, label in zip(bank.corpora[owners], bank.labels[owners], strict=True)]
    _, clips = np.unique(owners, return_inverse=True)
    odds = 1 / np.bincount(clips)[clips]
    for groups in (np.asarray(keys), bank.corpora[owners]):
        _, group = np.unique(groups, return_inverse=True)
        odds = odds / np.bincount(group, odds)[group]
    return np.asarray(odds / odds.sum())


#: How much is known of a speaker: the usual voice as production has it, this one utterance, nothing.
KNOWN = ("usual_voice", "one_utterance", "nothing")


@torch.inference_mode()
def judged(
    model: VoiceEmotionModel, bank: VoiceBank, rows: NDArray[np.int64], known: str = KNOWN[0]
) -> NDArray[np.float64]:
    """Logits [n, classes] of recordings, by how much is `KNOWN` of their speakers."""
    match known:
        case "usual_voice":
            means = {name: usual(list(bank.measured[bank.of(name)[:_MOST]])) for name in set(bank.speakers[rows])}
            vectors = [means[speaker] for speaker in bank.speakers[rows]]
        case "one_utterance":
            vectors = [usual([own]) for own in bank.measured[rows]]
        case _:
            vectors = [usual([])] * len(rows)
    heard = model.standardised(torch.from_numpy(bank.recorded[rows]))
    inputs = model.inputs(heard, model.expected(torch.from_numpy(np.stack(vectors))))
    return np.asarray(model.classifier(inputs).double().numpy())
