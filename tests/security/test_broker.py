"""What the login of workers may do in Redis, and who may read what lies in a home."""

import stat
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from tests.acceptance.house import SAMPLES, House


@pytest.fixture
def worker(house: House) -> Redis:
    return Redis.from_url(house.services.broker_url)


def test_everything_that_runs_does_with_what_is_allowed(house: House, worker: Redis) -> None:
    """First, because later tests try what is refused, and Redis' own log has it all since the home began."""
    house.json("analyze", str(SAMPLES / "billing-complaint.ogg"))
    assert house.run("metrics", "--once").stdout.count('tenor_up{service="redis"} 1.0') == 1

    assert _refused(house) == []


@pytest.mark.parametrize(
    "command",
    [
        *("FLUSHALL", "FLUSHDB", "SHUTDOWN NOSAVE", "CONFIG GET dir", "CONFIG SET dir /tmp", "SAVE", "BGREWRITEAOF"),
        *("ACL LIST", "ACL SETUSER tenor +@all", "CLIENT LIST", "CLIENT KILL TYPE normal", "MONITOR", "KEYS *"),
        *("REPLICAOF 127.0.0.1 1", "MIGRATE 127.0.0.1 1 key 0 10", "MODULE LIST", "DEBUG SLEEP 0", "DUMP gpu"),
        *("SCAN 0", "RENAME gpu other", "SWAPDB 0 1", "SLOWLOG GET", "SCRIPT KILL", "FUNCTION LIST"),
    ],
)
def test_workers_may_not(worker: Redis, command: str) -> None:
    # An unknown command is an error of another kind; a known one without the right to it says so.
    with pytest.raises((NoPermissionError, ResponseError), match=r"(?i)permission|unknown command"):
        worker.execute_command(*command.split())

    assert worker.ping()


def test_a_script_may_not_do_more_than_its_caller(worker: Redis) -> None:
    with pytest.raises(ResponseError, match=r"(?i)permission|can't run|denied|NOPERM"):
        worker.eval("return redis.call('FLUSHALL')", 0)


def test_nobody_comes_in_without_a_password(house: House) -> None:
    port = int(house.services.broker_url.rpartition(":")[2].partition("/")[0])
    for login in ({}, {"username": "tenor"}, {"username": "tenor", "password": "guessed"}, {"password": "guessed"}):
        with pytest.raises((AuthenticationError, ResponseError)):
            Redis(port=port, **login).ping()  # type: ignore[arg-type]


def test_secrets_and_data_are_their_owners_alone(house: House) -> None:
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    home = house.home
    assert mode(home / "secrets.json") == mode(home / "redis" / "redis.conf") == 0o600
    for folder in ("logs", "run", "artifacts", "redis"):
        assert mode(home / folder) == 0o700, folder
    assert mode((home / "postgres").resolve()) == 0o700
    assert "password" not in (home / "redis" / "redis.conf").read_text()


def test_nothing_listens_but_on_loopback(house: House) -> None:
    ports = {
        *(int(url.rpartition(":")[2].partition("/")[0]) for url in (house.services.broker_url,)),
        int(house.services.database_url.rpartition(":")[2].partition("/")[0]),
        int(str(house.services.flower_url).rpartition(":")[2].partition("/")[0]),
    }
    assert len(ports) == 3
    places = _listening()
    for port in ports:
        assert places[port] == {"0100007F"}, f"port {port} is open to {places[port]}"
    # Postgres has no socket file either.
    assert list((house.home / "postgres").resolve().glob(".s.PGSQL*")) == []


def _refused(house: House) -> list[str]:
    """Commands that Redis has refused, as its own log has them."""
    return sorted(f"{entry['object']} by {entry['client-info']['name']}" for entry in house.redis().acl_log(128))


def _listening() -> dict[int, set[str]]:
    """Port → addresses in the kernel's notation, of everything that listens on this machine."""
    found: dict[int, set[str]] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                address, _, port = fields[1].partition(":")
                found.setdefault(int(port, 16), set()).add(address)
    return found
