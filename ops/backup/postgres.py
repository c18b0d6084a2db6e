"""Postgres' own programs for back-ups, those of the packaged server."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from sqlalchemy.engine import make_url

from ml.errors import TenorError
from ops.local.postgres import binaries

#: Of a URL's parameters, those that libpq also reads from the environment.
_PARAMETERS = {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY"}


def run(program: str, arguments: Sequence[str], url: str | None, failed: type[TenorError]) -> str:
    """What a program prints; raises `failed` with the last thing it said. The URL's password is in no argument."""
    done = subprocess.run(
        [str(binaries(None) / program), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", **(_variables(url) if url else {})},
    )
    if done.returncode:
        said = [line for line in done.stderr.strip().splitlines() if line.strip()]
        raise failed(f"{program} ended with {done.returncode}: {said[0] if said else 'it said nothing'}")
    return done.stdout


def _variables(url: str) -> Mapping[str, str]:
    parsed = make_url(url)
    given = {
        "PGHOST": parsed.host or "localhost",
        "PGPORT": str(parsed.port or 5432),
        "PGUSER": parsed.username or "",
        "PGPASSWORD": parsed.password or "",
        "PGDATABASE": parsed.database or "",
        "PGAPPNAME": "tenor/backup",
        "PGTZ": "UTC",
    }
    given |= {name: str(value) for key, value in parsed.query.items() if (name := _PARAMETERS.get(key))}
    return {name: value for name, value in given.items() if value}


def tables_in(dump: Path, failed: type[TenorError]) -> set[str]:
    """Tables whose rows a dump holds."""
    listed = run("pg_restore", ["--list", str(dump)], None, failed)
    rows = (line.split() for line in listed.splitlines() if " TABLE DATA " in line)
    return {words[words.index("DATA") + 2] for words in rows}
