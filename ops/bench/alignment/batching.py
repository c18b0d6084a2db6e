"""Aligning many pieces at once against one at a time, through the same CTC checkpoint.

    python -m ops.bench.alignment.batching DATA [--pieces 24] [--rounds 2] [--device auto]

One at a time is how WhisperX (alignment.py) goes through its segments: emissions, search and reading of times for each
before the next begins. The pieces are TIMIT's utterances. Weights are random: they take as long as trained ones.

Both ways work off the same pieces in turns, in this process with its number of threads, and each pair of turns gives
a ratio; what counts is the median pair. Turns are a few seconds long, so that whatever else the machine does disturbs
both alike. Beside the clock stands processor time, which others disturb less. The last line is one JSON object.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from ml.alignment.aligner import Piece
from ml.device import torch_device
from ml.errors import TenorError
from ops.bench.alignment.reference import read_timit

ALPHABET = "abcdefghijklmnopqrstuvwxyz'"
_LAYER_NORM = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
#: Encoders by kind of device: a small one, wav2vec2-base's and wav2vec2-large's (in bfloat16).
SIZES: dict[str, dict[str, dict[str, Any]]] = {
    "cpu": {
        "small": _LAYER_NORM
        | {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 6, "intermediate_size": 1536},
        "base": {"feat_extract_norm": "group", "do_stable_layer_norm": False},
    },
    "cuda": {
        "large": _LAYER_NORM
        | {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096},
    },
}
PIECES = {"cpu": 24, "cuda": 512}
#: Pieces of one turn, neighbours in length as in the aligner's rounds, which are longer still. A GPU has to be filled.
TURN = {"cpu": 6, "cuda": 512}
ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Pair:
    """Seconds by the clock and of processor time: of all pieces at once, and of one at a time right before or after."""

    batched_s: float
    batched_cpu_s: float
    single_s: float
    single_cpu_s: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times faster the batch is, in the median pair; above 1 it gains."""

    wall: float
    cpu: float
    #: The lowest and the highest of the clock's.
    spread: tuple[float, float]

    @classmethod
    def of(cls, pairs: Sequence[Pair]) -> "Ratio":
        """The median over pairs, each of which the same machine did in the same minute."""
        wall = [pair.single_s / pair.batched_s for pair in pairs]
        cpu = [pair.single_cpu_s / pair.batched_cpu_s for pair in pairs]
        lowest, highest = round(min(wall), 2), round(max(wall), 2)
        return cls(round(statistics.median(wall), 2), round(statistics.median(cpu), 2), (lowest, highest))


@dataclass(frozen=True, slots=True)
class Batching:
    """What batches gain with an encoder of one size: in `whole`, and in the search for best paths alone.

    `realtime` is how many times faster than real time the batches are aligned.
    """

    device: str
    size: str
    threads: int
    pieces: int
    seconds: float
    whole: Ratio
    search: Ratio
    realtime: float


def utterances(data: Path, count: int | None, device: str) -> list[Piece]:
    """So many of TIMIT's utterances, evenly over its speakers, and again from the start when there are fewer."""
    references = read_timit(data)
    count = count or PIECES[device]
    chosen = references[:: max(1, len(references) // count)]
    return [Piece(reference.samples, reference.written, "en") for reference in islice(cycle(chosen), count)]


def measure_ctc_batching(pieces: Sequence[Piece], device: str, rounds: int = ROUNDS) -> Iterator[Batching]:
    """One measurement for each size of `SIZES` on a device ("cpu" or "cuda"); every piece has `rounds` turns."""
    import torch

    from ml.alignment.ctc.spelling import spell
    from ml.alignment.ctc.viterbi import best_paths

    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    pieces = sorted(pieces, key=lambda piece: -len(piece.samples))
    for size, config in SIZES[device].items():
        aligner = _aligner(config, device)
        whole = _compare(_turns(pieces, device), aligner.align, wait, rounds)
        emissions = aligner.encoder.emissions([piece.samples for piece in pieces])
        targets = [[t.id for t in spell(piece.words, "en", aligner.vocabulary).tokens] for piece in pieces]
        blank = aligner.vocabulary.blank

        def search(heard: Sequence[Any], blank: int = blank) -> object:
            return best_paths([emission for emission, _ in heard], [target for _, target in heard], blank)

        searched = _compare(_turns(list(zip(emissions, targets, strict=True)), device), search, wait, rounds)
        seconds = sum(len(piece.samples) for piece in pieces) / 16_000
        yield Batching(
            device,
            size,
            torch.get_num_threads(),
            len(pieces),
            round(seconds, 1),
            Ratio.of(whole),
            Ratio.of(searched),
            round(rounds * seconds / sum(pair.batched_s for pair in whole), 1),
        )


def _turns(items: Sequence[Any], device: str) -> list[Sequence[Any]]:
    return [items[start : start + TURN[device]] for start in range(0, len(items), TURN[device])]


def _compare(
    turns: Sequence[Sequence[Any]],
    work: Callable[[Sequence[Any]], object],
    wait: Callable[[], object],
    rounds: int,
) -> list[Pair]:
    def spent(lists: Sequence[Sequence[Any]]) -> tuple[float, float]:
        started, worked = time.perf_counter(), time.process_time()
        for items in lists:
            work(items)
        wait()
        return time.perf_counter() - started, time.process_time() - worked

    # What the first calls prepare belongs to neither.
    work(turns[-1][:2])
    work(turns[-1][:1])
    pairs = []
    for number, items in enumerate(turn for _ in range(rounds) for turn in turns):
        # Who goes first changes, so that a machine that slows down favours neither.
        if number % 2:
            together, alone = spent([items]), spent([[item] for item in items])
        else:
            alone, together = spent([[item] for item in items]), spent([items])
        pairs.append(Pair(*together, *alone))
    return pairs


def _aligner(config: dict[str, Any], device: str) -> Any:
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    from ml.alignment.ctc.aligner import CtcAligner
    from ml.alignment.ctc.emissions import CtcEncoder
    from ml.alignment.ctc.vocabulary import Vocabulary

    torch.manual_seed(1)
    vocabulary = Vocabulary({letter: number for number, letter in enumerate(ALPHABET, start=5)}, 0, 4)
    model = Wav2Vec2ForCTC(Wav2Vec2Config(**config, vocab_size=len(ALPHABET) + 5))
    return CtcAligner(CtcEncoder(model.to(device, torch.float32 if device == "cpu" else torch.bfloat16)), vocabulary)


def figures(measured: Sequence[Batching]) -> dict[str, Any]:
    """For the last line: of all sizes the lowest ratios, and all of them by size."""
    return {
        "ctc_batch_ratio": min(m.whole.wall for m in measured),
        "ctc_batch_ratio_cpu_time": min(m.whole.cpu for m in measured),
        "ctc_viterbi_ratio": min(m.search.wall for m in measured),
        "ctc_batch_ratios": {m.size: {"wall": m.whole.wall, "cpu_time": m.whole.cpu} for m in measured},
    }


def main() -> int:
    """Run and print; 1 and a sentence when the data is not there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with timit/")
    parser.add_argument("--pieces", type=int, help="how many pieces; default 24 on a CPU, 512 on a GPU")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    asked = parser.parse_args()
    try:
        device = torch_device(asked.device)
        pieces = utterances(asked.data, asked.pieces, device)
    except TenorError as exc:
        print(f"{exc}. {exc.hint}", file=sys.stderr)
        return 1
    measured = []
    for found in measure_ctc_batching(pieces, device, asked.rounds):
        print(found, flush=True)
        measured.append(found)
    print(json.dumps({"benchmark": "ctc_batching", **figures(measured)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
