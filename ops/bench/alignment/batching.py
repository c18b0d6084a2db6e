"""Aligning many pieces at once against one at a time, through the same CTC checkpoint.

    python -m ops.bench.alignment.batching [--pieces 48] [--device auto]

One at a time is how WhisperX (alignment.py) goes through its segments: emissions, search and reading of times for each
before the next begins. Weights are random: they take as long as trained ones. On a GPU the model has the size of
wav2vec2-large and runs in bfloat16; on a CPU it is small enough for a coffee break. Rounds alternate, and the best of
each way counts, so that whatever else the machine does disturbs both alike. The last line is one JSON object.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ml.alignment.aligner import Piece

#: Seconds that a piece lasts, as utterances of conversations do, and letters that are said per second.
SHORTEST_S, LONGEST_S, LETTERS_PER_S = 1.0, 10.0, 14
ALPHABET = "abcdefghijklmnopqrstuvwxyz'"
SIZES: dict[str, dict[str, Any]] = {
    "cpu": {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 6, "intermediate_size": 1536},
    "cuda": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096},
}
PIECES = {"cpu": 16, "cuda": 512}
ROUNDS = {"cpu": 2, "cuda": 3}


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of the best round."""

    batched_s: float
    single_s: float

    @property
    def ratio(self) -> float:
        """How many times faster the batch is."""
        return round(self.single_s / self.batched_s, 2)


def measure_ctc_batching(pieces: int | None = None, device: str = "auto") -> dict[str, object]:
    """`ratio_whole` for alignment, `ratio_viterbi` for the search alone: single time over batched time.

    `seconds` of audio are in the `pieces`; `device` says where it ran; `realtime` is how many times faster than real
    time the batch is aligned.
    """
    import torch

    from ml.alignment.ctc.spelling import spell
    from ml.alignment.ctc.viterbi import best_paths

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    aligner = _aligner(device)
    made = _pieces(pieces or PIECES[device])
    whole = _compare(made, aligner.align, wait, ROUNDS[device])
    emissions = aligner.encoder.emissions([piece.samples for piece in made])
    targets = [[t.id for t in spell(piece.words, "en", aligner.vocabulary).tokens] for piece in made]
    heard = list(zip(emissions, targets, strict=True))

    def search(some: Sequence[Any]) -> object:
        return best_paths([emission for emission, _ in some], [target for _, target in some], aligner.vocabulary.blank)

    viterbi = _compare(heard, search, wait, ROUNDS[device])
    seconds = sum(len(piece.samples) for piece in made) / 16_000
    return {
        "ratio_whole": whole.ratio,
        "ratio_viterbi": viterbi.ratio,
        "device": device,
        "pieces": len(made),
        "seconds": round(seconds, 1),
        "realtime": round(seconds / whole.batched_s, 1),
    }


def _compare(
    items: Sequence[Any], work: Callable[[Sequence[Any]], object], wait: Callable[[], object], rounds: int
) -> Times:
    def batched() -> None:
        work(items)

    def single() -> None:
        for item in items:
            work([item])

    # What the first call prepares belongs to neither.
    work(items[:1])
    best = {batched: float("inf"), single: float("inf")}
    for _ in range(rounds):
        for way in best:
            started = time.perf_counter()
            way()
            wait()
            best[way] = min(best[way], time.perf_counter() - started)
    return Times(best[batched], best[single])


def _aligner(device: str) -> Any:
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    from ml.alignment.ctc.aligner import CtcAligner
    from ml.alignment.ctc.emissions import CtcEncoder
    from ml.alignment.ctc.vocabulary import Vocabulary

    torch.manual_seed(1)
    vocabulary = Vocabulary({letter: number for number, letter in enumerate(ALPHABET, start=5)}, 0, 4)
    config = Wav2Vec2Config(
        **SIZES[device],
        vocab_size=len(ALPHABET) + 5,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        conv_bias=True,
    )
    model = Wav2Vec2ForCTC(config).to(device, torch.float32 if device == "cpu" else torch.bfloat16)
    return CtcAligner(CtcEncoder(model), vocabulary)


def _pieces(count: int) -> list[Piece]:
    """The same in every run: noise of various lengths with as many letters as would be said."""
    random = np.random.default_rng(7)
    made = []
    for _ in range(count):
        seconds = random.uniform(SHORTEST_S, LONGEST_S)
        letters = "".join(random.choice(list(ALPHABET[:26]), round(seconds * LETTERS_PER_S)))
        words = tuple(letters[start : start + 5] for start in range(0, len(letters), 5))
        made.append(Piece(random.standard_normal(round(seconds * 16_000)).astype(np.float32), words, "en"))
    return made


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pieces", type=int, help="how many pieces; default 16 on a CPU, 512 on a GPU")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    arguments = parser.parse_args()
    figures = measure_ctc_batching(arguments.pieces, arguments.device)
    for name, figure in figures.items():
        print(f"{name:>14} {figure}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
