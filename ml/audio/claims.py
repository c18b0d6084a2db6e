"""How long a recording's header says it is, where it counts samples: what was cut off is missed by nobody else.

Decoders take a file that ends too early for a shorter one. Formats that only estimate their length (MP3, Ogg), or whose
tracks may have gaps (MP4, Matroska), say nothing here.
"""

import struct
from pathlib import Path

from ml.audio.decode import MAX_DURATION_S, probe

#: FFmpeg names the length that these headers give, whatever the file holds.
_COUNTED = frozenset({".flac", ".aif", ".aiff", ".au"})
#: Writers that cannot go back and fill it in leave the largest sizes there are.
_UNKNOWN_BYTES = 0x7F000000
#: A file of nothing but empty chunks would be walked through eight bytes at a time.
_MOST_CHUNKS = 1000
#: Less than this is padding, and the last frame of a decoder.
_MISSED_S, _MISSED = 1.0, 0.02


def cut_short(path: Path, decoded_s: float) -> str | None:
    """A sentence where a recording holds clearly less than its header says; None where it does not, or says nothing.

    `decoded_s` is what was decoded. Raises what `probe` raises.
    """
    claimed_s = _wav_s(path, decoded_s) if path.suffix.lower() == ".wav" else None
    if path.suffix.lower() in _COUNTED:
        claimed_s = probe(path).duration_s
    if claimed_s is None or claimed_s > MAX_DURATION_S or claimed_s - decoded_s < max(_MISSED_S, _MISSED * claimed_s):
        return None
    return f"the recording was cut off: its header says {claimed_s:.1f} s, the file ends at {decoded_s:.1f} s"


def _wav_s(path: Path, decoded_s: float) -> float | None:
    """Seconds that the header of a WAV file counts, by how many of the bytes it names are there."""
    end = path.stat().st_size
    with path.open("rb") as file:
        if file.read(4) != b"RIFF":
            return None
        file.seek(12)
        for _ in range(_MOST_CHUNKS):
            if len(head := file.read(8)) < 8:
                return None
            name, size = struct.unpack("<4sI", head)
            if name == b"data":
                present = end - file.tell()
                return decoded_s * size / present if present < size < _UNKNOWN_BYTES and present > 0 else None
            # Chunks are padded to an even length.
            file.seek(size + size % 2, 1)
    return None
