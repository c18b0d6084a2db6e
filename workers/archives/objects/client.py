"""Talking to an S3 server through s3fs: pages of listings, downloads, and errors with a name.

Endpoint and credentials are those of every S3 program: `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`,
`AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, or a profile, a role of the machine.
"""

import functools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ml.audio.errors import AudioMissing
from workers.archives.objects.places import Object, seen
from workers.errors import ArchiveMissing, ObjectDenied, RecordingChanged, StoreUnavailable

#: Seconds until a server that does not answer is given up; the library itself tries five times.
_CONNECT_S, _READ_S = 5, 30
_PART = 8 << 20
_PARALLEL = 16


@functools.cache
def _filesystem(process: int) -> Any:
    # A long-lived worker would remember what was there.
    try:
        import s3fs
    except ImportError as exc:
        raise StoreUnavailable(
            "s3:// needs the package s3fs, which is not installed",
            hint="Install it where workers and commands run: pip install 'tenor[s3]'.",
        ) from exc
    # A credential that the library cannot find is an error of the call, logged there.
    logging.getLogger("s3fs").setLevel(logging.ERROR)
    return s3fs.S3FileSystem(
        use_listings_cache=False,
        skip_instance_cache=True,
        config_kwargs={"connect_timeout": _CONNECT_S, "read_timeout": _READ_S, "max_pool_connections": _PARALLEL},
    )


def filesystem() -> Any:
    """The S3 file system of this process; the library's is not to be shared over a fork."""
    return _filesystem(os.getpid())


@contextmanager
def answering(what: str) -> Iterator[None]:
    """Turns what passes (no connection, a timeout, an overloaded server) into `StoreUnavailable`.

    `FileNotFoundError` and `PermissionError` come through: they say something about the object.
    """
    try:
        yield
    except (FileNotFoundError, PermissionError):
        raise
    except Exception as exc:
        if isinstance(exc, OSError) or type(exc).__module__.partition(".")[0] in ("botocore", "aiobotocore", "aiohttp"):
            if type(exc).__name__ in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"):
                raise PermissionError("no credentials") from exc
            raise StoreUnavailable(
                f"the object store did not answer for {what} ({type(exc).__name__})",
                hint="Check the network and AWS_ENDPOINT_URL; it is tried again until it answers.",
            ) from exc
        raise


def pages(bucket: str, prefix: str, *, flat: bool = False) -> Iterator[list[tuple[str, Object]]]:
    """(key, object) below a prefix in the order of keys, some thousand at a time.

    `flat` leaves out what lies behind a further slash. Raises `ArchiveMissing` or `StoreUnavailable`.
    """
    token: dict[str, str] = {}
    while True:
        try:
            with answering("a listing"):
                page = filesystem().call_s3(
                    "list_objects_v2", Bucket=bucket, Prefix=prefix, **({"Delimiter": "/"} if flat else {}), **token
                )
        except FileNotFoundError as exc:
            raise ArchiveMissing(
                f"there is no bucket {bucket}", hint="Check the name, and AWS_ENDPOINT_URL and AWS_REGION."
            ) from exc
        except PermissionError as exc:
            raise ArchiveMissing(
                f"s3://{bucket}/{prefix} may not be listed",
                hint="Give the workers' credentials s3:ListBucket and s3:GetObject there (AWS_ACCESS_KEY_ID, a role).",
            ) from exc
        yield [
            (item["Key"], seen(item["Size"], item["LastModified"].timestamp(), item["ETag"]))
            for item in page.get("Contents", ())
        ]
        if not page.get("IsTruncated"):
            return
        token = {"ContinuationToken": page["NextContinuationToken"]}


def look_at(bucket: str, key: str) -> Object:
    """One object as it is now; raises `AudioMissing`, `ObjectDenied` or `StoreUnavailable`."""
    with _of_one_object(), answering("an object"):
        found = filesystem().call_s3("head_object", Bucket=bucket, Key=key)
        return seen(found["ContentLength"], found["LastModified"].timestamp(), found["ETag"])


def download(bucket: str, key: str, expected: Object, to: Path) -> None:
    """Stream an object into a file that gets its time.

    Raises `RecordingChanged` unless it is what was expected, from the first byte to the last; `AudioMissing`,
    `ObjectDenied`, `StoreUnavailable`, or `OSError` of the disk.
    """
    with _of_one_object():
        with answering("an object"):
            source = filesystem().open(f"{bucket}/{key}", "rb", cache_type="none", block_size=_PART)
        details = source.details
        if seen(details["size"], details["LastModified"].timestamp(), details["ETag"]) != expected:
            raise _changed()
        with to.open("wb") as file:
            # Every part is asked for with the ETag, so that no file is made of two objects.
            while part := _part(source):
                file.write(part)
            if file.tell() != expected.size_bytes:
                raise _changed()
    os.utime(to, ns=(expected.mtime_ns, expected.mtime_ns))


def _part(source: Any) -> bytes:
    from s3fs.utils import FileExpired

    with answering("an object"):
        try:
            return bytes(source.read(_PART))
        except FileExpired as exc:
            raise _changed() from exc


@contextmanager
def _of_one_object() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as exc:
        raise AudioMissing("the object is not there", hint="Restore it and enqueue the archive again.") from exc
    except PermissionError as exc:
        raise ObjectDenied("the object store does not let this worker read it") from exc


def _changed() -> RecordingChanged:
    return RecordingChanged("the object was replaced after it was listed")
