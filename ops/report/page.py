"""A report as one HTML file: templates filled in, everything from elsewhere escaped, no script, nothing fetched."""

import base64
import hashlib
import shlex
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ml.alignment.quality import SENTENCES
from ml.emotions import EMOTIONS
from ops.drawing.palette import PALETTE
from ops.report import strips
from ops.report.content import SIDES, Content, Probabilities, Said, Word, mean, strongest
from ops.report.finding import Target
from ops.report.strips import Strip

TEMPLATES = Path(__file__).parent / "templates"
#: The strongest turns are told in words; the views have all of them.
MOST_SHIFTS = 12
#: What `quality` notes that concern the models, beside those of alignment.
NOTES = SENTENCES | {
    "no_text": "there are no words here for the text model; scored by voice alone",
    "text_language_not_supported": "the text model does not know this language; scored by voice alone",
    "audio_too_short": "too short to be heard by the speech model",
}
#: Sides as a reader calls them.
SIDE_NAMES = {"fused": "voice and words", "speech": "voice", "text": "words"}


def page(content: Content, drawn: list[Strip], overview: Strip | None, silent: str) -> str:
    """The whole page; `silent` says why there is no waveform."""
    style = Markup(_template("report.css").render(palette=PALETTE))
    texts = any(one.text for one in content.utterances)
    notes = _notes(content)
    sides = [side for side in SIDES if any(side in one.sides for one in content.utterances)]
    html: str = _template("report.html").render(
        content=content,
        strips=drawn,
        overview=overview,
        silent=silent,
        style=style,
        policy=_policy(style),
        texts=texts,
        sides=sides,
        affect=any(one.arousal is not None for one in content.utterances),
        labelled=sum(bool(one.heard) for one in content.utterances),
        agreed=sum(any(label == one.label for _, label in one.heard) for one in content.utterances),
        turned={shift.number for shift in (content.shifts or ())[:MOST_SHIFTS]},
        most_shifts=MOST_SHIFTS,
        notes=notes,
        command=command(content.target),
        some_noted=any(count < len(content.utterances) for _, count, _ in notes),
        made_at=datetime.now(UTC),
        tenor=version("tenor"),
    )
    return html


def _notes(content: Content) -> list[tuple[str, int, str]]:
    """Words of `quality`, how often they stand there, and what they mean."""
    counted: Counter[str] = content.notes
    return [(note, count, NOTES.get(note, "")) for note, count in counted.most_common()]


def _policy(style: str) -> str:
    """What a browser may do with the page: use this very style, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _template(name: str) -> Any:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "EMOTIONS": EMOTIONS,
        "PALETTE": PALETTE,
        "SIDE_NAMES": SIDE_NAMES,
        "geometry": strips,
        "mean": mean,
        "strongest": strongest,
        "bar": bar,
    }
    made.filters |= {
        "clock": strips.clock,
        "short": lambda seconds: strips.clock(round(seconds))[:-2],
        "n": strips.number,
        "share": share,
        "told": told,
        "signed": lambda value: f"{value:+.2f}".replace("-", "−"),
        "count_of": lambda count, what: f"{count:,} {what}{'' if count == 1 else 's'}",
        "worded": worded,
        "shade": lambda value: min(10, round(10 * value)),
    }
    return made.get_template(name + ".jinja")


def command(target: Target) -> str:
    """What to type for the same utterances."""
    path = target.path.replace("'", "''")
    rows = "utterance_emotions where" if target.job_id is None else f"job_emotions where job_id = {target.job_id} and"
    sql = f"select * from {rows} recording = '{path}' order by utterance_no"
    return f'tenor sql "{sql}"' if not set(sql) & set('"$`\\!') else f"tenor sql {shlex.quote(sql)}"


def share(value: float) -> str:
    """A probability in a narrow column."""
    rounded = f"{value:.2f}"
    return "·" if rounded == "0.00" else "1" if rounded == "1.00" else rounded[1:]


def told(values: Probabilities) -> str:
    """Probabilities as a line of text, the highest first."""
    ranked = sorted(values.items(), key=lambda item: -item[1])
    return ", ".join(f"{emotion} {value:.2f}" for emotion, value in ranked if round(value, 2) > 0)


def worded(said: Said) -> Iterator[tuple[str, Word | None]]:
    """A text in pieces, those that are words with their times; an aligner's words have no punctuation."""
    text, at = said.text or "", 0
    folded = text.lower()
    for word in said.words if len(folded) == len(text) else ():
        found = folded.find(word.text.lower(), at)
        if found < 0:
            continue
        if found > at:
            yield text[at:found], None
        at = found + len(word.text)
        yield text[found:at], word
    if text[at:]:
        yield text[at:], None


def bar(values: Probabilities, width: float) -> list[tuple[str, float, float]]:
    """Emotion, place and width of each part of a bar."""
    parts, x = [], 0.0
    for emotion in EMOTIONS:
        part = width * values.get(emotion, 0.0)
        if part >= 0.1:
            parts.append((emotion, x, part))
        x += part
    return parts
