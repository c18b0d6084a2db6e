"""What the Tab key offers beyond options: numbers of jobs and runs, paths of recordings, names of profiles, versions.

A shell waits for this and shows nothing but the answer, so whatever goes wrong offers nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

#: The newest so many; a menu that is longer helps nobody.
LIMIT = 20
PROFILES = Path(__file__).parents[2] / "ml" / "profiles"

Offer = list[tuple[str, str]]


def jobs(incomplete: str) -> Offer:
    """Newest jobs first, with their state and archive."""
    found = _rows(
        "SELECT j.id, j.state, regexp_replace(a.url, '^.*/', '') FROM jobs j JOIN archives a ON a.id = j.archive_id"
        " ORDER BY j.id DESC LIMIT :limit"
    )
    return [(str(number), f"{state}: {name}") for number, state, name in found if str(number).startswith(incomplete)]


def recordings(incomplete: str) -> Offer:
    """Analysed recordings by their paths in the archives, the newest first."""
    found = _rows(
        "SELECT f.path, regexp_replace(a.url, '^.*/', '') FROM archive_files f JOIN archives a ON a.id = f.archive_id"
        " WHERE starts_with(f.path, :incomplete) AND EXISTS (SELECT FROM job_recordings jr"
        "       WHERE jr.file_id = f.id AND jr.state = 'done') ORDER BY f.id DESC LIMIT :limit",
        incomplete=incomplete,
    )
    return [(path, f"of {name}") for path, name in found]


def runs(incomplete: str) -> Offer:
    """Newest retraining runs first."""
    found = _rows(
        "SELECT r.id, r.state, p.name FROM training_runs r JOIN profiles p ON p.id = r.profile_id"
        " ORDER BY r.id DESC LIMIT :limit"
    )
    return [(str(number), f"{state}: {name}") for number, state, name in found if str(number).startswith(incomplete)]


def profiles(incomplete: str) -> Offer:
    """Bundled profiles, and those that the database knows."""
    known = {str(name) for (name,) in _rows("SELECT name FROM profiles ORDER BY name LIMIT :limit")}
    bundled = {path.stem for path in PROFILES.glob("*.toml")}
    return [
        (name, "bundled" if name in bundled else "used before")
        for name in sorted(bundled | known)
        if name.startswith(incomplete)
    ]


def versions(ctx: typer.Context, incomplete: str) -> Offer:
    """Versions of the profile that was typed before, or of the job's."""
    found = _rows(
        """
        SELECT v.version, v.id = p.champion_id, to_char(v.created_at, 'YYYY-MM-DD')
          FROM profile_versions v JOIN profiles p ON p.id = v.profile_id
         WHERE p.name = :profile OR p.id = (SELECT w.profile_id FROM jobs j
                                              JOIN profile_versions w ON w.id = j.profile_version_id WHERE j.id = :job)
         ORDER BY v.version DESC LIMIT :limit
        """,
        profile=ctx.params.get("profile"),
        job=ctx.params.get("job"),
    )
    return [
        (str(number), ("champion, " if champion else "") + f"of {day}")
        for number, champion, day in found
        if str(number).startswith(incomplete)
    ]


def _rows(query: str, **values: object) -> Sequence[Sequence[Any]]:
    try:
        from sqlalchemy import text

        from db.engine import make_engine, reading
        from ops.access import look
        from workers.settings import load_settings

        with reading(make_engine(look(load_settings()).database_url)) as conn:
            return conn.execute(text(query), {"limit": LIMIT, **values}).all()
    except Exception:
        return []
