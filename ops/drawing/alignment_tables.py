"""An alignment as tables: who speaks, what is said when, and where each word is."""

from collections import Counter
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from ml.alignment.quality import SENTENCES
from ml.alignment.types import Alignment, Utterance
from ops.cli.text import visible

#: Stands where there is nothing.
NONE = "–"


def clock_ms(seconds: float) -> str:
    """m:ss.mmm, or h:mm:ss.mmm from an hour on."""
    total = round(max(0.0, seconds) * 1000)
    hours, minutes, rest = total // 3_600_000, total // 60_000 % 60, total % 60_000
    head = f"{hours}:{minutes:02}" if hours else str(minutes)
    return f"{head}:{rest // 1000:02}.{rest % 1000:03}"


def speakers_table(alignment: Alignment) -> Table:
    """A row per speaker: where the label comes from, the channel, how much they speak."""
    table = _table("speaker", "known by", ">channel", ">utterances", ">speech", ">seconds", ">share")
    spoken = {
        label: [u.end_s - u.start_s for u in alignment.utterances if u.speaker == label] for label in alignment.speakers
    }
    total = sum(map(sum, spoken.values())) or 1.0
    for label, speaker in alignment.speakers.items():
        own = sum(spoken[label])
        table.add_row(
            _cell(label),
            "name" if speaker.named else "voice" if speaker.channel is None else "channel",
            NONE if speaker.channel is None else str(speaker.channel + 1),
            str(len(spoken[label])),
            clock_ms(own),
            f"{own:.3f}",
            f"{own / total:.0%}",
        )
    return table


def utterances_table(utterances: Sequence[Utterance]) -> Table:
    """A row per utterance; the column `quality` is there when it says something."""
    noted = any(u.quality for u in utterances)
    table = _table(">no", ">start", ">start s", ">end s", "speaker", *(["quality"] if noted else []), "text")
    for u in utterances:
        note = [u.quality or NONE] if noted else []
        table.add_row(str(u.number), *_times(u.start_s, u.end_s), _cell(u.speaker), *note, _cell(u.text or NONE))
    return table


def words_table(utterances: Sequence[Utterance]) -> Table:
    """A row per word that has a time, with the phones that are heard in it."""
    table = _table(">no", ">start", ">start s", ">end s", "word", ">sure", "phones")
    for u in utterances:
        for w in u.words or ():
            inside = [p.label for p in u.phones or () if w.start_s <= (p.start_s + p.end_s) / 2 < w.end_s]
            sure = NONE if w.confidence is None else f"{w.confidence:.2f}"
            table.add_row(str(u.number), *_times(w.start_s, w.end_s), _cell(w.text), sure, _cell(" ".join(inside)))
    return table


def quality_notes(utterances: Sequence[Utterance]) -> list[str]:
    """What the notes in the column `quality` mean, a line for each that occurs."""
    found = Counter(u.quality for u in utterances if u.quality is not None)
    return [
        f"{note} ({count} of {len(utterances)} utterances)" + (f": {SENTENCES[note]}" if note in SENTENCES else "")
        for note, count in sorted(found.items())
    ]


def _times(start_s: float, end_s: float) -> tuple[str, str, str]:
    return clock_ms(start_s), f"{start_s:.3f}", f"{end_s:.3f}"


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for column in columns:
        right = column.startswith(">")
        table.add_column(column.lstrip(">"), justify="right" if right else "left", overflow="fold", no_wrap=right)
    return table


def _cell(text: str) -> Text:
    return Text(visible(text))
