"""Units of work put into a test's database by hand, and a worker that does nothing but claim and end."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from tests.integration.planting import Plant
from workers.ledger import claims, dispatch
from workers.ledger.claims import Claim
from workers.ledger.leases import break_lost
from workers.ledger.units import Member, add_batch, add_group
from workers.settings import Settings

TRIES = 3
ROOT = uuid.uuid4()


@dataclass
class Work:
    """A job with recordings of ten seconds, and the moves that workers make."""

    plant: Plant
    archive: int
    version: int
    settings: Settings

    @property
    def conn(self) -> Connection:
        return self.plant.conn

    def job(self, **more: object) -> int:
        return self.plant.job(self.archive, self.version, **more)

    def pending(self, job: int, count: int) -> list[int]:
        """Recordings of a job that are to be aligned."""
        made = []
        for _ in range(count):
            recording = self.plant.recording(10.0)
            file = self.plant.file(self.archive, uuid.uuid4().hex, recording)
            alignment = self.plant.row(
                "alignments", recording_id=recording, transcript_sha256="", options_hash="plain", options="{}",
                source_file_id=file, state="pending",
            )  # fmt: skip
            self.plant.link(job, file, "aligning", recording_id=recording, alignment_id=alignment)
            made.append(alignment)
        return made

    def group(self, job: int, alignments: Sequence[int]) -> None:
        add_group(self.conn, job, [(alignment, 10.0) for alignment in alignments], ROOT, None)

    def aligned(self, job: int, utterances: int) -> int:
        """A recording with so many utterances that is to be scored."""
        recording = self.plant.recording(10.0)
        file = self.plant.file(self.archive, uuid.uuid4().hex, recording)
        spoken = [("ann", float(number), number + 0.5, None) for number in range(utterances)]
        alignment = self.plant.alignment(recording, file, spoken)
        self.conn.execute(
            text("INSERT INTO recording_scores (alignment_id, profile_version_id) VALUES (:a, :v)"),
            {"a": alignment, "v": self.version},
        )
        self.plant.link(
            job, file, "scoring", recording_id=recording, alignment_id=alignment, profile_version_id=self.version
        )
        return alignment

    def batch(self, job: int, sizes: dict[int, int]) -> None:
        members = [Member(alignment, 0, size - 1) for alignment, size in sizes.items()]
        add_batch(self.conn, job, self.version, members, 10.0, ROOT, None)

    def admit(self) -> list[int]:
        return dispatch.admit(self.conn, self.settings)

    def claim(self, stage_id: int) -> Claim | None:
        """Take a stage now, whatever pause it has."""
        self.conn.execute(text("UPDATE stages SET ready_at = now() WHERE id = :id"), {"id": stage_id})
        return claims.claim(self.conn, stage_id, uuid.uuid4(), lease_s=60, max_tries=TRIES)

    def crash(self, claim: Claim) -> None:
        """The process ends without a word; somebody notices."""
        self.conn.execute(
            text("UPDATE stages SET lease_until = now() - interval '1 s' WHERE id = :id"), {"id": claim.stage_id}
        )
        assert break_lost(self.conn, max_tries=TRIES) == 1

    def members(self, claim: Claim) -> set[int]:
        rows = self.plant.rows("SELECT alignment_id AS a FROM group_members WHERE group_id = :g", g=claim.group_id)
        return {row["a"] for row in rows}

    def stage(self, stage_id: int) -> dict[str, object]:
        return self.plant.rows("SELECT * FROM stages WHERE id = :id", id=stage_id)[0]
