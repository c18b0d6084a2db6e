"""Recordings by their content: one row for one hash, wherever the file lies."""

from typing import Any

from sqlalchemy import Connection, Row, text

from workers.archives.files import Found
from workers.ledger.failures import sentence


def register(conn: Connection, file: Found) -> Row[Any] | None:
    """(id, duration_s, error_code, error) of the file's content, new or known; None when it could not be opened."""
    if file.sha256 is None:
        return None
    info, error = file.info, file.error
    return conn.execute(
        text("""
            INSERT INTO recordings (sha256, size_bytes, duration_s, sample_rate, channels, codec, error_code, error)
            VALUES (:sha256, :size, :duration, :rate, :channels, :codec, :code, :error)
            ON CONFLICT (sha256) DO UPDATE SET size_bytes = excluded.size_bytes
            RETURNING id, duration_s, error_code, error
        """),
        {
            "sha256": file.sha256,
            "size": file.size_bytes,
            "duration": info.duration_s if info else None,
            "rate": info.sample_rate if info else None,
            "channels": info.channels if info else None,
            "codec": info.codec if info else None,
            "code": error.code if error else None,
            "error": sentence(error) if error else None,
        },
    ).one()
