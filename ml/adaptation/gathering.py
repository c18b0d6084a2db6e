"""Gathering what an adaptation learns from: items of three kinds, their keys, voices and frames."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.adaptation.bank import FrameBank, digest, frame_bank
from ml.adaptation.errors import DataLacking
from ml.adaptation.material import SOURCE, TARGET, UNLABELLED, Material, held_speakers, soft_targets
from ml.adaptation.network import Champion
from ml.adaptation.plan import AdaptationPlan
from ml.adaptation.voices import Embed, Vectors, speaker_vectors
from ml.corpora.manifest import Manifest
from ml.corpora.types import LabelledUtterance

#: Told what is prepared, how many items are done, and of how many.
Counted = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Gathered:
    """Items with their parts and content keys, in one order: target, source, unlabelled."""

    items: tuple[LabelledUtterance, ...]
    part: tuple[int, ...]
    keys: tuple[str, ...]

    @classmethod
    def of(
        cls, target: Manifest | None, source: Sequence[Manifest], unlabelled: Sequence[LabelledUtterance]
    ) -> "Gathered":
        """All items with audio; raises `DataLacking` when there are none."""
        rows: list[tuple[LabelledUtterance, int, str]] = []
        for manifest, part in ((target, TARGET), *((one, SOURCE) for one in source)):
            if manifest is not None:
                pairs = zip(manifest.items, manifest.audio_sha256, strict=True)
                rows += [(item, part, digest(sha, item.start_s, item.end_s)) for item, sha in pairs if sha]
        hashes: dict[Path, str] = {}
        for item in unlabelled:
            if item.audio_path is not None:
                sha = hashes.setdefault(item.audio_path, "") or _hash(item.audio_path)
                hashes[item.audio_path] = sha
                rows.append((item, UNLABELLED, digest(sha, item.start_s, item.end_s)))
        if not rows:
            raise DataLacking("there is no utterance with audio to learn from")
        items, parts, keys = zip(*rows, strict=True)
        return cls(tuple(items), tuple(parts), tuple(keys))

    def fingerprint(self) -> str:
        """Hash over content, labels and parts."""
        said = [
            (key, item.label, item.distribution, item.speaker) for key, item in zip(self.keys, self.items, strict=True)
        ]
        return digest(*said, *self.part)

    def kept(self, lengths: Sequence[int]) -> "Gathered":
        """Without those that are too short to give a frame."""
        long = [i for i, frames in enumerate(lengths) if frames > 0]
        return Gathered(*(tuple(values[i] for i in long) for values in (self.items, self.part, self.keys)))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Banks:
    """Frames that the head reads, and, where the encoder is to learn, what its convolutions give."""

    frames: FrameBank
    conv: FrameBank | None


def banks(
    champion: Champion, gathered: Gathered, folder: Path, *, conv: bool, identity: str, counted: Counted
) -> Banks:
    """Made once in `folder`; `identity` says which encoder it is."""

    def bank(kind: str) -> FrameBank:
        name = f"{kind}-{digest(identity, *gathered.keys)}"
        make = champion.frames if kind == "frames" else champion.convolved
        return frame_bank(folder, name, gathered.items, make, counted=lambda done, of: counted(kind, done, of))

    has_encoder = champion.network.encoder is not None
    return Banks(bank("frames"), bank("conv") if conv and has_encoder else None)


def material(
    gathered: Gathered,
    champion: Champion,
    labels: Sequence[str],
    plan: AdaptationPlan,
    folder: Path,
    *,
    voices: Vectors,
    embed: Embed | None,
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
        vectors = np.stack([own[item.speaker] for item in gathered.items])
    classes = np.where(labelled, targets.argmax(axis=1), -1)
    speakers = [item.speaker for item in gathered.items]
    held = held_speakers(part, classes, speakers, plan.development, plan.seed)
    return Material(gathered.items, part, targets, np.asarray(labelled, dtype=np.float32), vectors, held)


def _hash(path: Path) -> str:
    with path.open("rb") as audio:
        return hashlib.file_digest(audio, "sha256").hexdigest()
