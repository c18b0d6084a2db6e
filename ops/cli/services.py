"""Commands about this machine: up, down, doctor, version."""

import platform
from dataclasses import asdict
from importlib import metadata

from db.engine import libpq_url
from ops import access
from ops.cli import tables
from ops.cli.session import Session
from workers.settings import load_settings

#: Packages whose versions decide what the figures are.
DECISIVE = ("torch", "torchaudio", "transformers", "celery", "sqlalchemy", "pocketsphinx", "silero-vad")


def up(session: Session) -> None:
    """Start what is not running."""
    reached = access.start(load_settings(), session.say)
    if session.json_output:
        document = asdict(reached) | {
            "database_url": libpq_url(reached.database_url),
            "analyst_url": libpq_url(reached.analyst_url),
        }
        if not reached.embedded:
            document |= {"database_url": None, "analyst_url": None, "broker_url": None}
        session.document(document)
    else:
        tables.services(reached, session)


def down(session: Session) -> None:
    """Stop what was started here."""
    from ops.local import down as stop

    stopped = stop(load_settings(), progress=session.say)
    if session.json_output:
        session.document({"stopped": stopped})
    else:
        session.print(f"Stopped: {', '.join(stopped)}." if stopped else "Nothing was running.")


def upgrade(session: Session) -> None:
    """Migrate and restart, and say what was done."""
    from ops.local import upgrading

    done = upgrading.run(load_settings(), progress=session.say)
    if session.json_output:
        session.document(done)
        return
    moved = "" if done.schema_before == done.schema else f", was {done.schema_before or 'none'}"
    session.print(
        f"Schema {done.schema}{moved}. "
        + (f"Restarted: {', '.join(done.restarted)}." if done.restarted else "Every process runs this version.")
    )


def doctor(session: Session) -> bool:
    """Show every check; True when all are fine."""
    from ops.local import doctor as look

    checks = look()
    if session.json_output:
        session.document({"ok": all(check.ok for check in checks), "checks": checks})
    else:
        tables.checks(checks, session)
    return all(check.ok for check in checks)


def metrics(session: Session, once: bool) -> None:
    """Print the page of metrics, or serve it until interrupted."""
    from ops.metrics.serving import page, serve

    settings = load_settings()
    reached = access.look(settings)
    if once:
        session.stdout.write(page(reached))
        return
    _, serving = serve(reached, settings)
    session.say(f"Metrics at http://{settings.metrics_host}:{settings.metrics_port}/metrics; Ctrl-C ends this.")
    serving.join()


def version(session: Session) -> None:
    """Tenor's version and those of the packages that compute."""
    versions = {"tenor": _version("tenor"), "python": platform.python_version()}
    versions |= {name: _version(name) for name in DECISIVE}
    if session.json_output:
        session.document(versions)
        return
    for name, number in versions.items():
        session.print(f"{name:<14}{number or 'not installed'}")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
