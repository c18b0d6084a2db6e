"""From drafts to utterances: who speaks each."""

from collections.abc import Sequence

from ml.alignment import speakers
from ml.alignment.draft import Draft
from ml.alignment.types import Speaker, Utterance
from ml.audio.reader import Audio
from ml.transcripts.naming import is_label


def assign_speakers(
    audio: Audio, drafts: Sequence[Draft], count: int | None
) -> tuple[dict[str, Speaker], list[Utterance]]:
    """Speakers by label, and the drafts as utterances in the same order (all numbered 0).

    A name stays; an unnamed voice belongs to its channel where channels are analysed apart, else to a cluster.
    """
    embeddings = speakers.embed_utterances([audio.read(d.channel, d.start_s, d.end_s) for d in drafts])
    origins = [audio.origins[draft.channel] for draft in drafts]
    labels: list[str] = [draft.speaker or "" for draft in drafts]
    unnamed = [i for i, draft in enumerate(drafts) if draft.speaker is None]
    if audio.channels > 1:
        for i in unnamed:
            labels[i] = f"speaker {(origins[i] or 0) + 1}"
    else:
        for i, voice in zip(unnamed, speakers.cluster([embeddings[i] for i in unnamed]), strict=True):
            labels[i] = f"speaker {voice + 1}"
    found: dict[str, Speaker] = {}
    for label in dict.fromkeys(labels):
        own = [i for i, other in enumerate(labels) if other == label]
        found[label] = Speaker(
            label=label,
            named=drafts[own[0]].speaker is not None and not is_label(label),
            embedding=speakers.speaker_vector([embeddings[i] for i in own]),
            channel=origins[own[0]],
        )
    utterances = [
        Utterance(
            number=0,
            speaker=label,
            start_s=draft.start_s,
            end_s=draft.end_s,
            channel=origin,
            text=draft.text,
            words=draft.words,
            phones=draft.phones,
            syllables=draft.syllables,
            quality=draft.quality,
        )
        for draft, label, origin in zip(drafts, labels, origins, strict=True)
    ]
    return found, utterances
