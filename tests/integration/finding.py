"""Whether a word is anywhere: in any column of any table, or in any byte of a folder."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
from sqlalchemy import Engine, text


def in_database(engine: Engine, words: Iterable[str]) -> set[str]:
    """ "table: word" of all tables there are, so that a new one cannot be forgotten."""
    found = set()
    with engine.connect() as conn:
        tables = list(
            conn.execute(
                text("""
                    SELECT c.relname FROM pg_class c
                     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'm')
                """)
            ).scalars()
        )
        assert len(tables) > 25
        for table in tables:
            for word in words:
                # A row as one text: every column, whatever its type; JSON writes some characters otherwise.
                query = text(f'SELECT EXISTS (SELECT FROM "{table}" t WHERE strpos(lower(t::text), lower(:word)) > 0)')
                if conn.execute(query, {"word": word}).scalar():
                    found.add(f"{table}: {word}")
    return found


def in_files(folder: Path, words: Iterable[str], leave_out: Iterable[str] = ()) -> set[str]:
    """ "path: word" of all files below a folder, their names too; columns of Parquet files are read."""
    found = set()
    for path in (path for path in sorted(folder.rglob("*")) if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if name.split("/")[0] in leave_out:
            continue
        for content in (name.encode(), *_contents(path)):
            found |= {f"{name}: {word}" for word in words if word.lower().encode() in content.lower()}
    return found


def _contents(path: Path) -> Iterator[bytes]:
    yield path.read_bytes()
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        yield repr(table.to_pylist()).encode()
        yield repr(table.schema.metadata).encode()
