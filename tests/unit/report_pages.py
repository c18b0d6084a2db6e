"""A report without a database: what an analysis would have found, made up, and the page of it."""

from html.parser import HTMLParser
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.emotions import EMOTIONS
from ops.report.content import Content, Said, Shift, Voice, Word, mean
from ops.report.finding import Target
from ops.report.page import page
from ops.report.strips import COLUMNS, drawn, overview, strips_of

TARGET = Target(1, 7, "/calls", "may/one.wav", 3, 4, "mini", 2, 5, current=True)


def said(number: int, speaker: str, start_s: float, end_s: float, text: str | None = None, **more: Any) -> Said:
    """An utterance whose emotion goes round with its number."""
    label = EMOTIONS[number % len(EMOTIONS)]
    fused = {emotion: 0.7 if emotion == label else 0.05 for emotion in EMOTIONS}
    values: dict[str, Any] = {
        "sides": {"fused": fused, "speech": fused},
        "words": (),
        "heard": (),
        "quality": None,
        "arousal": None,
        "valence": None,
    }
    return Said(number, speaker, start_s, end_s, text, label, 0.7, **(values | more))


def content(*utterances: Said, duration_s: float, target: Target = TARGET, **more: Any) -> Content:
    """An analysis of these utterances."""
    names = list(dict.fromkeys(one.speaker for one in utterances))
    voices = []
    for name in names:
        own = [one for one in utterances if one.speaker == name]
        voices.append(
            Voice(name, len(own), sum(one.seconds for one in own), 1 / len(names), mean(own), 1, 1.0, 0, None)
        )
    values: dict[str, Any] = {
        "language": "en",
        "aligner": "pocketsphinx",
        "recorded_at": None,
        "dialogue": None,
        "metadata": {},
        "analysed_at": None,
        "models": {"speech": {"name": "mini-speech", "sha256": "ab" * 32}},
        "warning": None,
        "textless": False,
        "shifts": (),
    }
    return Content(target, duration_s, utterances=utterances, voices=tuple(voices), **(values | more))


def shown(found: Content, *, sound: bool = True, silent: str = "") -> str:
    """Its page, over noise or without sound."""
    lines = strips_of(found.duration_s)
    peaks: NDArray[np.float32] | None = None
    if sound:
        high = np.random.default_rng(1).uniform(0, 0.5, COLUMNS * len(lines)).astype(np.float32)
        peaks = np.stack([-high, high])
    return page(found, drawn(found, lines, peaks), overview(found, lines, peaks), silent)


def short_call() -> Content:
    """Ten seconds of two people, one of whom tries to be a program; her last words are not aligned."""
    hello = (Word("good", 0.5, 0.8), Word("morning", 0.8, 1.4))
    return content(
        said(0, "Ruth", 0.5, 2.0, "Good morning!", words=hello),
        said(1, "Ms <b>Tanaka</b>", 2.5, 5.0, "<script>window.hacked = 1</script> & so on", heard=(("anna", "sad"),)),
        said(2, "Ruth", 5.5, 9.0, "I see.", quality="words_not_aligned"),
        duration_s=10.0,
        metadata={"team": '"><img src=x onerror="window.hacked = 2">'},
        shifts=(Shift(2, "Ruth", 5.5, "I see.", "angry", "neutral", 0.65, -0.6, "Ms <b>Tanaka</b>", 1, None),),
    )


class Parsed(HTMLParser):
    """Elements of a page with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}

    def ids(self) -> list[str]:
        return [str(attributes["id"]) for _, attributes in self.elements if "id" in attributes]

    def links(self) -> list[str]:
        return [str(attributes["href"]) for tag, attributes in self.elements if tag == "a"]
