"""The smallest recording."""

import wave
from pathlib import Path


def write_silence(path: Path, seconds: float = 0.2, level: int = 0) -> None:
    """A mono WAV of 8 kHz whose samples are all alike; another level is another content."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(level.to_bytes(2, "little") * int(8000 * seconds))
