"""Text for utterances that no transcript gives one: recognised, then timed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

from ml.alignment.aligner import Aligner, NotAligned, Piece, Placed
from ml.alignment.draft import Draft
from ml.alignment.moving import later, moved
from ml.alignment.options import AlignOptions
from ml.alignment.quality import NOT_TRANSCRIBED, TRANSCRIBED
from ml.alignment.tokens import tokens
from ml.alignment.types import Word
from ml.audio.reader import Audio
from ml.languages import code_of
from ml.transcription.transcriber import Heard, Transcriber, load, lock

#: Pieces whose sound is in memory at once.
TOGETHER = 64
#: The language of a recording is told from so many utterances, its longest.
LISTENED = 8


@dataclass(frozen=True, slots=True)
class _Span:
    """A draft, or a part of one that is longer than the transcriber hears."""

    draft: int
    start_s: float
    end_s: float


def transcribe_drafts(
    audio: Audio, drafts: Sequence[Draft], options: AlignOptions, aligner: Aligner
) -> tuple[list[Draft], str | None]:
    """The drafts with what `options.transcriber` recognises in them, and the language (ISO 639-1) of the recording.

    The language is the job's, else the profile's, else what the checkpoint hears or the text shows; None: it cannot
    be told. Words are the checkpoint's own where it times them, else the job's aligner places them where it can. Where
    nothing is recognised there is no text; in a language that the checkpoint does not know nothing is tried, and
    `quality` says so. Raises the errors of `ml.checkpoints.errors`.
    """
    assert options.transcriber is not None
    with lock:
        transcriber = load(options.transcriber)
        spans = [span for index, draft in enumerate(drafts) for span in _spans(index, draft, transcriber.max_s)]
        wanted = options.transcriber_language if options.language == "auto" else options.language
        language = (code_of(wanted) or wanted) if wanted else _detect(audio, drafts, spans, transcriber)
        if language is not None and not transcriber.knows(language):
            return [replace(draft, quality=draft.quality or NOT_TRANSCRIBED) for draft in drafts], None
        heard = _transcribe(audio, drafts, spans, transcriber, language)
    written = [_with(draft, heard.get(index, ())) for index, draft in enumerate(drafts)]
    if language is None:
        from ml.transcripts.language import detect

        language = detect(" ".join(draft.text or "" for draft in written))
    return _placed(audio, written, aligner, language), language


def _spans(index: int, draft: Draft, max_s: float) -> Iterator[_Span]:
    parts = max(1, ceil((draft.end_s - draft.start_s) / max_s))
    step = (draft.end_s - draft.start_s) / parts
    for part in range(parts):
        yield _Span(index, draft.start_s + part * step, draft.start_s + (part + 1) * step)


def _detect(audio: Audio, drafts: Sequence[Draft], spans: Sequence[_Span], transcriber: Transcriber) -> str | None:
    # One language for a recording: a single "yes" cannot tell, and costs as much as a long utterance.
    longest = sorted(spans, key=lambda span: (span.start_s - span.end_s, span.start_s))[:LISTENED]
    return transcriber.detect([audio.read(drafts[s.draft].channel, s.start_s, s.end_s) for s in longest])


def _transcribe(
    audio: Audio, drafts: Sequence[Draft], spans: Sequence[_Span], transcriber: Transcriber, language: str | None
) -> dict[int, list[tuple[_Span, Heard]]]:
    """What is heard in each draft's spans, in order of time; spans of like length are recognised together."""
    ordered = sorted(spans, key=lambda span: (span.start_s - span.end_s, span.start_s))
    found: dict[int, list[tuple[_Span, Heard]]] = {}
    for begin in range(0, len(ordered), TOGETHER):
        group = ordered[begin : begin + TOGETHER]
        sound = [audio.read(drafts[span.draft].channel, span.start_s, span.end_s) for span in group]
        for span, heard in zip(group, transcriber.transcribe(sound, language), strict=True):
            found.setdefault(span.draft, []).append((span, heard))
    return {index: sorted(parts, key=lambda part: part[0].start_s) for index, parts in found.items()}


def _with(draft: Draft, parts: Sequence[tuple[_Span, Heard]]) -> Draft:
    text = " ".join(heard.text for _, heard in parts if heard.text)
    if not text:
        return draft
    words: tuple[Word, ...] | None = None
    if all(heard.words is not None for _, heard in parts if heard.text):
        words = tuple(
            word for span, heard in parts for word in moved(Placed(heard.words or ()), later(span.start_s)).words
        )
    # A note about a transcript that could not be used matters more.
    return replace(draft, text=text, words=words, quality=draft.quality or TRANSCRIBED)


def _placed(audio: Audio, drafts: list[Draft], aligner: Aligner, language: str | None) -> list[Draft]:
    """Words of the drafts whose transcriber did not time them, from the aligner."""
    if not aligner.can(language):
        return drafts
    result = list(drafts)
    without = [index for index, draft in enumerate(drafts) if draft.text and draft.words is None]
    for begin in range(0, len(without), TOGETHER):
        group = without[begin : begin + TOGETHER]
        pieces = [
            Piece(audio.read(d.channel, d.start_s, d.end_s), tuple(tokens(d.text or "")), language or "")
            for d in (drafts[index] for index in group)
        ]
        for index, placed in zip(group, aligner.align(pieces), strict=True):
            if not isinstance(placed, NotAligned):
                at = moved(placed, later(drafts[index].start_s))
                result[index] = replace(drafts[index], words=at.words, phones=at.phones, syllables=at.syllables)
    return result
