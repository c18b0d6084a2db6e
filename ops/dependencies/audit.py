"""Known vulnerabilities of what is installed, as pip-audit finds them on PyPI.

pip-audit ends well when it could ask about nothing at all, as behind a mirror that does not answer such questions. So
what it says about itself is read, and "nothing is known" is told from "nobody could be asked".
"""

import json
import subprocess
import sys
from typing import Any

#: Names that are on no index: this project, and builds with a local version.
OWN = {"tenor"}


def asked() -> list[dict[str, Any]]:
    """pip-audit's answer for each package; raises `RuntimeError` with what it said when there is none."""
    done = subprocess.run(
        [sys.executable, "-m", "pip_audit", "-s", "pypi", "--local", "-f", "json", "--progress-spinner", "off"],
        capture_output=True,
        text=True,
    )
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        raise RuntimeError(done.stderr.strip().rpartition("\n")[2] or "pip-audit said nothing") from None
    return [package for package in found if package["name"] not in OWN]


def verdict(packages: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """(exit status, lines): 0 nothing is known, 1 something is, 2 PyPI could not be asked about what is named."""
    known = [
        f"{package['name']} {package['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'nothing'}"
        for package in packages
        for flaw in package.get("vulns", [])
    ]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    answered = len(packages) - len(skipped)
    lines = [*known, f"{answered} of {len(packages)} packages were looked up: {len(known)} known vulnerabilities."]
    if skipped:
        lines.append(f"PyPI gave no answer about {len(skipped)}: {', '.join(skipped[:8])}{' …' * (len(skipped) > 8)}")
    return (1 if known else 2 if skipped else 0), lines


def main() -> int:
    """Print the verdict."""
    try:
        status, lines = verdict(asked())
    except RuntimeError as exc:
        print(f"The audit could not be made: {exc}", file=sys.stderr)
        return 2
    print("\n".join(lines))
    if status == 2:
        print("This is no all-clear: run it where PyPI itself can be reached.", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
