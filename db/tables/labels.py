"""What people heard or meant: labels of corpora and of one's own, on stretches of recordings."""

from sqlalchemy import (
    REAL,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from db.tables.base import Base, one_of
from db.tables.scores import EMOTIONS, probabilities

#: Share of votes for each class.
SHARES = probabilities("share")
#: Forms that labels of one's own are read in.
LABEL_FORMATS = ("table", "jsonl", "label-studio", "textgrid")
#: What annotators may agree on.
MEASURES = ("emotion", "arousal", "valence")


def _agreement(measure: str, level: str) -> tuple[Column[object], ...]:
    return (
        Column(f"{measure}_alpha", Double, comment=f"Krippendorff's alpha ({level}); NULL: see {measure}_note"),
        Column(f"{measure}_low", Double, comment="lower end of its 95 % interval, by bootstrap over stretches"),
        Column(f"{measure}_high", Double, comment="upper end"),
        Column(f"{measure}_items", Integer, nullable=False, comment="stretches that two or more annotators judged"),
        Column(f"{measure}_note", Text, comment="why there is no alpha"),
    )


#: An import that changed nothing leaves no row.
label_batches = Table(
    "label_batches",
    Base.metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("source", Text, nullable=False, comment="name of the file or folder that was read, without its folder"),
    Column("sha256", Text, nullable=False, comment="hash of what was read"),
    Column("format", Text, nullable=False),
    Column("annotators", ARRAY(Text), nullable=False, comment="who judged"),
    Column("added", Integer, nullable=False, comment="labels that were new"),
    Column("corrected", Integer, nullable=False, comment="labels that replaced the annotator's earlier one"),
    Column("unchanged", Integer, nullable=False, comment="labels that were there already"),
    Column("refused", Integer, nullable=False, comment="lines that could not be followed"),
    Column("left_out", JSONB, nullable=False, comment="lines that say nothing, e.g. skipped tasks: {reason: number}"),
    *_agreement("emotion", "nominal"),
    *_agreement("arousal", "interval"),
    *_agreement("valence", "interval"),
    CheckConstraint(one_of("format", LABEL_FORMATS), name="format"),
    comment="imports of labels of one's own, with the agreement of the annotators on what they brought",
)

#: Keyed on the recording and seconds in it, not on utterances, so that labels survive a new alignment.
labels = Table(
    "labels",
    Base.metadata,
    Column("recording_id", BigInteger, ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True),
    Column("start_s", Double, primary_key=True),
    Column("end_s", Double, primary_key=True),
    Column("annotator", Text, primary_key=True, comment="who judged; a corpus's name: what it publishes as agreed"),
    Column("corpus", Text, nullable=False, comment="archive: labels of one's own"),
    Column("item_id", Text, nullable=False, comment="the corpus's name for it"),
    Column("label", Text, comment="NULL: nothing was agreed, or none of the classes"),
    Column("source_label", Text, comment="the corpus's own word, before classes were merged"),
    *(Column(name, REAL) for name in SHARES),
    Column("arousal", REAL, comment="1 (calm) to 5 (excited)"),
    Column("valence", REAL, comment="1 (negative) to 5 (positive)"),
    Column("speaker", Text, comment="unique across corpora; NULL: whoever the analysis hears there"),
    Column("dialogue", Text),
    Column("session", Text, comment="people who are kept together when a corpus is split"),
    Column("split", Text, comment="the corpus's own: train, dev, test"),
    Column("language", Text, comment="NULL: as the analysis says"),
    Column("note", Text, comment="what the annotator remarked"),
    Column(
        "batch_id",
        BigInteger,
        ForeignKey("label_batches.id", ondelete="SET NULL"),
        comment="import that brought it as it is; NULL: a corpus",
    ),
    Column("imported_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("region", Text, comment="task and region of the tool that it was drawn with; NULL: another source"),
    Column("gender", Text, comment="the speaker's, as the labels say: female, male"),
    Column("style", Text, comment="acted, scripted, improvised, spontaneous, as the corpus says"),
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
    Index(None, "batch_id"),
    Index(None, "imported_at"),
    comment="labels by people, on seconds of a recording; they meet utterances by overlap",
)

#: What an annotator or a corpus said before, so that an older data set can be explained.
replaced_labels = Table(
    "replaced_labels",
    Base.metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("recording_id", BigInteger, ForeignKey("recordings.id", ondelete="CASCADE"), nullable=False),
    Column("start_s", Double, nullable=False),
    Column("end_s", Double, nullable=False),
    Column("annotator", Text, nullable=False),
    Column("was", JSONB, nullable=False, comment="the row of labels before, without its key"),
    Column("imported_at", DateTime(timezone=True), nullable=False, comment="when that had been imported"),
    Column("replaced_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column(
        "replaced_by",
        BigInteger,
        ForeignKey("label_batches.id", ondelete="SET NULL"),
        comment="import that brought another judgement; NULL: a corpus",
    ),
    Index(None, "recording_id"),
    Index(None, "replaced_by"),
    comment="labels as they were before they were corrected",
)
