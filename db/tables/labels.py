"""What people heard or meant: labels of corpora and of one's own, on stretches of recordings."""

from sqlalchemy import (
    REAL,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Table,
    Text,
    func,
)

from db.tables.base import Base, one_of
from db.tables.scores import EMOTIONS, probabilities

#: Share of votes for each class.
SHARES = probabilities("share")

#: Keyed on the recording and seconds in it, not on utterances, so that labels survive a new alignment.
labels = Table(
    "labels",
    Base.metadata,
    Column("recording_id", BigInteger, ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True),
    Column("start_s", Double, primary_key=True),
    Column("end_s", Double, primary_key=True),
    Column("annotator", Text, primary_key=True, comment="who judged; a corpus's name: what it publishes as agreed"),
    Column("corpus", Text, nullable=False),
    Column("item_id", Text, nullable=False, comment="the corpus's name for it"),
    Column("label", Text, comment="NULL: nothing was agreed, or none of the classes"),
    Column("source_label", Text, comment="the corpus's own word, before classes were merged"),
    *(Column(name, REAL) for name in SHARES),
    Column("arousal", REAL, comment="1 (calm) to 5 (excited)"),
    Column("valence", REAL, comment="1 (negative) to 5 (positive)"),
    Column("speaker", Text, nullable=False, comment="unique across corpora"),
    Column("dialogue", Text),
    Column("session", Text, comment="people who are kept together when a corpus is split"),
    Column("split", Text, comment="the corpus's own: train, dev, test"),
    Column("language", Text, nullable=False),
    Column("imported_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint(one_of("label", EMOTIONS), name="label"),
    CheckConstraint("0 <= start_s AND start_s < end_s", name="has_duration"),
    CheckConstraint(" AND ".join(f"({name} IS NULL OR {name} BETWEEN 0 AND 1)" for name in SHARES), name="share_range"),
    CheckConstraint(
        "(arousal IS NULL OR arousal BETWEEN 1 AND 5) AND (valence IS NULL OR valence BETWEEN 1 AND 5)",
        name="affect_range",
    ),
    CheckConstraint(
        f"coalesce(label, arousal::text, valence::text, {SHARES[0]}::text) IS NOT NULL", name="says_something"
    ),
    Index(None, "corpus"),
    comment="labels by people, on seconds of a recording; they meet utterances by overlap",
)
