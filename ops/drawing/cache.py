"""Where matplotlib keeps its list of fonts, which takes it seconds to make."""

import os
from pathlib import Path

from ops.local.home import make_private


def keep_fonts_in(home: Path) -> None:
    """Let it be TENOR_HOME, unless the person chose a place; matplotlib's own would be in their folders."""
    try:
        make_private(home)
    except OSError:
        return  # It says itself that it has to do without.
    os.environ.setdefault("MPLCONFIGDIR", str(home / "matplotlib"))
