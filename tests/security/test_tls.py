"""Redis and Postgres over TLS, with certificates made here: only who has the right one is talked to.

The packaged servers have no TLS, so a proxy in front of them has it, as a load balancer would.
"""

import datetime
import ipaddress
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kombu.exceptions import OperationalError
from sqlalchemy import make_url, text

from db.engine import make_engine
from db.errors import DatabaseUnavailable
from db.migrate import current
from ops.local import redis
from ops.local.home import free_port
from workers import broker
from workers.app import make_app
from workers.errors import BrokerUnavailable, SettingsInvalid
from workers.settings import Settings, load_settings

PASSWORD = "a-password"


class Authority(NamedTuple):
    """Somebody who signs certificates: the file that says so, and their key."""

    file: Path
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def authority(folder: Path, name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = _builder(called, called, key).add_extension(x509.BasicConstraints(True, None), critical=True)
    certificate = made.sign(key, hashes.SHA256())
    file = folder / f"{name}.pem"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(file, certificate, key)


def signed(by: Authority, host: str) -> ssl.SSLContext:
    """What a server of that name shows."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    name = x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
    made = _builder(called, by.certificate.subject, key).add_extension(x509.SubjectAlternativeName([name]), False)
    certificate = made.sign(by.key, hashes.SHA256())
    file = by.file.with_name(f"{host}.pem")
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:  # fmt: skip
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
    )


def _nothing(_: socket.socket) -> None:
    """Redis speaks TLS from the first byte."""


def _postgres_greeting(client: socket.socket) -> None:
    """Postgres is asked whether it has TLS, and says so."""
    assert client.recv(8) == struct.pack("!ii", 8, 80877103)
    client.sendall(b"S")


@contextmanager
def proxy(context: ssl.SSLContext, port: int, greet: Callable[[socket.socket], None]) -> Iterator[int]:
    """A port that speaks TLS and passes everything on to another."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=handle, args=(client,), daemon=True).start()

    def handle(client: socket.socket) -> None:
        try:
            greet(client)
            # A reader and a writer at once would confuse one TLS connection, so each waits for a moment only.
            safe = context.wrap_socket(client, server_side=True)
            behind = socket.create_connection(("127.0.0.1", port))
            for end in (safe, behind):
                end.settimeout(0.01)
            while True:
                for source, target in ((safe, behind), (behind, safe)):
                    try:
                        part = source.recv(65536)
                    except TimeoutError:
                        continue
                    if not part:
                        return
                    target.settimeout(10)
                    target.sendall(part)
                    target.settimeout(0.01)
        except (OSError, AssertionError):
            return
        finally:
            client.close()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.close()


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("other-ca"), "theirs")


@pytest.fixture(scope="module")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    process = redis.start(folder, port, PASSWORD, "the-owner's", folder / "redis.log")
    yield port
    process.terminate()
    process.wait()


def rediss(port: int, query: str = "", host: str = "127.0.0.1") -> Settings:
    return Settings(broker_url=f"rediss://{redis.WORKER}:{PASSWORD}@{host}:{port}/0{query}")


def test_a_broker_with_the_right_certificate_takes_messages(ours: Authority, redis_port: int) -> None:
    with proxy(signed(ours, "127.0.0.1"), redis_port, _nothing) as port:
        app = make_app(rediss(port, f"?ssl_ca_certs={ours.file}"))

        broker.ping(app)
        app.send_task("maintenance.sweep", queue="maintenance")

        assert (broker.waiting(app) or {})["maintenance"] >= 1


@pytest.mark.parametrize("case", ["signed by somebody else", "of another name", "of a CA that nobody named"])
def test_a_broker_with_another_certificate_is_not_talked_to(
    ours: Authority, theirs: Authority, redis_port: int, case: str
) -> None:
    shown, query = {
        "signed by somebody else": (signed(theirs, "127.0.0.1"), f"?ssl_ca_certs={ours.file}"),
        "of another name": (signed(ours, "elsewhere.example"), f"?ssl_ca_certs={ours.file}"),
        "of a CA that nobody named": (signed(ours, "127.0.0.1"), ""),
    }[case]
    with proxy(shown, redis_port, _nothing) as port:
        app = make_app(rediss(port, query))

        # Neither by our own looks at Redis, nor by Celery.
        with pytest.raises(BrokerUnavailable):
            broker.ping(app)
        with pytest.raises((OperationalError, OSError)), app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=5)


@pytest.mark.parametrize("query", ["?ssl_cert_reqs=none", "?ssl_cert_reqs=CERT_NONE", "?ssl_check_hostname=false"])
def test_settings_do_not_switch_the_check_off(monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    monkeypatch.setenv("TENOR_BROKER_URL", f"rediss://tenor:secret@redis:6379/0{query}")

    with pytest.raises(SettingsInvalid, match="ssl_ca_certs") as said:
        load_settings()

    assert "secret" not in str(said.value)


def over(url: str, port: int, **query: str) -> str:
    changed = make_url(url).set(host="127.0.0.1", port=port, query=query)
    return Settings(database_url=changed.render_as_string(hide_password=False)).database_url or ""


def test_a_database_with_the_right_certificate_is_talked_to(database_url: str, ours: Authority) -> None:
    with proxy(signed(ours, "127.0.0.1"), make_url(database_url).port or 0, _postgres_greeting) as port:
        engine = make_engine(over(database_url, port, sslmode="verify-full", sslrootcert=str(ours.file)))

        with engine.connect() as conn:
            assert conn.execute(text("SELECT 1")).scalar() == 1
            driver = conn.connection.driver_connection
            assert driver is not None and driver.info.ssl_in_use


def test_a_database_with_another_certificate_or_none_is_not_talked_to(
    database_url: str, ours: Authority, theirs: Authority
) -> None:
    behind = make_url(database_url).port or 0
    verified = {"sslmode": "verify-full", "sslrootcert": str(ours.file)}
    for shown in (signed(theirs, "127.0.0.1"), signed(ours, "elsewhere.example")):
        with proxy(shown, behind, _postgres_greeting) as port, pytest.raises(DatabaseUnavailable):
            current(make_engine(over(database_url, port, **verified)))
    with pytest.raises(DatabaseUnavailable):
        current(make_engine(over(database_url, behind, **verified)))
