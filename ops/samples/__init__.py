"""Sample calls: what they say (`dialogues/`), how they are rendered, the rendered archive, and the demo over it."""

from pathlib import Path

#: The bundled archive that `make demo` analyses.
ARCHIVE = Path(__file__).parent / "archive"
#: One TOML file per call: speakers, voices, and what is said in which mood.
DIALOGUES = Path(__file__).parent / "dialogues"
