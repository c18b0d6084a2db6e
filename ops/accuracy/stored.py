"""The reports that are kept: digests of `tenor train` and `tenor evaluate`, and those of the shipped bundles."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.bundles.meta import CARD, SHIPPED

REPORTS = Path(__file__).parent / "reports"
BUNDLE_REPORT = "report.json"

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stored:
    """Everything that the accuracy pages are made of."""

    #: Digests of `tenor train makiuchi2021`, of `tenor train text`, and of `tenor evaluate`, by name of the file.
    speech: dict[str, Report]
    text: dict[str, Report]
    evaluations: dict[str, Report]
    #: What reading the lines before would bring the text model, as `ml.experiments.mini_text --context` has it.
    contexts: dict[str, Report]
    #: Reports of shipped bundles by the bundle's name.
    bundles: dict[str, Report]
    #: The commands that make these bundles, as their model cards have them.
    commands: dict[str, list[str]]

    @classmethod
    def read(cls, reports: Path = REPORTS, bundles: Path = SHIPPED) -> "Stored":
        """Read what there is."""
        found = {path.stem: _json(path) for path in sorted(reports.glob("*.json"))}
        shipped = {path.parent.name: path for path in sorted(bundles.glob(f"*/{BUNDLE_REPORT}"))}
        return cls(
            speech={name: one for name, one in found.items() if one.get("recipe") == "makiuchi2021"},
            text={name: one for name, one in found.items() if one.get("recipe") == "text"},
            evaluations={name: one for name, one in found.items() if "profile" in one},
            contexts={name: one for name, one in found.items() if one.get("experiment") == "context"},
            bundles={name: _json(path) for name, path in shipped.items()},
            commands={name: _made_by(path.with_name(CARD)) for name, path in shipped.items()},
        )


def _json(path: Path) -> Report:
    report: Report = json.loads(path.read_text(encoding="utf-8"))
    return report


def _made_by(card: Path) -> list[str]:
    """The indented lines of a card's last section."""
    _, _, made = card.read_text(encoding="utf-8").partition("\n## Made by\n")
    return [line for line in made.splitlines() if line.startswith("    ")]
