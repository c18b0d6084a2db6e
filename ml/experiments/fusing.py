"""The fused part of a run: pairs of spoken and written items, the sweep over weights, and fitted weights."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml.experiments.context import Context
from ml.experiments.fusion_sweep import (
    PAPER_WEIGHTS,
    Pairs,
    Sides,
    artificial_pairs,
    fitted_weight,
    outcomes_of,
    rows_of,
    sweep,
)
from ml.experiments.outcomes import figures
from ml.experiments.speech_run import SpeechResults
from ml.experiments.text_run import TextResults

REAL = "pairs are real: voice and words of the same utterance"
ARTIFICIAL = (
    "pairs are ARTIFICIAL: each utterance was given a random text of the same label from another corpus; "
    "these are no accuracies on real conversations"
)


def fuse(context: Context, speech: SpeechResults, text: TextResults) -> dict[str, Any]:
    """Rows for speech, text and both on the same test pairs, and the sweep. Weights are fitted on development pairs.

    The faithful configuration has no development set and takes the paper's weights.
    """
    plan = context.plan
    labels = speech.prepared.data.labels
    artificial = bool(plan.text_corpora)
    note = ARTIFICIAL if artificial else REAL
    variant, encoder = plan.variants[0], plan.text_encoders[0]
    parts, weights = [], []
    for number, spoken in enumerate(speech.results[variant]):
        written = text.results[encoder][0 if artificial else number]
        if plan.faithful:
            own = PAPER_WEIGHTS
        else:
            w = fitted_weight(_sides(context, speech, text, spoken["development"], written["development"], number)[1])
            own = (w, round(1 - w, 6))
        pairs, sides = _sides(context, speech, text, spoken["test"], written["test"], number)
        parts.append((pairs, sides, sides.fused(*own)))
        weights.append(own)
    pairs = Pairs(_joined([p.spoken for p, _, _ in parts]), _joined([p.written for p, _, _ in parts]))
    sides = Sides(
        np.concatenate([s.speech for _, s, _ in parts]),
        np.concatenate([s.text for _, s, _ in parts]),
        _joined([s.labels for _, s, _ in parts]),
    )
    fused = np.concatenate([f for _, _, f in parts])
    speakers = [item.speaker for item in speech.prepared.items]
    rows = [figures(o, labels, speakers, plan.classes) for o in outcomes_of(pairs, sides, fused, note)]
    w_speech, w_text = (round(float(w), 3) for w in np.mean(weights, axis=0))
    return {
        "artificial": artificial,
        "note": note,
        "w_speech": w_speech,
        "w_text": w_text,
        "rows": rows,
        "sweep": sweep(sides),
    }


def _sides(
    context: Context, speech: SpeechResults, text: TextResults, spoken: Any, written: Any, number: int
) -> tuple[Pairs, Sides]:
    labels = speech.prepared.data.labels
    items = np.asarray(spoken["items"], dtype=np.int64)
    if context.plan.text_corpora:
        encoder = context.plan.text_encoders[0]
        own = np.asarray(written["items"], dtype=np.int64)
        pairs = artificial_pairs(items, labels, text.data[encoder].labels, own, context.plan.seed + number)
    else:
        held = items[np.isin(items, written["items"])]
        pairs = Pairs(held, held)
    kind = "calibrated" if not context.plan.faithful else "probabilities"
    return pairs, Sides(
        rows_of(spoken["items"], spoken[kind], pairs.spoken),
        rows_of(written["items"], written[kind], pairs.written),
        labels[pairs.spoken],
    )


def _joined(parts: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate(parts)
