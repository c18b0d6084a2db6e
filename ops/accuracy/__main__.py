"""Write README's accuracy section and the page of details: `python -m ops.accuracy` (`make accuracy`)."""

from pathlib import Path

from ops.accuracy.page import page
from ops.accuracy.section import rewritten, section
from ops.accuracy.stored import Stored

README = Path(__file__).parents[2] / "README.md"
PAGE = Path(__file__).parents[1] / "docs" / "accuracy.md"


def main() -> None:
    """Write both."""
    stored = Stored.read()
    README.write_text(rewritten(README.read_text(encoding="utf-8"), section(stored)), encoding="utf-8")
    PAGE.write_text(page(stored), encoding="utf-8")


if __name__ == "__main__":
    main()
