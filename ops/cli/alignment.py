"""`tenor align`: one recording aligned in this process, as tables, in another program's format, or as a picture."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ml.alignment.options import AlignOptions
from ml.alignment.quality import noted
from ml.alignment.recording import align_recording
from ml.alignment.types import Alignment, Utterance
from ml.alignment.writing import to_ctm, to_json, to_rttm, to_srt, to_textgrid
from ml.audio.decode import probe
from ml.errors import TenorError
from ml.languages import standard_language
from ml.transcripts import find_listed, find_transcript
from ops.cli.session import Session
from ops.cli.text import visible
from ops.drawing.alignment_tables import clock_ms, quality_notes, speakers_table, utterances_table, words_table
from workers.settings import load_settings

#: What each option prints.
FORMS: dict[str, Callable[[Alignment, str], str]] = {
    "--textgrid": lambda alignment, name: to_textgrid(alignment),
    "--ctm": to_ctm,
    "--srt": lambda alignment, name: to_srt(alignment),
    "--rttm": to_rttm,
}
#: What an alignment must have for a format to hold anything, and the sentence when it has not.
NEEDS: dict[str, tuple[Callable[[Utterance], object], str]] = {
    "--ctm": (lambda u: u.words, "No word has a time, so the CTM is empty."),
    "--srt": (lambda u: u.text, "There is no text, so the SRT is empty."),
}


class TranscriptMissing(TenorError):
    """The transcript that was named is not there."""

    code = "transcript_missing"
    hint = "Check the path; without --transcript, the one beside the recording is used."


class RecordingMissing(TenorError):
    """The recording that was named is not there, or is no file."""

    code = "recording_missing"
    hint = "Check the path."


class WindowBeyondEnd(TenorError):
    """The recording ends before the part that is to be shown begins."""

    code = "window_beyond_end"
    hint = "Give --from a time before the end, in seconds; without it, all is shown."


class PlotUnsupported(TenorError):
    """The picture's name asks for another format."""

    code = "plot_unsupported"
    hint = "Give the picture a name that ends in .png."


def align(
    session: Session,
    file: Path,
    transcript: Path | None,
    given: dict[str, Any],
    *,
    form: str | None,
    plot: Path | None,
    window: tuple[float, float | None],
) -> None:
    """Align and show; `form` is a key of `FORMS`, "--json", or None for tables; `window` bounds tables and picture."""
    _require_recording(file)
    if transcript is not None and not transcript.is_file():
        raise TranscriptMissing(f"there is no transcript {transcript}")
    if plot is not None and plot.suffix.lower() != ".png":
        raise PlotUnsupported(f"the picture's name {plot.name} does not end in .png")
    # The header may not say how long it is, or not truly; then it is known once the recording is aligned.
    _require_within(window[0], probe(file).duration_s)
    options = AlignOptions(**given)
    options = replace(options, language=standard_language(options.language))
    text = transcript or find_transcript(file) or find_listed(file)
    alignment = align_recording(file, text, options, load_settings().device)
    _require_within(window[0], alignment.duration_s)
    if form == "--json":
        session.document(to_json(alignment))
    elif form is not None:
        session.stdout.write(FORMS[form](alignment, file.stem))
    else:
        _tables(session, file, alignment, within(alignment, window))
    for line in warnings(alignment, form):
        session.say(line)
    if plot is not None:
        from ops.drawing.alignment import save_alignment
        from ops.drawing.cache import keep_fonts_in

        keep_fonts_in(load_settings().home)
        save_alignment(file, alignment, options.channels, plot, *window)
        session.say(f"Picture: {visible(str(plot))}")


def _require_recording(file: Path) -> None:
    if file.is_dir():
        raise RecordingMissing(
            f"the path {visible(str(file))} is a folder; this command aligns one recording",
            hint="Name a file in it, or analyse all of it with `tenor analyze`.",
        )
    if not file.exists():
        raise RecordingMissing(f"there is no recording {visible(str(file))}")


def _require_within(start_s: float, duration_s: float | None) -> None:
    if start_s > 0 and duration_s is not None and start_s >= duration_s:
        raise WindowBeyondEnd(f"--from is {start_s:g} s, but the recording ends at {duration_s:.3f} s")


def _tables(session: Session, file: Path, alignment: Alignment, shown: tuple[Utterance, ...]) -> None:
    session.print(f"recording   {visible(file.name)}")
    session.print(f"length      {clock_ms(alignment.duration_s)} ({alignment.duration_s:.3f} s)")
    session.print(f"aligner     {alignment.aligner}")
    session.print(f"language    {alignment.language or 'unknown: there is no text'}")
    session.out.print(speakers_table(alignment))
    session.out.print(utterances_table(shown))
    if any(u.words for u in shown):
        session.out.print(words_table(shown))
    else:
        session.print("No word has a time.")
    for line in quality_notes(shown):
        session.print(line)


def within(alignment: Alignment, window: tuple[float, float | None]) -> tuple[Utterance, ...]:
    """The utterances that are heard in a window, with those of their words that are."""
    start_s, end_s = window[0], alignment.duration_s if window[1] is None else window[1]
    if start_s <= 0 and end_s >= alignment.duration_s:
        return alignment.utterances
    return tuple(
        replace(u, words=u.words and tuple(w for w in u.words if w.start_s < end_s and w.end_s > start_s))
        for u in alignment.utterances
        if u.start_s < end_s and u.end_s > start_s
    )


def warnings(alignment: Alignment, form: str | None) -> list[str]:
    """What a person should know about the result, a sentence each; tables tell about single utterances themselves."""
    found = []
    if note := noted(alignment.quality):
        found.append(f"Warning: {note[1]}.")
    if form in NEEDS and not any(NEEDS[form][0](u) for u in alignment.utterances):
        found.append(f"Warning: {NEEDS[form][1]}")
    return [visible(line) for line in found]
