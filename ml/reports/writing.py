"""A report's files: report.json, report.md and its pictures, in the folder of the run."""

import json
import os
from pathlib import Path
from typing import Any

from ml.reports.markdown import markdown
from ml.reports.pictures import save_confusion, save_curves, save_reliability

JSON, TEXT = "report.json", "report.md"


def write_report(report: dict[str, Any], folder: Path) -> Path:
    """Write everything; returns the path of the text. The JSON comes last, so that its presence says all is there."""
    folder.mkdir(parents=True, exist_ok=True)
    save_confusion(report["rows"], report["classes"], folder / "confusion.png")
    save_reliability(report["rows"][0], folder / "reliability.png")
    save_curves(report["curves"], folder / "curves.png")
    (folder / TEXT).write_text(markdown(report), encoding="utf-8")
    partial = folder / f".{JSON}.{os.getpid()}"
    partial.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, folder / JSON)
    return folder / TEXT
