"""Versions of profiles, and which of them is champion: the one that jobs enqueued from now on pin.

A champion comes about in two ways: somebody changes the profile's file, or a challenger passes the gate. While the file
says what it said before, a promotion stands.
"""

import hashlib
import json
from typing import Any

from sqlalchemy import Connection, text

from db.errors import NotFound
from ml.profiles import Profile
from workers.errors import NoEarlierChampion


def ensure_version(conn: Connection, profile: Profile) -> int:
    """The version that a new job of the profile pins: its champion, which is what its file says where that is new."""
    spec, fingerprint = profile.resolve(), profile.fingerprint()
    conn.execute(text("INSERT INTO profiles (name) VALUES (:n) ON CONFLICT DO NOTHING"), {"n": profile.name})
    known = conn.execute(
        text("SELECT id, champion_id, written_id FROM profiles WHERE name = :n FOR UPDATE"), {"n": profile.name}
    ).one()
    written = add_version(conn, known.id, spec, fingerprint)
    if written == known.written_id and known.champion_id is not None:
        return int(known.champion_id)
    conn.execute(text("UPDATE profiles SET written_id = :v WHERE id = :p"), {"v": written, "p": known.id})
    if written != known.champion_id:
        crown(conn, known.id, written, why="the profile's file says so")
    return written


def add_version(conn: Connection, profile_id: int, spec: dict[str, Any], fingerprint: str | None = None) -> int:
    """The version of a profile with that specification, made where it is not there. The profile's row is locked."""
    fingerprint = fingerprint or hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()
    found = conn.execute(
        text("SELECT id FROM profile_versions WHERE profile_id = :p AND fingerprint = :f"),
        {"p": profile_id, "f": fingerprint},
    ).scalar()
    if found is not None:
        return int(found)
    made = conn.execute(
        text("""
            INSERT INTO profile_versions (profile_id, version, fingerprint, spec, label_set)
            VALUES (:p, (SELECT coalesce(max(version), 0) + 1 FROM profile_versions WHERE profile_id = :p),
                    :f, CAST(:spec AS jsonb), :labels) RETURNING id
        """),
        {"p": profile_id, "f": fingerprint, "spec": json.dumps(spec), "labels": list(spec["labels"])},
    ).scalar_one()
    conn.execute(text("SELECT add_profile_version_partition(:v)"), {"v": made})
    for side in ("speech", "text"):
        if side in spec:
            conn.execute(
                text("""
                    INSERT INTO models (kind, name, sha256, location, licence, meta)
                    VALUES (:kind, :name, :sha256, :location, :licence, CAST(:meta AS jsonb))
                    ON CONFLICT DO NOTHING
                """),
                {**{k: spec[side][k] for k in ("kind", "name", "sha256", "location", "licence")},
                 "meta": json.dumps(spec[side])},
            )  # fmt: skip
    return int(made)


def crown(
    conn: Connection,
    profile_id: int,
    version_id: int,
    *,
    why: str,
    by: str | None = None,
    run_id: int | None = None,
    back: bool = False,
) -> int | None:
    """Make a version champion and write down why; returns the one before. Jobs that run keep theirs.

    `by` is the person who said so, None where the gate or the profile's file did.
    """
    before = conn.execute(
        text("SELECT champion_id FROM profiles WHERE id = :p FOR UPDATE"), {"p": profile_id}
    ).scalar_one()
    conn.execute(text("UPDATE profiles SET champion_id = :v WHERE id = :p"), {"v": version_id, "p": profile_id})
    conn.execute(
        text("INSERT INTO events (kind, detail) VALUES ('champion', CAST(:detail AS jsonb))"),
        {
            "detail": json.dumps(
                {
                    "profile_id": profile_id,
                    "from": before,
                    "to": version_id,
                    "why": why,
                    "by": by,
                    "run_id": run_id,
                    "back": back,
                }
            )
        },
    )
    return None if before is None else int(before)


def roll_back(
    conn: Connection, profile_id: int, *, to: int | None = None, why: str, by: str | None = None
) -> tuple[int, int]:
    """Crown the champion before the present one, or the version of that number; returns ids (before, now).

    Raises `NoEarlierChampion`, or `NotFound` for a number that the profile does not have.
    """
    present = conn.execute(
        text("SELECT champion_id FROM profiles WHERE id = :p FOR UPDATE"), {"p": profile_id}
    ).scalar_one()
    if to is not None:
        target = version_id(conn, profile_id, to)
    else:
        found = conn.execute(
            text("""
                SELECT CAST(detail ->> 'from' AS bigint) FROM events
                 WHERE kind = 'champion' AND detail ->> 'profile_id' = CAST(:p AS text)
                   AND detail ->> 'to' = CAST(:present AS text) AND detail ->> 'from' IS NOT NULL
                   AND detail ->> 'back' = 'false'
                 ORDER BY id DESC LIMIT 1
            """),
            {"p": str(profile_id), "present": str(present)},
        ).scalar()
        if found is None:
            raise NoEarlierChampion("this profile had no champion before the present one")
        target = int(found)
    crown(conn, profile_id, target, why=why, by=by, back=True)
    return int(present), target


def version_id(conn: Connection, profile_id: int, number: int) -> int:
    """The id of a profile's version by number; raises `NotFound`."""
    found = conn.execute(
        text("SELECT id FROM profile_versions WHERE profile_id = :p AND version = :n"), {"p": profile_id, "n": number}
    ).scalar()
    if found is None:
        raise NotFound(f"the profile has no version {number}", hint="`tenor models list` shows those there are.")
    return int(found)


def profile_id(conn: Connection, name: str) -> int:
    """The id of a profile by name; raises `NotFound`."""
    found = conn.execute(text("SELECT id FROM profiles WHERE name = :n"), {"n": name}).scalar()
    if found is None:
        raise NotFound(
            f"nothing was ever enqueued with a profile {name}", hint="`tenor models list` shows those there are."
        )
    return int(found)
