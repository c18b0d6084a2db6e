"""Run the migrations against a database that others provide (compose, a managed Postgres)."""

import os
import sys

from db.errors import DatabaseProblem
from db.migrate import upgrade


def main() -> int:
    """Exit status 0 when the database is at the newest revision."""
    url = os.environ.get("TENOR_OWNER_URL") or os.environ.get("TENOR_DATABASE_URL")
    if not url:
        print("Set TENOR_OWNER_URL to the login that owns the schema.", file=sys.stderr)
        return 2
    try:
        upgrade(url)
    except DatabaseProblem as exc:
        print(f"{exc}. {exc.hint}", file=sys.stderr)
        return 1
    print("The database is up to date.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
