"""Versions as retraining meets them: the one to beat, and engines to measure with, which are nobody else's."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, text

from workers import context
from workers.errors import RunRefused

if TYPE_CHECKING:
    from ml.gate.voices import KeptVoices
    from ml.inference.engine import Engine


@dataclass(frozen=True, slots=True)
class Version:
    """A profile version: its id, its number and its specification."""

    id: int
    number: int
    spec: dict[str, Any]


def champion(conn: Connection, profile_id: int) -> Version:
    """The profile's present champion; raises `RunRefused` where it has none."""
    row = conn.execute(
        text("""
            SELECT v.id, v.version, v.spec FROM profiles p JOIN profile_versions v ON v.id = p.champion_id
             WHERE p.id = :p
        """),
        {"p": profile_id},
    ).one_or_none()
    if row is None:
        raise RunRefused("no_champion", "nothing was enqueued with this profile yet, so there is nothing to improve on")
    return Version(row.id, row.version, row.spec)


def version(conn: Connection, version_id: int) -> Version:
    """A version by id."""
    row = conn.execute(
        text("SELECT id, version, spec FROM profile_versions WHERE id = :id"), {"id": version_id}
    ).one()  # fmt: skip
    return Version(row.id, row.version, row.spec)


def device() -> str:
    """Where retraining computes."""
    from ml.device import torch_device

    return torch_device(context.settings().retrain_device)


def engine(spec: dict[str, Any]) -> "Engine":
    """The models of a specification, loaded for this stage alone."""
    import torch

    from ml.inference.engine import Engine

    torch.set_num_threads(context.settings().torch_threads)
    return Engine.load(spec, device())


def embed() -> "KeptVoices":
    """What hears voices, each utterance once for all runs."""
    from ml.gate.voices import KeptVoices

    return KeptVoices(context.settings().models / "voices-heard")
