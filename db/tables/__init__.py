"""Tables, by subject. Import from here, so that the metadata is complete."""

from db.tables.archive import (
    AlignmentRow,
    AlignmentSpeaker,
    Archive,
    ArchiveFile,
    Recording,
    SpeakerRow,
    UtteranceRow,
)
from db.tables.base import Base
from db.tables.erasures import ErasedMark, Erasure
from db.tables.labels import label_batches, labels, replaced_labels
from db.tables.models import Model, Profile, ProfileVersion
from db.tables.scores import RecordingScore, scores
from db.tables.training import (
    QualityMeasure,
    QualityReference,
    SpeakerPart,
    TrainingCorpus,
    TrainingRun,
    TrainingSchedule,
)
from db.tables.work import (
    Batch,
    BatchMember,
    Event,
    Group,
    GroupMember,
    Job,
    JobRecording,
    ManifestProblem,
    Stage,
)

__all__ = [
    "AlignmentRow",
    "AlignmentSpeaker",
    "Archive",
    "ArchiveFile",
    "Base",
    "Batch",
    "BatchMember",
    "ErasedMark",
    "Erasure",
    "Event",
    "Group",
    "GroupMember",
    "Job",
    "JobRecording",
    "ManifestProblem",
    "Model",
    "Profile",
    "ProfileVersion",
    "QualityMeasure",
    "QualityReference",
    "Recording",
    "RecordingScore",
    "SpeakerPart",
    "SpeakerRow",
    "Stage",
    "TrainingCorpus",
    "TrainingRun",
    "TrainingSchedule",
    "UtteranceRow",
    "label_batches",
    "labels",
    "replaced_labels",
    "scores",
]
