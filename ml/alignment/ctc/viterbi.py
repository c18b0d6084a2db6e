"""The best CTC paths of many texts through their emissions at once (Graves et al. 2006, section 4; Viterbi form).

A text of L tokens has 2 L + 1 states: its tokens with blanks before, between and after them. From one frame to the
next a path stays, goes on by one state, or skips the blank between two different tokens.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from ml.alignment.ctc.placing import Trace
from ml.alignment.ctc.spelling import STAR

#: Bytes that one search may hold.
MAX_BYTES = {"cpu": 256_000_000, "cuda": 4_000_000_000}
#: Frames whose emissions are laid out for the search together.
_BLOCK = 128
_NEVER = float("-inf")


def search_bytes(frames: int, tokens: int, classes: int) -> int:
    """What the search of one text holds: a byte per frame and state, and its log-probabilities."""
    return frames * (2 * tokens + 1 + 4 * classes)


def best_paths(emissions: Sequence[Tensor], targets: Sequence[Sequence[int]], blank: int) -> list[Trace | None]:
    """The best path of each text; None where it has more to say than there are frames.

    `emissions` are log-probabilities, float [frames, classes], all on one device; `targets` hold at least one token
    each, `STAR` for one that costs nothing. Equal to torchaudio's `forced_align` of each (with its star column), but
    the texts share every step, and nothing waits for the device before the end.
    """
    found: list[Trace | None] = [None] * len(targets)
    for group in _groups(emissions, targets):
        for row, path in zip(
            group, _search([emissions[i] for i in group], [targets[i] for i in group], blank), strict=True
        ):
            found[row] = path
    return found


def _groups(emissions: Sequence[Tensor], targets: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Texts that are searched together: longest first, similar lengths, as many as memory allows."""
    group: list[int] = []
    widest = 0
    for row in sorted(range(len(targets)), key=lambda i: -len(emissions[i])):
        emission = emissions[row]
        wide = max(widest, len(targets[row]))
        frames = len(emissions[group[0]]) if group else len(emission)
        too_much = (len(group) + 1) * search_bytes(frames, wide, emission.shape[1]) > MAX_BYTES[emission.device.type]
        if group and too_much:
            yield group
            group, wide = [], len(targets[row])
        group.append(row)
        widest = wide
    if group:
        yield group


def _search(emissions: list[Tensor], targets: list[Sequence[int]], blank: int) -> list[Trace | None]:
    """Longest emission first."""
    device = emissions[0].device
    frames = [len(emission) for emission in emissions]
    scores = torch.nn.utils.rnn.pad_sequence(emissions, batch_first=True, padding_value=0.0)
    best = scores.amax(-1)
    # The class after the last is the star.
    star = scores.shape[-1]
    scores = pad(scores, (0, 1))
    longest = max(len(target) for target in targets)
    texts = np.full((len(targets), longest), blank, dtype=np.int64)
    for row, target in enumerate(targets):
        texts[row, : len(target)] = [star if token == STAR else token for token in target]
    classes = np.full((len(targets), 2 * longest + 1), blank, dtype=np.int64)
    classes[:, 1::2] = texts
    # A skip from token to token is forbidden where both are the same, and onto blanks anyway.
    barred = np.full(classes.shape, _NEVER, dtype=np.float32)
    barred[:, 3::2][texts[:, 1:] != texts[:, :-1]] = 0.0
    states = torch.from_numpy(classes).to(device)
    moves, last = _forward(scores, states, torch.from_numpy(barred).to(device), frames)
    ends = torch.tensor([[2 * len(target) - 1, 2 * len(target)] for target in targets], device=device)
    finals = last.gather(1, ends)
    path = _back(moves, ends.gather(1, finals.argmax(1, keepdim=True)), frames)
    tokens = states.gather(1, path)
    along = scores.gather(2, tokens[..., None])[..., 0]
    reached = finals.amax(1, keepdim=True).expand_as(along)
    # One transfer for all; a state's number is exact in float32 up to 16 million.
    numbers = torch.stack([path.float(), along, best, scores[..., blank], reached]).cpu().numpy()
    return [
        None
        if np.isinf(numbers[4, row, 0])
        else Trace(numbers[0, row, :n].astype(np.int64), numbers[1, row, :n], numbers[2, row, :n], numbers[3, row, :n])
        for row, n in enumerate(frames)
    ]


def _forward(scores: Tensor, states: Tensor, barred: Tensor, frames: list[int]) -> tuple[Tensor, Tensor]:
    """How each state is best reached, uint8 [time, rows, states] (0 stay, 1 step, 2 skip), and the last scores.

    Rows end one by one, longest first, so that a step works only on those that still go on.
    """
    rows, width = states.shape
    moves = torch.zeros((frames[0], rows, width), dtype=torch.uint8, device=scores.device)
    # Two columns that are never reached stand before the first state.
    alpha = torch.full((rows, width + 2), _NEVER, device=scores.device)
    alpha[:, 2:4] = scores[:, 0].gather(1, states[:, :2])
    alive = rows
    for begin in range(1, frames[0], _BLOCK):
        end = min(begin + _BLOCK, frames[0])
        while frames[alive - 1] <= begin:
            alive -= 1
        index = states[:alive, None].expand(-1, end - begin, -1)
        emitted = scores[:alive, begin:end].gather(2, index).transpose(0, 1).contiguous()
        stepped = torch.zeros((end - begin, alive, width), dtype=torch.bool, device=scores.device)
        skipped = torch.zeros_like(stepped)
        going = alive
        for time in range(begin, end):
            while frames[going - 1] <= time:
                going -= 1
            here = alpha[:going]
            stay, step = here[:, 2:], here[:, 1:-1]
            skip = here[:, :-2] + barred[:going]
            torch.gt(step, stay, out=stepped[time - begin, :going])
            reached = torch.maximum(stay, step)
            torch.gt(skip, reached, out=skipped[time - begin, :going])
            torch.maximum(reached, skip, out=reached)
            torch.add(reached, emitted[time - begin, :going], out=stay)
        moves[begin:end, :alive] = stepped.to(torch.uint8).masked_fill_(skipped, 2)
    return moves, alpha[:, 2:]


def _back(moves: Tensor, ends: Tensor, frames: list[int]) -> Tensor:
    """The states of the paths that end in `ends` [rows, 1]: [rows, time]; after a row's end, its last state."""
    path = torch.empty((moves.shape[0], *ends.shape), dtype=torch.long, device=moves.device)
    state = ends
    for time in range(frames[0] - 1, 0, -1):
        path[time] = state
        # Moves after a row's end are 0: its state waits there.
        state = state - moves[time].gather(1, state)
    path[0] = state
    return path[..., 0].T.contiguous()
