"""Filters reach through the views to indexes, so that one recording among millions is found at once."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from db.engine import make_engine
from tests.integration.conftest import Server

#: 2,000 recordings in 20 archives with 10 utterances each, scored by two versions in batches of 10 recordings.
PLANTED = """
    INSERT INTO profiles (name) VALUES ('mini');
    INSERT INTO profile_versions (profile_id, version, fingerprint, spec, label_set)
    SELECT 1, v, v::text, '{}', '{}' FROM generate_series(1, 2) v;
    SELECT add_profile_version_partition(1), add_profile_version_partition(2);
    INSERT INTO archives (url) SELECT '/archive/' || i FROM generate_series(1, 20) i;
    INSERT INTO recordings (sha256, size_bytes, duration_s) SELECT i, 1, 60 FROM generate_series(1, 2000) i;
    INSERT INTO archive_files (archive_id, path, size_bytes, mtime_ns, recording_id)
    SELECT 1 + i / 101, i || '.wav', 1, 1, i FROM generate_series(1, 2000) i;
    INSERT INTO alignments (recording_id, options_hash, options, source_file_id, state)
    SELECT i, '', '{}', i, 'done' FROM generate_series(1, 2000) i;
    INSERT INTO speakers (name, recording_id) SELECT 'speaker 1', i FROM generate_series(1, 2000) i;
    INSERT INTO utterances (alignment_id, utterance_no, speaker_id, start_s, end_s)
    SELECT i, u, i, u, u + 1 FROM generate_series(1, 2000) i, generate_series(0, 9) u;
    INSERT INTO jobs (archive_id, profile_version_id, options, root_id)
    SELECT i, 2, '{}', gen_random_uuid() FROM generate_series(1, 20) i;
    INSERT INTO batches (job_id, profile_version_id, utterances, seconds)
    SELECT 1 + i / 11, 2, 100, 100 FROM generate_series(1, 200) i;
    INSERT INTO scores (profile_version_id, alignment_id, utterance_no, batch_id, label)
    SELECT v, i, u, 1 + i / 11, (ARRAY['happy', 'sad'])[1 + mod(u, 2)]
      FROM generate_series(1, 2) v, generate_series(1, 2000) i, generate_series(0, 9) u;
    INSERT INTO recording_scores (alignment_id, profile_version_id, state)
    SELECT i, v, 'done' FROM generate_series(1, 2) v, generate_series(1, 2000) i;
    INSERT INTO job_recordings (job_id, file_id, recording_id, alignment_id, profile_version_id, state)
    SELECT 1 + i / 101, i, i, i, 2, 'done' FROM generate_series(1, 2000) i;
    INSERT INTO labels (recording_id, start_s, end_s, annotator, corpus, item_id, label, speaker, language)
    SELECT i, 0, 60, 'somebody', 'csv', i, 'sad', 'somebody', 'en' FROM generate_series(1, 2000) i;
"""
#: Tables with a row per recording or more.
LARGE = {
    "archive_files",
    "recordings",
    "alignments",
    "utterances",
    "recording_scores",
    "scores_v1",
    "scores_v2",
    "labels",
}


@pytest.fixture(scope="module")
def planted(server: Server, template: str) -> Iterator[Connection]:
    """A database large enough for Postgres to prefer indexes, with statistics."""
    name = server.create_database(template)
    engine = make_engine(server.url(name))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql(PLANTED)
        conn.execute(text("VACUUM ANALYZE"))
    with engine.connect() as conn:
        yield conn
    server.drop_database(name)


def plan(conn: Connection, query: str) -> str:
    return "\n".join(conn.execute(text(f"EXPLAIN {query}")).scalars())


def read_whole(plan: str) -> set[str]:
    return set(re.findall(r"Seq Scan on (\w+)", plan)) & LARGE


@pytest.mark.parametrize(
    "where", ["recording = '77.wav'", "recording_id = 77", "archive = '/archive/1' AND recording = '77.wav'"]
)
@pytest.mark.parametrize(
    "view",
    [
        *("utterance_emotions", "job_emotions", "conversation_emotions", "speaker_emotions", "emotion_timeline"),
        *("emotion_shifts", "conversation_dynamics"),
        "labelled_utterances",
    ],
)
def test_one_recording_is_found_by_indexes(planted: Connection, view: str, where: str) -> None:
    query = f"SELECT * FROM {view} WHERE {where}"

    assert planted.execute(text(query)).first() is not None
    assert read_whole(plan(planted, query)) == set()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM job_progress WHERE job_id = 7",
        "SELECT * FROM job_emotions WHERE job_id = 7 AND recording = '650.wav'",
    ],
)
def test_one_job_is_found_by_indexes(planted: Connection, query: str) -> None:
    assert planted.execute(text(query)).first() is not None
    assert not {"utterances", "scores_v1", "scores_v2", "job_recordings"} & read_whole(plan(planted, query))


def test_what_is_current_is_decided_by_joins_not_row_by_row(planted: Connection) -> None:
    for view in ("utterance_emotions", "conversation_emotions", "speaker_emotions", "emotion_timeline"):
        found = plan(planted, f"SELECT p_angry FROM {view} WHERE archive = '/archive/3'")
        assert "Anti Join" in found
        assert "SubPlan" not in found
