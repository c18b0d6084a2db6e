"""Weights that installed packages bring in formats of their own: used only when they are the ones this was tested with.

Some of these formats can carry code (TorchScript, torch's zip files), and a package that was replaced would run it.
So the bytes are compared before the package opens them.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from ml.errors import ModelError


class WeightsChanged(ModelError):
    """Weights that a package brings are missing or not those this was tested with."""

    code = "weights_changed"
    hint = "Run make setup again; it installs the packages in the versions that pyproject.toml names."


@dataclass(frozen=True, slots=True)
class Pinned:
    """Files of a package by path below it, each with the SHA-256 that it may have (one for each version in use)."""

    package: str
    files: dict[str, tuple[str, ...]]


#: TorchScript.
SILERO_VAD = Pinned(
    "silero_vad",
    {"data/silero_vad.jit": ("e1122837f4154c511485fe0b9c64455f7b929c96fbb8d79fbdb336383ebd3720",)},
)
#: torch's own format, which torch reads as weights only.
RESEMBLYZER = Pinned(
    "resemblyzer",
    {"pretrained.pt": ("39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",)},
)
#: numpy's, without pickle.
G2P_EN = Pinned(
    "g2p_en",
    {"checkpoint20.npz": ("b8af35e4596d8dd5836dfd3fe9b2ba4f97b9c311efe8879544cbcfcbd566d8c6",)},
)
#: numpy's, compressed, without pickle.
PY3LANGID = Pinned(
    "py3langid",
    {"data/model.npz.xz": ("f4f4a2c3465ca1f081541037f9cac23021d68151c2f709c55ae5eedfca522963",)},
)
#: Tables and text that a library in C reads. The dictionary differs between 5.1.1 and 5.0.4 (Python 3.12).
POCKETSPHINX = Pinned(
    "pocketsphinx",
    {
        "model/en-us/cmudict-en-us.dict": (
            "20b5c293e1f311fb375fe067e500ec5636f4fc7af5594967263696def9b23bfe",
            "cb01cf8b6a47f5a97ed46b01e96ea8a924d07d1abfd770f787836013df8537da",
        ),
        "model/en-us/en-us/feat.params": ("c982c5f75e2a30c34d2c9ef1f6b129a5a00e67e3e927565076b58664cc2404c9",),
        "model/en-us/en-us/mdef": ("2360f9a86889c1cfee8bd618a0269387911e5fb2920a594f506b18b8c79683b0",),
        "model/en-us/en-us/means": ("832019e32cac12eb318964f96f469034acb12d0348eeddc3831831a100cb4dd4",),
        "model/en-us/en-us/noisedict": ("7295b07df2c204c4f87c6782b6be1a3859d7006d4e3864181c955d6dab105a33",),
        "model/en-us/en-us/sendump": ("8c9564c0d5bef69ca9d9bf1014abe162f071644cf02cf1fa8a483c3dc165a7a8",),
        "model/en-us/en-us/transition_matrices": ("c1f7f28ea43177be734be1f88bd7f1b9a853d0e660f8599c67c6eaeca8bb539a",),
        "model/en-us/en-us/variances": ("b00d696f85e96834fc10f8e5f06428d8c4db6bffdbe5845b6f69bf6efbc48fa5",),
    },
)
ALL = (SILERO_VAD, RESEMBLYZER, G2P_EN, PY3LANGID, POCKETSPHINX)


def verify(pinned: Pinned) -> list[Path]:
    """The files' places, in their order; raises `WeightsChanged` unless each is one that is known."""
    spec = importlib.util.find_spec(pinned.package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise WeightsChanged(f"the package {pinned.package}, which brings weights, is not installed")
    found = []
    for name, known in pinned.files.items():
        path = Path(places[0]) / name
        try:
            with path.open("rb") as file:
                actual = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as exc:
            raise WeightsChanged(f"{path.name} of the package {pinned.package} cannot be read") from exc
        if actual not in known:
            raise WeightsChanged(f"{path.name} of the package {pinned.package} is not what this was tested with")
        found.append(path)
    return found
