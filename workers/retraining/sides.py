"""Which of a version's two models a run retrains: the one that hears, the one that reads, or both."""

from typing import Any

from ml.corpora.types import LabelledUtterance
from workers.errors import RunRefused

SPEECH, TEXT = "speech", "text"
#: What a plan may say; without a word, both where there are texts enough to learn from.
CHOICES = (SPEECH, TEXT, "both")
#: Different texts with a label, and people who said them, that a text model is retrained on. Sentences that everybody
#: says in every mood, as in acted corpora, teach no words.
MIN_TEXTS, MIN_SPEAKERS = 40, 4
#: The kind of text model that can be adapted.
ADAPTABLE = "makiuchi-text"


def chosen(plan: dict[str, Any], spec: dict[str, Any], learned: list[LabelledUtterance]) -> list[str]:
    """The sides that a run retrains; raises `RunRefused` where its plan wants one that cannot be."""
    wanted = plan.get("side")
    if wanted == SPEECH:
        return [SPEECH]
    reason = lacking(spec.get(TEXT), learned)
    if reason is None:
        return [TEXT] if wanted == TEXT else [SPEECH, TEXT]
    if wanted is not None:
        raise RunRefused("too_few_texts", f"the text model cannot be retrained: {reason}")
    return [SPEECH]


def lacking(side: dict[str, Any] | None, learned: list[LabelledUtterance]) -> str | None:
    """Why a text model cannot learn from these utterances; None: it can."""
    from ml.adaptation.text import readable

    if side is None:
        return "the profile has none"
    if side["kind"] != ADAPTABLE:
        return f"{side['name']} is a published classifier, which cannot be adapted"
    said = readable(learned, side, side["labels"])
    texts, people = {(item.text or "").casefold().strip() for item in said}, {item.speaker for item in said}
    if len(texts) < MIN_TEXTS or len(people) < MIN_SPEAKERS or len({item.label for item in said}) < 2:
        languages = ", ".join(side["languages"]) or "any language"
        return (
            f"there are {len(texts)} different labelled texts of {len(people)} people in {languages}; it takes"
            f" {MIN_TEXTS} of {MIN_SPEAKERS}, of two classes"
        )
    return None
