"""Names of places in an object store."""

import hashlib
from dataclasses import dataclass

SCHEME = "s3://"
#: Longer parts are no name that a disk takes.
_MAX_NAME = 255


def is_object_url(url: str) -> bool:
    """True for `s3://…`."""
    return url.startswith(SCHEME)


def split(url: str) -> tuple[str, str]:
    """(bucket, prefix) of a URL; the prefix is "" or ends with a slash."""
    bucket, _, prefix = url.removeprefix(SCHEME).partition("/")
    prefix = prefix.strip("/")
    return bucket, f"{prefix}/" if prefix else ""


def is_usable(path: str) -> bool:
    """False when a disk cannot have a file of that path, which keys of objects need not care about."""
    parts = path.split("/")
    return not any(part in ("", ".", "..") or "\0" in part or len(part.encode()) > _MAX_NAME for part in parts)


@dataclass(frozen=True, slots=True)
class Object:
    """An object as it was listed: its bytes, and when it was last modified."""

    size_bytes: int
    #: Stores tell whole seconds. Below the second stands a hash of the ETag, so that of two contents of equal size
    #: within one second each has its own time.
    mtime_ns: int


def seen(size: int, modified_s: float, etag: str) -> Object:
    """What a store says of an object."""
    mark = int.from_bytes(hashlib.sha256(etag.strip('"').encode()).digest()[:8], "big") % 1_000_000_000
    return Object(size, int(modified_s) * 1_000_000_000 + mark)
