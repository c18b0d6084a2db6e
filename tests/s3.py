"""A real S3 server (moto's) as a process of its own, and variables by which every S3 program finds it."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ops.local.home import free_port

KEYS = {"AWS_ACCESS_KEY_ID": "tenor", "AWS_SECRET_ACCESS_KEY": "s3cret-of-a-test", "AWS_REGION": "us-east-1"}


class Server:
    """Addressed past the code that is tested, by botocore's own client."""

    def __init__(self, host: str, port: int) -> None:
        self.url = f"http://{host}:{port}"
        self.environment = {**KEYS, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": self.url}

    def client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        )

    def put(self, bucket: str, objects: dict[str, bytes]) -> None:
        client = self.client()
        if bucket not in [known["Name"] for known in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=bucket)
        for key, content in objects.items():
            client.put_object(Bucket=bucket, Key=key, Body=content)

    def keys(self, bucket: str) -> list[str]:
        return [item["Key"] for item in self.client().list_objects_v2(Bucket=bucket).get("Contents", ())]


def _listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


@contextmanager
def serving(host: str = "127.0.0.1", port: int | None = None) -> Iterator[Server]:
    """A server with nothing in it; it ends with the block."""
    port = port or free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not _listens(host, port):
            assert process.poll() is None, "the S3 server ended"
            assert time.monotonic() < deadline, "the S3 server does not listen"
            time.sleep(0.05)
        yield Server(host, port)
    finally:
        process.terminate()
        process.wait()
