"""Two machines, one broker, one database, one object store: what they share and what they survive."""

from pathlib import Path

import pytest

from tests.faults.archive import make_archive
from tests.faults.oracle import Verdict, all_values, judge
from tests.faults.running import Reference
from tests.hosts.conftest import BUCKET, HOSTS, Site

RECORDINGS = 48

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module")
def archive(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A few recordings and their transcripts in the bucket."""
    folder = tmp_path_factory.mktemp("hosts") / "archive"
    make_archive(folder, recordings=RECORDINGS)
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    site.s3.put(BUCKET, {f"2026/{path.relative_to(folder)}": path.read_bytes() for path in files})
    return f"s3://{BUCKET}/2026"


@pytest.fixture(scope="module")
def expected(site: Site, archive: str) -> Reference:
    """What a run gives that nobody disturbs; some of the short recordings hold no speech."""
    job = site.done(archive)
    with site.connected() as cursor:
        values = all_values(cursor, job)
    failed = site.rows(
        "SELECT f.path, r.error_code FROM job_recordings r JOIN archive_files f ON f.id = r.file_id"
        " WHERE r.job_id = %(job)s AND r.state = 'failed'",
        job=job,
    )
    assert len({path for path, _, _ in values}) + len(failed) == RECORDINGS and len(failed) < RECORDINGS / 10
    site.forget()
    return Reference(values, {row.path: {row.error_code} for row in failed})


def verdict(site: Site, job: int, expected: Reference) -> Verdict:
    with site.connected() as cursor:
        return judge(cursor, job, expected.values, expected.failed)


def held(site: Site, host: str) -> list[Path]:
    folder = site.hosts[host].home / "scratch" / "held"
    return [path for path in folder.iterdir() if path.is_dir()] if folder.exists() else []


def test_an_archive_on_s3_is_scored_by_both_hosts(site: Site, archive: str, expected: Reference) -> None:
    job = site.done(archive, "far")

    assert (found := verdict(site, job, expected)), found
    scored = site.scored_on(job)
    assert set(scored) == set(HOSTS) and min(scored.values()) > 0, scored
    site.until(lambda: not site.s3.keys("objects"), "objects between stages are removed", 120)
    assert not any(held(site, host) for host in HOSTS)
    site.forget()


def test_a_host_whose_network_is_pulled_costs_nothing_and_comes_back(
    site: Site, archive: str, expected: Reference
) -> None:
    # Given a job that both hosts work on
    job = int(site.hosts["near"].json("enqueue", archive)["job_id"])
    site.until(lambda: set(site.scored_on(job)) == set(HOSTS), "both hosts have scored something")

    # When one's network is pulled in the middle, then the other completes the job
    site.network.pull("far")
    before = site.scored_on(job)["far"]
    try:
        assert site.ended(job) is None, "the job was over before the network was pulled"
        assert site.until(lambda: site.ended(job), "the other host completes the job") == "done"
        assert (found := verdict(site, job, expected)), found
        assert site.scored_on(job)["far"] <= before + 1
    finally:
        site.network.plug("far")

    # And what the lost one still had in hand changes nothing once it is back, where it takes part again
    for _ in range(8):
        site.forget()
        job = site.done(archive)
        if "far" in site.scored_on(job):
            break
    else:
        pytest.fail(f"the host did not come back\n{site.hosts['far'].logs()}")
    assert (found := verdict(site, job, expected)), found
