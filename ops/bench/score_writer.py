"""How fast probabilities get into Postgres: `db.scores.write_scores` against the usual ways, in one run.

    python -m ops.bench.score_writer [--rows 50000] [--block 1000] [--database-url URL]

Baselines: one `INSERT … ON CONFLICT` per row through `executemany`, multi-row inserts by SQLAlchemy, and an ORM session
that merges objects. All commit after each block. Without a URL an embedded Postgres is started in a temporary folder,
with the settings of `tenor up`. The last line is one JSON object.
"""

import argparse
import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, bindparam, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, registry

from db.engine import make_engine
from db.migrate import upgrade
from db.scores import ScoreBlock, write_scores
from db.tables import scores
from db.tables.scores import EMOTIONS, SIDES, probabilities
from ops.local.home import free_port
from ops.local.postgres import Postgres

#: Baselines that write row by row get so many times fewer rows.
SHARE = {"executemany": 5, "orm": 20}


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000, help="utterances that write_scores stores")
    parser.add_argument("--block", type=int, default=1_000, help="utterances per transaction")
    parser.add_argument("--database-url", help="owner's login of an empty database; default: a temporary Postgres")
    arguments = parser.parse_args()
    with _database(arguments.database_url) as url:
        engine = make_engine(url, pooled=True)
        rates = measure(engine, arguments.rows, arguments.block)
        engine.dispose()
    for name, rate in rates.items():
        print(f"{name:>14} {rate:>10,.0f} rows/s")
    ratios = {f"copy_over_{name}": round(rates["copy"] / rates[name], 1) for name in ("multirow", "executemany", "orm")}
    figures = {f"{name}_rows_per_s": round(rate) for name, rate in rates.items()}
    print(
        json.dumps({"benchmark": "score_writer", "rows": arguments.rows, "block": arguments.block, **figures, **ratios})
    )


@contextmanager
def _database(given: str | None) -> Iterator[str]:
    if given is not None:
        upgrade(given)
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="tenor-bench-"))
    folder.chmod(0o755)
    postgres = Postgres(folder / "data")
    password, port = secrets.token_hex(8), free_port()
    postgres.initialise("tenor_owner", password)
    try:
        postgres.start(port)
        url = f"postgresql+psycopg2://tenor_owner:{password}@127.0.0.1:{port}/postgres"
        upgrade(url)
        yield url
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def measure(engine: Engine, rows: int, block: int) -> dict[str, float]:
    """Rows per second of each way; `repeated` is write_scores on what is stored already."""
    ways: dict[str, Callable[[ScoreBlock], None]] = {
        "copy": lambda made: _copy(engine, made),
        "repeated": lambda made: _copy(engine, made),
        "multirow": lambda made: _multirow(engine, made),
        "executemany": lambda made: _executemany(engine, made),
        "orm": lambda made: _orm(engine, made),
    }
    rates = {}
    for name, write in ways.items():
        version = _version(engine, "copy" if name == "repeated" else name)
        blocks = list(make_blocks(version, max(block, rows // SHARE.get(name, 1)), block))
        started = time.perf_counter()
        for made in blocks:
            write(made)
        rates[name] = sum(len(made.keys) for made in blocks) / (time.perf_counter() - started)
    return rates


def make_blocks(version: int, rows: int, block: int) -> Iterator[ScoreBlock]:
    """Blocks of random distributions, the same in every run; every fourth utterance has no text."""
    random = np.random.default_rng(7)
    for start in range(0, rows, block):
        count = min(block, rows - start)
        speech, words, fused = random.dirichlet(np.ones(len(EMOTIONS)), (3, count))
        words[::4] = np.nan
        keys = [(start // block, number) for number in range(count)]
        quality = [None if number % 4 else "no_text" for number in range(count)]
        yield ScoreBlock(version, 1, keys, speech, words, fused, quality)


def _version(engine: Engine, name: str) -> int:
    """A profile version with its partition."""
    with engine.begin() as conn:
        conn.execute(text("INSERT INTO profiles (name) VALUES (:n) ON CONFLICT DO NOTHING"), {"n": f"bench {name}"})
        conn.execute(
            text("""
                INSERT INTO profile_versions (profile_id, version, fingerprint, spec, label_set)
                SELECT id, 1, '', '{}', '{}' FROM profiles WHERE name = :n ON CONFLICT DO NOTHING
            """),
            {"n": f"bench {name}"},
        )
        version = int(
            conn.execute(
                text("SELECT v.id FROM profile_versions v JOIN profiles p ON p.id = v.profile_id WHERE p.name = :n"),
                {"n": f"bench {name}"},
            ).scalar_one()
        )
        conn.execute(text("SELECT add_profile_version_partition(:v)"), {"v": version})
    return version


def _copy(engine: Engine, block: ScoreBlock) -> None:
    with engine.begin() as conn:
        write_scores(conn, block)


def _records(block: ScoreBlock) -> list[dict[str, Any]]:
    """The block's rows as dictionaries, made from Python values as a program without arrays would."""
    columns: Sequence[tuple[str, list[Any]]] = [
        (name, getattr(block, side)[:, place].tolist())
        for side in SIDES
        for place, name in enumerate(probabilities(side))
    ]
    return [
        {
            "profile_version_id": block.profile_version_id,
            "alignment_id": alignment,
            "utterance_no": number,
            "batch_id": block.batch_id,
            "quality": block.quality[row],
            **{name: None if values[row] != values[row] else values[row] for name, values in columns},
        }
        for row, (alignment, number) in enumerate(block.keys)
    ]


def _upsert() -> Any:
    statement = insert(scores)
    key = ["profile_version_id", "alignment_id", "utterance_no"]
    written = [*(name for side in SIDES for name in probabilities(side)), "quality", "batch_id"]
    return statement.on_conflict_do_update(
        index_elements=key, set_={name: statement.excluded[name] for name in written}
    )


def _multirow(engine: Engine, block: ScoreBlock) -> None:
    with engine.begin() as conn:
        conn.execute(_upsert(), _records(block))


def _executemany(engine: Engine, block: ScoreBlock) -> None:
    records = _records(block)
    names = list(records[0])
    statement = text(
        f"INSERT INTO scores ({', '.join(names)}) VALUES ({', '.join(f':{n}' for n in names)})"
        " ON CONFLICT (profile_version_id, alignment_id, utterance_no) DO UPDATE SET "
        + ", ".join(f"{n} = excluded.{n}" for n in names[3:])
    ).bindparams(*(bindparam(n) for n in names))
    with engine.begin() as conn:
        conn.execute(statement, records)


class _Score:
    """A row of `scores` as an object."""

    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, value)


registry().map_imperatively(_Score, scores)


def _orm(engine: Engine, block: ScoreBlock) -> None:
    with Session(engine) as session:
        for record in _records(block):
            session.merge(_Score(**record))
        session.commit()


if __name__ == "__main__":
    main()
