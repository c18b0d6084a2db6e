"""Puts recordings and scores into a test's database by hand, so that every expected value can be reckoned on paper."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, text

from db.scores import ScoreBlock, roll_up, write_scores, write_utterances
from db.tables.scores import EMOTIONS

#: (speaker, start_s, end_s, text)
Spoken = tuple[str, float, float, str | None]


def distribution(**given: float) -> list[float]:
    """Probabilities in the order of the classes; what is not given is 0."""
    return [given.get(emotion, 0.0) for emotion in EMOTIONS]


#: No value on this side.
ABSENT = [float("nan")] * len(EMOTIONS)


@dataclass
class Plant:
    """Ways to put rows in; every method returns an id."""

    conn: Connection

    def row(self, table: str, **values: Any) -> int:
        """Insert one row."""
        columns, places = ", ".join(values), ", ".join(f":{name}" for name in values)
        return int(
            self.conn.execute(
                text(f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING id"), values
            ).scalar_one()
        )

    def profile(self, name: str = "mini") -> int:
        return self.row("profiles", name=name)

    def version(self, profile: int, number: int, *, champion: bool = False) -> int:
        """A profile version with its partition."""
        version = self.row(
            "profile_versions",
            profile_id=profile,
            version=number,
            fingerprint=f"{number}",
            spec="{}",
            label_set=list(EMOTIONS),
        )
        self.conn.execute(text("SELECT add_profile_version_partition(:v)"), {"v": version})
        if champion:
            self.conn.execute(text("UPDATE profiles SET champion_id = :v WHERE id = :p"), {"v": version, "p": profile})
        return version

    def archive(self, url: str = "/calls") -> int:
        return self.row("archives", url=url)

    def recording(self, seconds: float = 60.0) -> int:
        return self.row("recordings", sha256=uuid.uuid4().hex, size_bytes=1, duration_s=seconds)

    def file(self, archive: int, path: str, recording: int | None, *, transcript: str = "", **more: Any) -> int:
        return self.row(
            "archive_files",
            archive_id=archive,
            path=path,
            recording_id=recording,
            transcript_sha256=transcript,
            size_bytes=1,
            mtime_ns=1,
            **more,
        )

    def speaker(self, name: str, recording: int | None = None) -> int:
        """Named for everybody, or of one recording; the same one when it is there."""
        found = self.conn.execute(
            text("SELECT id FROM speakers WHERE name = :n AND recording_id IS NOT DISTINCT FROM :r"),
            {"n": name, "r": recording},
        ).scalar()
        return int(found) if found is not None else self.row("speakers", name=name, recording_id=recording)

    def alignment(
        self,
        recording: int,
        file: int,
        spoken: Sequence[Spoken],
        *,
        transcript: str = "",
        options: str = "plain",
    ) -> int:
        """A done alignment with its utterances and speakers."""
        alignment = self.row(
            "alignments",
            recording_id=recording,
            transcript_sha256=transcript,
            options_hash=options,
            options="{}",
            source_file_id=file,
            state="done",
            language="en",
            duration_s=60.0,
        )
        speakers = {name: self.speaker(name) for name, *_ in spoken}
        for speaker in speakers.values():
            self.conn.execute(
                text("INSERT INTO alignment_speakers (alignment_id, speaker_id, embedding) VALUES (:a, :s, '{}')"),
                {"a": alignment, "s": speaker},
            )
        write_utterances(
            self.conn,
            [
                (alignment, number, speakers[name], None, start, end, words, "en", None, None, None, None)
                for number, (name, start, end, words) in enumerate(spoken)
            ],
        )
        return alignment

    def job(self, archive: int, version: int, **more: Any) -> int:
        return self.row(
            "jobs",
            archive_id=archive,
            profile_version_id=version,
            root_id=uuid.uuid4(),
            **{"options": "{}", "state": "running", **more},
        )

    def batch(self, job: int, version: int) -> int:
        return self.row("batches", job_id=job, profile_version_id=version, utterances=1, seconds=1.0)

    def link(self, job: int, file: int, state: str, **more: Any) -> None:
        """The job's line for a file."""
        values = {"job_id": job, "file_id": file, "state": state, **more}
        columns, places = ", ".join(values), ", ".join(f":{name}" for name in values)
        self.conn.execute(text(f"INSERT INTO job_recordings ({columns}) VALUES ({places})"), values)

    def score(
        self,
        alignment: int,
        version: int,
        batch: int,
        fused: Sequence[Sequence[float]],
        *,
        state: str = "done",
        quality: Sequence[str | None] = (),
    ) -> None:
        """Scores of an alignment's utterances in their order, speech the same as fused and no text."""
        values = np.array(fused)
        block = ScoreBlock(
            profile_version_id=version,
            batch_id=batch,
            keys=[(alignment, number) for number in range(len(fused))],
            speech=values,
            text=np.full(values.shape, np.nan),
            fused=values,
            quality=quality,
        )
        write_scores(self.conn, block)
        self.conn.execute(
            text("INSERT INTO recording_scores (alignment_id, profile_version_id) VALUES (:a, :v)"),
            {"a": alignment, "v": version},
        )
        if state == "done":
            roll_up(self.conn, [alignment], version)
        else:
            self.conn.execute(
                text("UPDATE recording_scores SET state = :s WHERE alignment_id = :a AND profile_version_id = :v"),
                {"s": state, "a": alignment, "v": version},
            )

    def rows(self, query: str, **values: Any) -> list[dict[str, Any]]:
        """What a query finds."""
        return [dict(row) for row in self.conn.execute(text(query), values).mappings()]
