"""Reading a profile from its TOML file, with a sentence about whatever in it cannot be used."""

import math
import re
import tomllib
from pathlib import Path
from typing import Any

from ml.emotions import EMOTIONS
from ml.profiles.errors import ProfileInvalid
from ml.profiles.profile import Profile, Transcription
from ml.profiles.sides import BundleSide, HubSide, Side, SideName

FOLDER = Path(__file__).parent
#: What a location begins with that names a bundle below the folder of models trained on this machine.
TRAINED = "trained:"
_ENTRIES = {"name", "labels", "needs", "speech", "text", "fusion", "transcription"}
_HUB_ENTRIES = {"checkpoint", "labels", "languages", "temperature", "licence"}


def shipped_profiles() -> list[str]:
    """Names of the profiles that come with Tenor and work as they are."""
    return [name for name, needs in _shipped().items() if needs is None]


def conditional_profiles() -> dict[str, str]:
    """Profiles that come with Tenor but need something first, with what that is."""
    return {name: needs for name, needs in _shipped().items() if needs is not None}


def _shipped() -> dict[str, str | None]:
    return {path.stem: _needs(_toml(path), None) for path in sorted(FOLDER.glob("*.toml"))}


def load_profile(name: str, *, trained: Path | None = None) -> Profile:
    """Read a bundled profile by name, or a TOML file by path; raises `ProfileInvalid`.

    `trained` is the folder of models that were trained on this machine: `trained:RUN/…` lies in it.
    """
    path = Path(name).expanduser() if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file() or (path.parent != FOLDER and not name.endswith(".toml")):
        more = "".join(f"; {other} ({needs})" for other, needs in conditional_profiles().items())
        raise ProfileInvalid(f"there is no profile {name}; bundled are {', '.join(shipped_profiles())}{more}")
    fields = _toml(path)
    if unknown := fields.keys() - _ENTRIES:
        raise ProfileInvalid(f"profile {path.name} has unknown entries: {', '.join(sorted(unknown))}")
    labels = fields.get("labels", list(EMOTIONS))
    if not isinstance(labels, list) or not labels or not set(map(str, labels)) <= set(EMOTIONS):
        raise ProfileInvalid(f"labels of profile {path.name} have to be some of {', '.join(EMOTIONS)}")
    speech = _side(fields, "speech", path, trained)
    if speech is None:
        raise ProfileInvalid(f"profile {path.name} names no speech bundle; add [speech] with bundle = …")
    w_speech, w_text = _weight(fields, "w_speech", path), _weight(fields, "w_text", path)
    if w_speech + w_text == 0:
        raise ProfileInvalid(f"profile {path.name} gives both sides of the fusion the weight 0")
    return Profile(
        name=str(fields.get("name", path.stem)),
        # In canonical order whatever the file says, so that the same set is the same version.
        labels=tuple(label for label in EMOTIONS if label in labels),
        speech=speech,
        text=_side(fields, "text", path, trained),
        w_speech=w_speech,
        w_text=w_text,
        transcription=_transcription(fields, path),
        needs=_needs(fields, trained),
    )


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ProfileInvalid(f"profile {path.name} is not valid TOML: {exc}") from exc
    except OSError as exc:
        raise ProfileInvalid(f"profile {path.name} cannot be read ({type(exc).__name__})") from exc


def _transcription(fields: dict[str, Any], profile: Path) -> Transcription | None:
    table = fields.get("transcription")
    if table is None:
        return None
    checkpoint = table.get("checkpoint") if isinstance(table, dict) else None
    language = table.get("language") if isinstance(table, dict) else None
    if not isinstance(checkpoint, str) or not checkpoint or table.keys() - {"checkpoint", "language"}:
        raise ProfileInvalid(
            f"[transcription] of profile {profile.name} names a checkpoint and perhaps a language, nothing else"
        )
    if language is not None and not (isinstance(language, str) and re.fullmatch(r"[a-z]{2,3}", language)):
        raise ProfileInvalid(f'[transcription] language of profile {profile.name} has to be a code like "en"')
    return Transcription(_checkpoint(checkpoint, profile), language)


def _checkpoint(written: str, profile: Path) -> str:
    """A folder beside the profile's file goes before a Hub id of that name."""
    folder = profile.parent / Path(written).expanduser()
    return str(folder.resolve()) if folder.is_dir() else written


def _side(fields: dict[str, Any], side: SideName, profile: Path, trained: Path | None) -> Side | None:
    """One side: a bundle, or a published classifier; None where the profile has no such side."""
    if side not in fields:
        return None
    table = fields[side]
    if isinstance(table, dict) and "checkpoint" in table:
        return _hub_side(table, side, profile)
    location = table.get("bundle") if isinstance(table, dict) else None
    if not isinstance(location, str) or not location or table.keys() != {"bundle"}:
        raise ProfileInvalid(
            f"[{side}] of profile {profile.name} has to name a bundle, as in mini.toml, or a checkpoint, as in hub.toml"
        )
    if location.startswith(TRAINED):
        below = Path(location.removeprefix(TRAINED))
        if below.is_absolute() or not below.parts or ".." in below.parts:
            raise ProfileInvalid(f"[{side}] of profile {profile.name}: {TRAINED} takes a path below the trained models")
        return BundleSide(str(trained / below) if trained else location, training=_needs(fields, trained))
    if ":" in location or Path(location).is_absolute():
        return BundleSide(location)
    return BundleSide(str((profile.parent / location).resolve()))


def _needs(fields: dict[str, Any], trained: Path | None) -> str | None:
    """What a profile needs first; `{trained}` in it is the folder of models trained here."""
    needs = fields.get("needs")
    return None if needs is None else str(needs).replace("{trained}", str(trained or "TENOR_HOME/models"))


def _hub_side(table: dict[str, Any], side: SideName, profile: Path) -> HubSide:
    def wrong(what: str) -> ProfileInvalid:
        return ProfileInvalid(f"[{side}] of profile {profile.name}: {what}")

    if unknown := table.keys() - _HUB_ENTRIES:
        raise wrong(f"unknown entries {', '.join(sorted(unknown))}")
    checkpoint, labels, languages = table["checkpoint"], table.get("labels"), table.get("languages", [])
    if not isinstance(checkpoint, str) or not checkpoint:
        raise wrong("checkpoint has to be a folder or a Hub id")
    if not isinstance(labels, dict) or not all(isinstance(to, str) for to in labels.values()):
        raise wrong(f'a checkpoint needs [{side}.labels], as in `anger = "angry"`')
    if not isinstance(languages, list) or not all(re.fullmatch(r"[a-z]{2,3}", str(one)) for one in languages):
        raise wrong('languages have to be codes like "en"')
    temperature = table.get("temperature", 1.0)
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not 0 < temperature < math.inf:
        raise wrong("temperature has to be a number above 0")
    licence = {"stated_licence": str(table["licence"])} if "licence" in table else {}
    return HubSide(_checkpoint(checkpoint, profile), labels, tuple(languages), float(temperature), **licence)


def _weight(fields: dict[str, Any], name: str, profile: Path) -> float:
    table = fields.get("fusion", {})
    weight = table.get(name, 1.0) if isinstance(table, dict) else None
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < math.inf:
        raise ProfileInvalid(f"[fusion] {name} of profile {profile.name} has to be a number, 0 or more")
    return float(weight)
