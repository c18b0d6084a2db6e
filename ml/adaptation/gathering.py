"""Gathering what an adaptation learns from: items of three kinds, their keys, voices and frames."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ml.adaptation.bank import FrameBank, Waves, digest, heard, kept, weights_digest
from ml.adaptation.errors import DataLacking
from ml.adaptation.heads import LONGEST
from ml.adaptation.material import SOURCE, TARGET, UNLABELLED, Material, held_speakers, soft_targets
from ml.adaptation.network import Champion, SpeechNetwork
from ml.adaptation.plan import AdaptationPlan
from ml.adaptation.voices import Vectors, speaker_vectors
from ml.alignment.voice import Hear
from ml.corpora.manifest import Manifest
from ml.corpora.types import LabelledUtterance
from ml.encoders.speech import SpeechEncoder

#: Told what is prepared, how many items are done, and of how many.
Counted = Callable[[str, int, int], None]
Make = Callable[[Waves], list[NDArray[np.float32]]]
#: Keys and items of one data set.
Group = tuple[Sequence[str], Sequence[LabelledUtterance]]


@dataclass(frozen=True, slots=True)
class Gathered:
    """Items with their parts and content keys, in one order: target, source, unlabelled."""

    items: tuple[LabelledUtterance, ...]
    part: tuple[int, ...]
    keys: tuple[str, ...]
    #: Which data set each is of: one number for the target, one for each source, one for what is unlabelled.
    group: tuple[int, ...]

    @classmethod
    def of(
        cls, target: Manifest | None, source: Sequence[Manifest], unlabelled: Sequence[LabelledUtterance]
    ) -> "Gathered":
        """All items with audio, once each; raises `DataLacking` when there are none."""
        rows: list[tuple[LabelledUtterance, int, str, int]] = []
        labelled = ((target, TARGET), *((one, SOURCE) for one in source))
        for number, (manifest, part) in enumerate(labelled):
            if manifest is not None:
                pairs = zip(manifest.items, manifest.audio_sha256, strict=True)
                rows += [(item, part, digest(sha, item.start_s, item.end_s), number) for item, sha in pairs if sha]
        # What is labelled too is heard as labelled: else those who decide when to stop would be heard in training.
        known = {key for _, _, key, _ in rows}
        hashes: dict[Path, str] = {}
        for item in unlabelled:
            if item.audio_path is None:
                continue
            if item.audio_path not in hashes:
                hashes[item.audio_path] = _hash(item.audio_path)
            key = digest(hashes[item.audio_path], item.start_s, item.end_s)
            if key not in known:
                rows.append((item, UNLABELLED, key, len(labelled)))
        if not rows:
            raise DataLacking("there is no utterance with audio to learn from")
        items, parts, keys, numbers = zip(*rows, strict=True)
        return cls(tuple(items), tuple(parts), tuple(keys), tuple(numbers))

    def groups(self) -> list[Group]:
        """Keys and items of each data set, in order."""
        found: list[Group] = []
        for number in sorted(set(self.group)):
            rows = [row for row, own in enumerate(self.group) if own == number]
            found.append(([self.keys[row] for row in rows], [self.items[row] for row in rows]))
        return found

    def fingerprint(self) -> str:
        """Hash over content, labels and parts."""
        said = [
            (key, item.label, item.distribution, item.speaker) for key, item in zip(self.keys, self.items, strict=True)
        ]
        return digest(*said, *self.part)

    def kept(self, lengths: Sequence[int]) -> "Gathered":
        """Without those that are too short to give a frame."""
        long = [i for i, frames in enumerate(lengths) if frames > 0]
        return Gathered(*(tuple(values[i] for i in long) for values in (self.items, self.part, self.keys, self.group)))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Banks:
    """What the head reads, and what it was made of: the convolutions' output, None for mel frames."""

    frames: FrameBank
    conv: FrameBank | None


def banks(
    champion: Champion, gathered: Gathered, folder: Path, counted: Counted = lambda _kind, _done, _of: None
) -> Banks:
    """Made once in `folder`. All is decoded once: frames are made of what the convolutions gave."""
    network, groups = champion.network, gathered.groups()
    if network.encoder is None:
        kind = "-".join(["mel", *_own(network)])
        return Banks(_bank(folder, kind, groups, partial(_mel, champion), partial(counted, "features")), None)
    encoder = champion.speech.encoder
    assert isinstance(encoder, SpeechEncoder)
    below = digest(
        weights_digest(network.encoder.feature_extractor.state_dict()), encoder.do_normalize, encoder.centred
    )
    conv = _bank(folder, f"conv-{below}", groups, champion.convolved, partial(counted, "features"))
    state = network.state_dict().items()
    above = digest(below, weights_digest({n: t for n, t in state if not n.startswith("head.")}), *_own(network))
    paths, first = [], 0
    for keys, items in groups:
        made = partial(_frames, network, conv, range(first, first + len(items)), partial(counted, "frames"))
        paths.append(kept(folder, f"frames-{digest(above, *keys)}", made))
        first += len(items)
    return Banks(FrameBank(paths), conv)


def _bank(
    folder: Path, kind: str, groups: Sequence[Group], make: Make, counted: Callable[[int, int], None]
) -> FrameBank:
    """A file for every group, so that another run with some of them finds them."""
    return FrameBank(
        [kept(folder, f"{kind}-{digest(*keys)}", partial(heard, items, make, counted)) for keys, items in groups]
    )


def _own(network: SpeechNetwork) -> list[str]:
    """What of the head decides what is kept, if anything."""
    return [weights_digest(network.ears.below)] if network.ears.below else []


def _mel(champion: Champion, waves: Waves) -> list[NDArray[np.float32]]:
    return [_read(champion.network, frames) for frames in champion.frames(waves)]


@torch.inference_mode()
def _read(network: SpeechNetwork, frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the head reads [T', width] of an utterance's frames [T, input]."""
    if not len(frames):
        return np.zeros((0, network.ears.reads), dtype=np.float32)
    values = torch.from_numpy(frames)[None].to(next(network.parameters()).device)
    mask = torch.ones(values.shape[:2], dtype=torch.bool, device=values.device)
    return network.ears.read(values, mask)[0][0].cpu().numpy()


@torch.inference_mode()
def _frames(
    network: SpeechNetwork, conv: FrameBank, numbers: range, counted: Callable[[int, int], None]
) -> Iterator[NDArray[np.float32]]:
    network.eval()
    device = next(network.parameters()).device
    for number in numbers:
        rows = [np.zeros((0, network.head.config.input_size), dtype=np.float32)]
        for piece in np.array_split(conv.rows(number), -(-max(1, int(conv.lengths[number])) // LONGEST)):
            if len(piece):
                mask = torch.ones(1, len(piece), dtype=torch.bool, device=device)
                rows.append(network.frames(torch.from_numpy(piece)[None].to(device), mask)[0].float().cpu().numpy())
        yield _read(network, np.concatenate(rows))
        if number % 100 == 99:
            counted(number + 1, len(conv.lengths))


def material(
    gathered: Gathered,
    champion: Champion,
    labels: Sequence[str],
    plan: AdaptationPlan,
    folder: Path,
    *,
    voices: Vectors,
    embed: Hear | None,
) -> Material:
    """Targets, weights, speaker vectors, and who decides when to stop; raises `DataLacking` without any label."""
    part = np.asarray(gathered.part, dtype=np.int64)
    targets = soft_targets(gathered.items, labels)
    # Labels of utterances that were given as unlabelled are not looked at, so that nobody is flattered by them.
    targets[part == UNLABELLED] = 0
    labelled = targets.any(axis=1)
    if not labelled.any():
        raise DataLacking(f"no utterance has a label of {', '.join(labels)}")
    size = champion.network.head.config.speaker_size
    vectors: NDArray[np.float32] = np.zeros((len(part), 0), dtype=np.float32)
    if size:
        own = speaker_vectors(gathered.items, gathered.keys, folder, known=voices, embed=embed)
        vectors = np.stack([own[item.speaker][:size] for item in gathered.items])
    classes = np.where(labelled, targets.argmax(axis=1), -1)
    speakers = [item.speaker for item in gathered.items]
    held = held_speakers(part, classes, speakers, plan.development, plan.seed)
    return Material(gathered.items, part, targets, np.asarray(labelled, dtype=np.float32), vectors, held)


def _hash(path: Path) -> str:
    with path.open("rb") as audio:
        return hashlib.file_digest(audio, "sha256").hexdigest()
