"""How long work may take, by the amount of audio in it; what takes longer is stuck and is stopped."""

#: Work is permitted so many seconds for each second of audio. Alignment runs some forty times faster than real time
#: on one core, a large encoder without a GPU a few times slower than it.
WORK_PER_AUDIO = 20.0
#: And this much in any case: loading models, a cold disk.
FLOOR_S = 300.0
#: One recording may take this part of the longest stage, so that its neighbours are not stopped with it.
_SHARE_OF_ONE = 0.5
#: After the soft limit, which a stage can answer with an error, comes the hard one, which kills.
_GRACE, _GRACE_S = 1.1, 10.0


def stage_s(audio_s: float | None, longest_s: float) -> float:
    """Seconds that a stage over so much audio may take; None when the amount is unknown (a walk)."""
    return longest_s if audio_s is None else min(longest_s, FLOOR_S + WORK_PER_AUDIO * audio_s)


def recording_s(audio_s: float, longest_s: float) -> float:
    """Seconds that aligning one recording may take."""
    return min(_SHARE_OF_ONE * longest_s, FLOOR_S / 2 + WORK_PER_AUDIO * audio_s)


def hard_s(soft_s: float) -> float:
    """When the process is killed."""
    return _GRACE * soft_s + _GRACE_S
