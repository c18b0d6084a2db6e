"""Who speaks when, in one channel that several people share and no transcript divides between them.

Speech is covered with overlapping windows, and each window becomes a voice embedding (Resemblyzer, see `speakers`). The
embeddings, averaged with those of their neighbours, are clustered by average linkage of cosine distances; a Viterbi
path over the windows, with a price on every change of voice, then gives one voice to every instant of speech.

Work and memory stay in proportion to the length: the clustering, whose work grows with the square, sees at most
`MAX_CLUSTERED` windows, evenly spread over the recording; all others join the nearest centroid. Two people who speak at
once are heard as one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.alignment import speakers
from ml.audio.decode import SAMPLE_RATE
from ml.audio.reader import Audio
from ml.audio.vad import Segment
from ml.features.speaker import SIZE

#: Length of a window and from one to the next: long enough to know a voice, short enough to see a turn.
WINDOW_S, HOP_S = 1.2, 0.4
#: Windows that share a pass through the network.
WINDOWS_PER_PASS = 128
#: Windows that are clustered; more give no other voices, only more work.
MAX_CLUSTERED = 2000
#: Cosine distance up to which clusters are one voice.
SAME_VOICE_DISTANCE = 0.28
#: A voice speaks at least so long, or has this share of a short recording; what is less joins the others.
MIN_VOICE_S, MIN_VOICE_SHARE = 2.8, 0.15
#: More voices than this in one channel are noise of the clustering.
MAX_VOICES = 8
#: A change of voice must win so much cosine similarity over the windows that follow.
CHANGE_PRICE = 0.2
_REFINEMENTS = 2

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VoiceSegment:
    """One voice speaks during `[start_s, end_s)`; voices count from 0 by first appearance."""

    start_s: float
    end_s: float
    voice: int


def diarize(audio: Audio, speech: Sequence[Segment], count: int | None = None) -> list[VoiceSegment]:
    """Divide stretches of speech (seconds, in order, not overlapping) in the mix between voices.

    Every stretch is covered from its start to its end. The number of voices is `count` where it is given (fewer when
    the speech does not suffice to tell so many apart), else found.
    """
    centres = [_centres(segment) for segment in speech]
    if not centres:
        return []
    vectors = _embed(audio, np.concatenate(centres))
    stretches = np.repeat(np.arange(len(centres)), [len(own) for own in centres])
    voices = _path(vectors, _centroids(vectors, stretches, count))
    order: dict[int, int] = {}
    result: list[VoiceSegment] = []
    position = 0
    for (start, end), own in zip(speech, centres, strict=True):
        labels = voices[position : position + len(own)]
        position += len(own)
        changes = np.flatnonzero(np.diff(labels))
        edges = [start, *((own[changes] + own[changes + 1]) / 2), end]
        for index, at in enumerate([0, *(changes + 1)]):
            voice = order.setdefault(int(labels[at]), len(order))
            result.append(VoiceSegment(float(edges[index]), float(edges[index + 1]), voice))
    return result


def _centres(segment: Segment) -> NDArray[np.float64]:
    """The middles of a segment's windows, `HOP_S` apart or a little less; at least one."""
    start, end = segment
    parts = max(1, int(np.ceil((end - start) / HOP_S)))
    return start + (np.arange(parts) + 0.5) * (end - start) / parts


def _embed(audio: Audio, centres: NDArray[np.float64]) -> Vectors:
    """A unit vector [256] for the window around each middle."""
    vectors = np.empty((len(centres), SIZE), np.float32)
    for begin in range(0, len(centres), WINDOWS_PER_PASS):
        batch = slice(begin, begin + WINDOWS_PER_PASS)
        vectors[batch] = speakers.embed_windows(np.stack(list(_windows(audio, centres[batch]))))
    return vectors


def _windows(audio: Audio, centres: NDArray[np.float64]) -> Iterator[NDArray[np.float32]]:
    """Samples around each middle; the recording's ends are continued with silence."""
    size = round(WINDOW_S * SAMPLE_RATE)
    for centre in centres:
        begin = centre - WINDOW_S / 2
        samples = audio.read(None, begin, begin + WINDOW_S)[:size]
        before = min(size - len(samples), max(0, -round(begin * SAMPLE_RATE)))
        yield np.pad(samples, (before, size - len(samples) - before))


def _averaged(vectors: Vectors, stretches: NDArray[np.int64], chosen: NDArray[np.int64]) -> Vectors:
    """The chosen vectors, each averaged with its neighbours in the same stretch of speech: half the noise."""
    total = vectors[chosen]
    for step in (-1, 1):
        near = np.clip(chosen + step, 0, len(vectors) - 1)
        total += vectors[near] * ((near != chosen) & (stretches[near] == stretches[chosen]))[:, None]
    return _unit(total)


def _centroids(vectors: Vectors, stretches: NDArray[np.int64], count: int | None) -> Vectors:
    """The unit centroids [voices, 256] of the clusters; `stretches` says which stretch of speech a window is of."""
    from scipy.cluster.hierarchy import fcluster, linkage

    chosen = np.unique(np.linspace(0, len(vectors) - 1, MAX_CLUSTERED).round().astype(int))
    sample = vectors[chosen]
    if len(sample) < 2 or count == 1:
        return _unit(vectors.mean(axis=0, keepdims=True))
    tree = linkage(_averaged(vectors, stretches, chosen), "average", "cosine")
    least = min(MIN_VOICE_S / HOP_S * len(sample) / len(vectors), MIN_VOICE_SHARE * len(sample))
    if count is None:
        labels = fcluster(tree, SAME_VOICE_DISTANCE, "distance")
        kept = _large(labels, least)[:MAX_VOICES]
    else:
        # Down the tree until there are so many voices, not counting stray windows as one.
        for height in tree[::-1, 2]:
            labels = fcluster(tree, np.nextafter(height, 0), "distance")
            kept = _large(labels, least)[:count]
            if len(kept) == count:
                break
        else:
            labels = fcluster(tree, count, "maxclust")
            kept = _large(labels, 1)
    return _unit(np.stack([sample[labels == label].mean(axis=0) for label in kept]))


def _large(labels: NDArray[np.int32], least: float) -> list[int]:
    """The clusters of at least so many windows, largest first; at least one."""
    names, sizes = np.unique(labels, return_counts=True)
    order = np.argsort(-sizes, kind="stable")
    return [int(names[i]) for i in order if sizes[i] >= least or i == order[0]]


def _path(vectors: Vectors, centroids: Vectors) -> NDArray[np.int64]:
    """The voice of each window: best sum of cosine similarities less the price of changes; centroids follow."""
    for _ in range(_REFINEMENTS):
        path = _viterbi(vectors @ centroids.T)
        member = (path == np.arange(len(centroids))[:, None]).astype(np.float32)
        # A voice that has lost all its windows stays where it was.
        centroids = _unit(np.where(member.any(axis=1, keepdims=True), member @ vectors, centroids))
    return _viterbi(vectors @ centroids.T)


def _viterbi(similarity: Vectors) -> NDArray[np.int64]:
    """The best path through [windows, voices]."""
    came_from = np.zeros(similarity.shape, np.int64)
    stay = np.arange(similarity.shape[1])
    score = similarity[0].astype(np.float64)
    for index in range(1, len(similarity)):
        best = int(score.argmax())
        changed = score[best] - CHANGE_PRICE > score
        came_from[index] = np.where(changed, best, stay)
        score = np.where(changed, score[best] - CHANGE_PRICE, score) + similarity[index]
    path = np.zeros(len(similarity), np.int64)
    path[-1] = int(score.argmax())
    for index in range(len(similarity) - 1, 0, -1):
        path[index - 1] = came_from[index, path[index]]
    return path


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)
