"""What a run hears without labels: recent utterances of the archive, of nobody whom challengers are tested on."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from db.targets import Target
from db.unlabelled import unlabelled
from ml.corpora.types import TEXT_MODEL, LabelledUtterance, Skipped
from workers import context
from workers.retraining import data, models
from workers.retraining.data import Items
from workers.retraining.labelled import items_of, speaker_of

#: Utterances, where a plan does not say. Each costs as much to hear as one that has a label.
USUAL = 400
#: Candidates for each of them: a third of the people are not to be heard.
_SPARE = 2
Pair = tuple[Target, LabelledUtterance]


def sample(
    conn: Connection, profile_id: int, champion: models.Version, labelled: Sequence[Pair], *, most: int, seed: int
) -> Items:
    """At most so many utterances, a lot over speakers by `seed`, with what the champion's text model said of them.

    Whoever is held out is not heard: no recording in which labels put such a person, no voice that is named as one, no
    audio of a kept corpus's. Speakers who are met here first are divided as those of labels are, so that somebody who
    was heard is not tested on when he gets labels. Voices without a name are of one recording, so nobody can tell
    whether they are one person's.
    """
    known = data.parts(conn, profile_id)
    held = [target for target, item in labelled if known.get(item.speaker) == "holdout"]
    contents = {
        sha256
        for one in data.corpora(conn, profile_id)
        for item, sha256 in zip(one.manifest.items, one.manifest.audio_sha256, strict=True)
        if sha256 is not None and known.get(item.speaker) == "holdout"
    }
    found = unlabelled(
        conn,
        profile_id,
        most=most * _SPARE,
        seed=seed,
        text_model=champion.spec.get("text", {}).get("sha256"),
        recordings={target.recording_id for target in held},
        contents=contents,
        voices={target.voice for target in held if target.voice is not None and target.voice_is_named},
    )
    decided = data.divide(conn, profile_id, map(speaker_of, found), data.HOLDOUT, least=0)
    chosen = [target for target in found if decided[speaker_of(target)] == "train"][:most]
    pairs = items_of(conn, chosen, clips=context.settings().models / "clips", skipped=Skipped())
    return [item if item.distribution is None else replace(item, annotator=TEXT_MODEL) for _, item in pairs]
