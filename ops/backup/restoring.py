"""Bringing a back-up back: all of it or nothing, and never over data without being told to."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, text

from db.engine import make_engine, place
from db.migrate import head, is_known, upgrade
from db.roles import ensure_roles
from ops.backup import manifest as manifests
from ops.backup import postgres
from ops.backup.errors import BackupUnusable, RestoreFailed, RestoreRefused
from ops.backup.manifest import DATABASE, MODELS, SECRETS, Manifest
from ops.local import home as homes
from ops.local import services
from ops.local.programs import WORKERS
from ops.local.servers import Progress
from workers.settings import Settings

#: What was in the database before, until the back-up is in its place.
_BEFORE = "tenor_before_restore"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was brought back."""

    manifest: Manifest
    #: The revision that the schema has now; another one than the manifest's when it was migrated.
    schema: str
    models: int


def restore(
    backup: Path, settings: Settings, *, replace: bool = False, progress: Progress = lambda _: None
) -> Restored:
    """Restore a folder that `make` wrote into this home, or into the database that the settings name.

    The embedded Postgres is started, workers are not. Work that was open goes on when they are: what ran at that
    moment is taken up again. Raises `BackupUnusable`, `RestoreRefused` (data or workers are there), `RestoreFailed`,
    or what the services raise.
    """
    backup = backup.expanduser().absolute()
    manifest = manifests.read(backup)
    if not is_known(manifest.schema):
        raise BackupUnusable(
            f"the back-up is of a newer version of Tenor ({manifest.tenor}, schema {manifest.schema})",
            hint="Install that version or a newer one, and restore with it.",
        )
    progress("checking the back-up")
    manifests.check(backup, manifest)
    _require_rest(settings)
    if any(settings.models.glob("*")) and not replace:
        raise RestoreRefused(f"{settings.models} is not empty", hint="Move it away, or restore with --replace.")
    _bring_secrets(backup, settings)
    owner_url = services.postgres_only(settings, progress)
    engine = make_engine(owner_url)
    try:
        _require_room(engine, replace)
        progress("restoring the database")
        _database(engine, owner_url, backup)
    finally:
        engine.dispose()
    if manifest.schema != head():
        progress(f"migrating from schema {manifest.schema} to {head()}")
    upgrade(owner_url)
    services.make_logins(settings, owner_url)
    return Restored(manifest, head(), _models(backup, settings))


def _require_rest(settings: Settings) -> None:
    if settings.home.is_dir() and services.any_running(settings.home, (*WORKERS, "beat")):
        raise RestoreRefused("workers of this home are running", hint="Stop them first: `tenor down`.")


def _require_room(engine: Engine, replace: bool) -> None:
    """Raise `RestoreRefused` when somebody works on the database, or it holds what nobody said may go."""
    with engine.connect() as conn:
        others = conn.execute(
            text("""
                SELECT DISTINCT application_name FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name ~ '^tenor/'
                   AND application_name !~ '^tenor/(cli|exporter|backup)'
            """)
        ).scalars()
        if working := ", ".join(sorted(others)):
            raise RestoreRefused(f"workers are connected to the database: {working}", hint="Stop them first.")
        holds = conn.execute(text("SELECT to_regclass('public.archives') IS NOT NULL")).scalar_one()
        holds = holds and conn.execute(text("SELECT EXISTS (SELECT FROM public.archives)")).scalar_one()
        if holds and not replace:
            raise RestoreRefused(
                f"the database at {place(engine.url.render_as_string(hide_password=True))} holds archives already",
                hint="`tenor backup` keeps what is there; `--replace` then puts the back-up in its place.",
            )


def _database(engine: Engine, owner_url: str, backup: Path) -> None:
    """What is there steps aside and comes back unless all of the back-up is in."""
    with engine.begin() as conn:
        conn.execute(text("SET LOCAL lock_timeout = '10s'"))
        ensure_roles(conn)
        conn.execute(text(f"DROP SCHEMA IF EXISTS {_BEFORE} CASCADE"))
        # The dump makes the schema itself.
        conn.execute(text(f"ALTER SCHEMA public RENAME TO {_BEFORE}"))
    options = ["--single-transaction", "--exit-on-error", "--no-owner", f"--dbname={engine.url.database}"]
    try:
        postgres.run("pg_restore", [*options, str(backup / DATABASE)], owner_url, RestoreFailed)
    except BaseException:
        with engine.begin() as conn:
            conn.execute(text("DROP SCHEMA IF EXISTS public CASCADE"))
            conn.execute(text(f"ALTER SCHEMA {_BEFORE} RENAME TO public"))
        raise
    with engine.begin() as conn:
        conn.execute(text(f"DROP SCHEMA {_BEFORE} CASCADE"))


def _models(backup: Path, settings: Settings) -> int:
    count = 0
    for path in sorted((backup / MODELS).rglob("*")):
        if path.is_file():
            target = settings.models / path.relative_to(backup / MODELS)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
            count += 1
    return count


def _bring_secrets(backup: Path, settings: Settings) -> None:
    """Passwords go with a back-up that has them, but never over others, which the servers here know."""
    if not (backup / SECRETS).is_dir():
        return
    homes.prepare(settings.home)
    for path in (backup / SECRETS).iterdir():
        target = settings.home / path.name
        if not target.exists():
            shutil.copy2(path, target)
            target.chmod(0o600)
