"""Run the migrations against a database that others provide (compose, a managed Postgres).

With `--logins` the logins that TENOR_DATABASE_URL and TENOR_ANALYST_URL name are made, or given these URLs' passwords:
the one to work with, the other to read the views. Each URL is read from its variable, else from the file of that name
in small letters in TENOR_SECRETS_DIR.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from db.engine import make_engine
from db.errors import DatabaseProblem
from db.migrate import upgrade
from db.roles import ANALYST, WRITER, create_login

LOGINS = {"TENOR_DATABASE_URL": WRITER, "TENOR_ANALYST_URL": ANALYST}


def main(arguments: Sequence[str] = ()) -> int:
    """Exit status 0 when the database is at the newest revision."""
    if list(arguments) not in ([], ["--logins"]):
        return _refuse("The one option is --logins.")
    owner = setting("TENOR_OWNER_URL") or setting("TENOR_DATABASE_URL")
    if not owner:
        return _refuse("Set TENOR_OWNER_URL to the login that owns the schema.")
    logins: dict[str, tuple[URL, str]] = {}
    for variable, role in LOGINS.items() if arguments else ():
        try:
            url = make_url(setting(variable) or "")
        except ArgumentError:
            return _refuse(f"{variable} is no URL, as in postgresql://login:password@host:5432/database.")
        if not url.username or not url.password or url.username == make_url(owner).username:
            return _refuse(f"{variable} must name a login of its own, with a password, to be made with --logins.")
        logins[url.username] = url, role
    try:
        upgrade(owner)
        _make(owner, logins)
    except DatabaseProblem as exc:
        print(f"{exc}. {exc.hint}", file=sys.stderr)
        return 1
    print("The database is up to date.")
    return 0


def setting(variable: str) -> str | None:
    """A variable, or the secret of its name; an empty one counts as unset."""
    if value := os.environ.get(variable):
        return value
    folder = os.environ.get("TENOR_SECRETS_DIR")
    secret = Path(folder) / variable.lower() if folder else None
    return secret.read_text(encoding="utf-8").strip() if secret and secret.is_file() else None


def _make(owner: str, logins: dict[str, tuple[URL, str]]) -> None:
    engine = make_engine(owner)
    try:
        with engine.begin() as conn:
            for name, (url, role) in logins.items():
                create_login(conn, name, str(url.password), role)
    finally:
        engine.dispose()


def _refuse(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
