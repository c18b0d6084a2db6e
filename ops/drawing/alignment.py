"""An alignment over its sound: waveform, spectrogram, and a lane per speaker with utterances, words and phones."""

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

from ml.alignment.types import Alignment, Utterance
from ml.audio.reader import open_audio
from ops.drawing.alignment_tables import clock_ms
from ops.drawing.lettering import Lettering, lettering
from ops.drawing.lines import Line, broken, marks, ticks
from ops.drawing.sound import Sound, columns_of

#: A line of the picture holds at most so much at which words, and phones, can still be read.
WORDS_S, PHONES_S = 15.0, 8.0
#: Inches; at this resolution the smallest letters are 11 pixels high.
WIDTH, LEFT, RIGHT, TOP, BOTTOM, DPI = 16.0, 1.35, 0.35, 0.5, 0.35, 120
WAVE, SPECTROGRAM, AXIS, LANE, WORD_ROW = 0.45, 0.75, 0.38, 0.26, 0.17
SMALL, NORMAL = 7.0, 8.5
#: Decibels below the loudest that are still grey.
RANGE_DB = 65.0
#: Okabe and Ito's colours, for speakers in order of appearance.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#666666")


def save_alignment(
    audio: Path,
    alignment: Alignment,
    channels: Literal["auto", "split", "mix"],
    path: Path,
    start_s: float = 0.0,
    end_s: float | None = None,
) -> None:
    """Draw what lies between two times into a PNG; needs no display.

    Words are drawn where a line holds at most `WORDS_S` seconds, phones at `PHONES_S`; on longer lines utterances
    carry their text as far as there is room. Memory does not grow with the recording.
    """
    last = alignment.duration_s if end_s is None else min(end_s, alignment.duration_s)
    lines = broken(min(start_s, last), last, whole_s=WORDS_S)
    heard = [u for u in alignment.utterances if any(line.hears(u.start_s, u.end_s) for line in lines)]
    speakers = [label for label in alignment.speakers if any(u.speaker == label for u in heard)]
    columns = round((WIDTH - LEFT - RIGHT) * DPI)
    with open_audio(audio, channels) as sound:
        sounds = [columns_of(sound, line.start_s, line.start_s + line.full_s, columns) for line in lines]
    letters = lettering([audio.name, *_texts(heard), *speakers])
    _Picture(lines, heard, speakers, letters).save(sounds, _title(audio, alignment), path)


def _texts(utterances: Sequence[Utterance]) -> Iterable[str]:
    for u in utterances:
        yield u.text or ""
        yield from (word.text for word in u.words or ())
        yield from (phone.label for phone in u.phones or ())


def _title(audio: Path, alignment: Alignment) -> str:
    language = f", language {alignment.language}" if alignment.language else ""
    return f"{audio.name}   {clock_ms(alignment.duration_s)}, aligner {alignment.aligner}{language}"


class _Picture:
    """A figure that is laid out in inches from its top."""

    def __init__(
        self, lines: Sequence[Line], heard: Sequence[Utterance], speakers: Sequence[str], letters: Lettering
    ) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.lines, self.heard, self.speakers, self.letters = lines, heard, speakers, letters
        full = lines[0].full_s
        self.words = full <= WORDS_S and any(u.words for u in heard)
        self.phones = self.words and full <= PHONES_S and any(u.phones for u in heard)
        # Labels alternate between two rows, so that each has the room of two.
        self.lane = LANE + 2 * WORD_ROW * (self.words + self.phones)
        self.line = WAVE + SPECTROGRAM + self.lane * max(1, len(speakers)) + AXIS
        self.height = TOP + self.line * len(lines) + BOTTOM
        self.figure: Any = Figure(figsize=(WIDTH, self.height), dpi=DPI)
        self.renderer: Any = FigureCanvasAgg(self.figure).get_renderer()

    def save(self, sounds: Sequence[Sound], title: str, path: Path) -> None:
        """Draw everything."""
        self._say(0.15, 0.2, title, 11.0)
        loudest = max(max(float(-s.low.min()), float(s.high.max())) for s in sounds) or 1.0
        brightest = max(float(s.power_db.max()) for s in sounds)
        for index, (line, sound) in enumerate(zip(self.lines, sounds, strict=True)):
            top = TOP + index * self.line
            wave = self._axes(top, WAVE, line)
            self._wave(wave, line, sound, loudest)
            spectrogram = self._axes(top + WAVE, SPECTROGRAM, line)
            self._spectrogram(spectrogram, line, sound, brightest)
            lanes = self._axes(top + WAVE + SPECTROGRAM, self.lane * max(1, len(self.speakers)), line)
            self._lanes(lanes, line)
            self._over_sound((wave, spectrogram), line)
        self._say(0.15, self.height - 0.17, "   ".join(self._notes()), SMALL, colour="#555555")
        self.figure.savefig(path)

    def _notes(self) -> list[str]:
        notes = []
        if any(u.quality for u in self.heard):
            notes.append("Dashed: the utterance has a note in `quality`.")
        if not self.words and any(u.words for u in self.heard):
            notes.append(f"Words are drawn in stretches of up to {WORDS_S:.0f} s, phones up to {PHONES_S:.0f} s.")
        if self.letters.missing:
            notes.append("No font on this machine has all of these letters: some words are transliterated (anyascii).")
        return notes

    def _axes(self, top: float, height: float, line: Line) -> Any:
        box = (LEFT / WIDTH, 1 - (top + height) / self.height, (WIDTH - LEFT - RIGHT) / WIDTH, height / self.height)
        axes = self.figure.add_axes(box)
        axes.set_xlim(line.start_s, line.start_s + line.full_s)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(False)
        return axes

    def _wave(self, axes: Any, line: Line, sound: Sound, loudest: float) -> None:
        count = len(sound.low)
        shown = max(1, round(count * (line.end_s - line.start_s) / line.full_s))
        at = [line.start_s + (i + 0.5) * line.full_s / count for i in range(shown)]
        axes.fill_between(at, sound.low[:shown], sound.high[:shown], color="#333333", linewidth=0.3, zorder=2)
        axes.set_ylim(-1.05 * loudest, 1.05 * loudest)

    def _spectrogram(self, axes: Any, line: Line, sound: Sound, brightest: float) -> None:
        axes.imshow(
            sound.power_db,
            aspect="auto",
            origin="lower",
            cmap="Greys",
            vmin=brightest - RANGE_DB,
            vmax=brightest,
            extent=(line.start_s, line.start_s + line.full_s, 0.0, 5.0),
            interpolation="nearest",
            zorder=1,
        )
        if line.end_s < line.start_s + line.full_s:
            axes.axvspan(line.end_s, line.start_s + line.full_s, color="white", zorder=1.5)
        axes.set_yticks([0, 2, 4], ["0", "2", "4 kHz"], fontsize=SMALL)

    def _over_sound(self, axes: Sequence[Any], line: Line) -> None:
        """Utterances and, where they are drawn, borders of words, over the sound that they belong to."""
        for u in self.heard:
            if not line.hears(u.start_s, u.end_s):
                continue
            colour = self._colour(u.speaker)
            borders = {t for w in u.words or () for t in (w.start_s, w.end_s)} if self.words else set()
            for axis in axes:
                axis.axvspan(
                    max(u.start_s, line.start_s), min(u.end_s, line.end_s), color=colour, alpha=0.13, lw=0, zorder=3
                )
                for t in borders:
                    if line.start_s <= t <= line.end_s:
                        axis.axvline(t, color=colour, lw=0.6, alpha=0.7, zorder=4)

    def _lanes(self, axes: Any, line: Line) -> None:
        axes.set_ylim(self.lane * max(1, len(self.speakers)), 0)
        for index, speaker in enumerate(self.speakers):
            top = index * self.lane
            axes.axhline(top, color="#dddddd", lw=0.6, zorder=0)
            label = self._fit(speaker, (LEFT - 0.25) * 72, NORMAL)
            axes.annotate(
                label,
                (0, top + LANE / 2),
                xycoords=("axes fraction", "data"),
                xytext=(-6, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=NORMAL,
                color=self._colour(speaker),
                fontfamily=list(self.letters.families),
                parse_math=False,
            )
            own = [u for u in self.heard if u.speaker == speaker and line.hears(u.start_s, u.end_s)]
            for u, following in zip_longest(own, own[1:]):
                # Its text may use the lane until the same speaker goes on.
                free = line.end_s if following is None else following.start_s
                self._utterance(axes, line, u, top, max(free, u.end_s))
        axes.spines["bottom"].set_visible(True)
        at = ticks(line)
        axes.set_xticks(at, marks(at), fontsize=SMALL)

    def _utterance(self, axes: Any, line: Line, u: Utterance, top: float, free: float) -> None:
        from matplotlib.patches import Rectangle

        start, end = max(u.start_s, line.start_s), min(u.end_s, line.end_s)
        colour = self._colour(u.speaker)
        axes.add_patch(
            Rectangle(
                (start, top + 0.03),
                end - start,
                LANE - 0.06,
                facecolor=colour + "38",
                edgecolor=colour + "90",
                lw=0.8,
                ls="--" if u.quality else "-",
                zorder=2,
            )
        )
        self._text(axes, line, u.text or "", start, free, top + LANE / 2)
        if self.words:
            self._row(axes, line, [(w.text, w.start_s, w.end_s) for w in u.words or ()], top + LANE, colour)
        if self.phones:
            spoken = [(p.label, p.start_s, p.end_s) for p in u.phones or () if p.label not in {"SIL", ""}]
            self._row(axes, line, spoken, top + LANE + 2 * WORD_ROW, "#555555")

    def _row(self, axes: Any, line: Line, labels: Sequence[tuple[str, float, float]], top: float, colour: str) -> None:
        """Labels on two rows in turn, each with the room until the next of its row."""
        for index, (label, start, end) in enumerate(labels):
            if not line.hears(start, end):
                continue
            row = top + WORD_ROW * (index % 2)
            free = labels[index + 2][1] if index + 2 < len(labels) else line.start_s + line.full_s
            low = row + WORD_ROW - 0.02
            axes.plot([start, start, end], [row + 0.02, low, low], color=colour, lw=0.8, zorder=2, clip_on=True)
            self._text(axes, line, label, max(start, line.start_s), max(free, end), row + WORD_ROW / 2)

    def _text(self, axes: Any, line: Line, text: str, start: float, end: float, middle: float) -> None:
        room = (min(end, line.start_s + line.full_s) - start) / line.full_s * (WIDTH - LEFT - RIGHT) * 72 - 4
        shown = self._fit(text, room, SMALL)
        if shown:
            axes.annotate(
                shown,
                (start, middle),
                xytext=(2, 0),
                textcoords="offset points",
                ha="left",
                va="center_baseline",
                fontsize=SMALL,
                fontfamily=list(self.letters.families),
                parse_math=False,
                zorder=5,
            )

    def _fit(self, text: str, room: float, size: float) -> str:
        """As much of a text as fits into so many points; "" when not even a letter does."""
        whole = self.letters(text)
        if not whole or self._width(whole, size) <= room:
            return whole
        fits, too_long = 0, len(whole)
        while too_long - fits > 1:
            middle = (fits + too_long) // 2
            if self._width(whole[:middle] + "…", size) <= room:
                fits = middle
            else:
                too_long = middle
        return whole[:fits].rstrip() + "…" if fits else ""

    def _width(self, text: str, size: float) -> float:
        from matplotlib.font_manager import FontProperties

        properties = FontProperties(family=list(self.letters.families), size=size)
        return float(self.renderer.get_text_width_height_descent(text, properties, False)[0]) * 72 / DPI

    def _say(self, left: float, top: float, text: str, size: float, colour: str = "black") -> None:
        self.figure.text(
            left / WIDTH,
            1 - top / self.height,
            self._fit(text, (WIDTH - left) * 72, size),
            fontsize=size,
            color=colour,
            va="center",
            fontfamily=list(self.letters.families),
            parse_math=False,
        )

    def _colour(self, speaker: str) -> str:
        return COLOURS[self.speakers.index(speaker) % len(COLOURS)]
