"""What `backup` and `restore` do and print."""

from dataclasses import asdict
from pathlib import Path

from ops.cli.session import Session
from ops.cli.text import visible
from workers.settings import load_settings


def backup(session: Session, place: Path, *, with_secrets: bool) -> None:
    """Make a back-up and say what is in it."""
    from ops.access import ServicesDown
    from ops.backup import make
    from ops.local import known

    settings = load_settings()
    services = known(settings)
    if services is None:
        raise ServicesDown(f"there is no database in {settings.home} yet")
    session.say("writing and reading back")
    made = make(settings, services.owner_url, place, with_secrets=with_secrets)
    if session.json_output:
        session.document({"place": made.place, **asdict(made.manifest)})
        return
    rows = made.manifest.rows
    scores = sum(count for table, count in rows.items() if table.startswith("scores_"))
    session.print(
        f"{visible(str(made.place))}: {rows['jobs']:,} jobs, {rows['recordings']:,} recordings, {scores:,} scored"
        f" utterances, {sum(path.startswith('models/') for path in made.manifest.files):,} files of models;"
        f" {made.manifest.size_bytes / 1e6:,.1f} MB, as of {made.manifest.made_at}"
    )
    if not with_secrets:
        session.say("Passwords are not in it, recordings neither. It holds transcripts: keep it where they may be.")


def restore(session: Session, place: Path, *, replace: bool) -> None:
    """Bring a back-up back and say how to go on."""
    from ops.backup import restore as run

    done = run(place, load_settings(), replace=replace, progress=session.say)
    if session.json_output:
        session.document({"made_at": done.manifest.made_at, "schema": done.schema, "models": done.models})
        return
    migrated = "" if done.schema == done.manifest.schema else f", migrated from schema {done.manifest.schema}"
    session.print(f"Restored as of {done.manifest.made_at}{migrated}. `tenor up` starts workers; open work goes on.")
