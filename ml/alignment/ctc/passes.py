"""How much runs together, by kind of device. Everything that batching has to know about a device stands here."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Passes:
    """Bounds of a forward pass, and of what is held between passes and search.

    `max_s` are seconds of audio in one pass, padding included; they bound memory. `max_padding_s` is what a waveform
    may be padded by: as much as one more pass costs, in seconds of audio. `convolve_apart`: the convolutions run one
    waveform at a time, the layers after them on all. `round_s` are seconds of audio whose emissions are held at once.
    """

    max_s: float
    max_padding_s: float
    convolve_apart: bool
    round_s: float


#: A CPU is busy with one waveform in the convolutions, whose 512 channels of several seconds leave its cache and are
#: asked of the system anew each time: together they take 1.1 to 1.4 times as long as apart. The layers after them read
#: their weights once per pass, which costs as much as 0.3 to 0.4 s of audio (6 layers of 384 and 12 of 768, one
#: thread), so that eight waveforms of 1 s run 1.4 times faster together, and two of 6 s no faster than apart.
#: A GPU has to be filled; some 30 MB per second of audio with large models.
PASSES = {
    "cpu": Passes(max_s=8.0, max_padding_s=0.2, convolve_apart=True, round_s=300.0),
    "cuda": Passes(max_s=600.0, max_padding_s=1.0, convolve_apart=False, round_s=3600.0),
}
