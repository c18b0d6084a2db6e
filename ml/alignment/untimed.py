"""Utterances from a transcript without times: the text is aligned as a whole, then cut at sentence ends and pauses."""

from collections.abc import Sequence

from ml.alignment.aligner import Aligner, NotAligned, Piece
from ml.alignment.draft import Draft
from ml.alignment.loudness import loudest
from ml.alignment.quality import MISMATCH, NO_ALIGNER
from ml.alignment.tokens import tokens
from ml.audio.reader import Audio
from ml.audio.vad import speech_segments
from ml.transcripts import Turn

#: A pause between words that ends an utterance, and one that does so after a sentence.
PAUSE_S, SENTENCE_PAUSE_S = 0.6, 0.2
#: More words per second of speech than anybody says.
MAX_WORDS_PER_S = 7.0


def from_plain_text(
    audio: Audio, turns: Sequence[Turn], aligner: Aligner, language: str, max_s: float
) -> tuple[list[Draft] | None, str | None]:
    """Utterances cut from text aligned as a whole; None and a reason when it cannot be."""
    if not aligner.can(language):
        return None, NO_ALIGNER
    mix = audio.read(None)
    owners = [index for index, turn in enumerate(turns) for _ in tokens(turn.text)]
    written = tuple(token for turn in turns for token in tokens(turn.text))
    segments = speech_segments(mix)
    speech_s = sum(end - start for start, end in segments)
    if not segments or not written or len(written) > MAX_WORDS_PER_S * max(speech_s, 1.0):
        return None, MISMATCH
    (placed,) = aligner.align([Piece(mix, written, language)])
    if isinstance(placed, NotAligned) or len(placed.words) != len(written):
        return None, MISMATCH
    words, phones = placed.words, placed.phones or ()
    ends = _sentence_ends(turns)
    drafts: list[Draft] = []
    first = 0
    for index in range(1, len(words) + 1):
        if index < len(words):
            pause = words[index].start_s - words[index - 1].end_s
            full = words[index].end_s - words[first].start_s > max_s
            turned = (
                owners[index] != owners[index - 1] and turns[owners[index]].speaker != turns[owners[index - 1]].speaker
            )
            sentence = index - 1 in ends and pause >= SENTENCE_PAUSE_S
            if not (pause >= PAUSE_S or full or turned or sentence):
                continue
        own = words[first:index]
        start, end = own[0].start_s, min(own[-1].end_s, audio.duration_s)
        drafts.append(
            Draft(
                start,
                end,
                loudest(audio, start, end),
                turns[owners[first]].speaker,
                text=" ".join(word.text for word in own),
                words=own,
                phones=tuple(p for p in phones if p.start_s >= start - 1e-6 and p.end_s <= end + 1e-6),
            )
        )
        first = index
    return drafts, None


def _sentence_ends(turns: Sequence[Turn]) -> set[int]:
    """Indices of the words that a sentence or a turn ends with."""
    ends, count = set(), 0
    for turn in turns:
        for chunk in turn.text.split():
            count += len(tokens(chunk))
            if chunk.rstrip("\"'”’)").endswith((".", "?", "!", "…")):
                ends.add(count - 1)
        ends.add(count - 1)
    return ends
