"""Print what Tenor depends on, one requirement a line, for images that install it in a layer of its own.

requirements.py              the dependencies, and those of the extras that are named as arguments
requirements.py --no-deps    what is installed without its own dependencies
"""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str]) -> None:
    """Exit status 1 with a traceback when an extra does not exist."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if arguments == ["--no-deps"]:
        print("\n".join(settings["tool"]["tenor"]["no-deps"]))
        return
    wanted = settings["build-system"]["requires"] + settings["project"]["dependencies"]
    for extra in arguments:
        wanted += settings["project"]["optional-dependencies"][extra]
    print("\n".join(wanted))


if __name__ == "__main__":
    main(sys.argv[1:])
