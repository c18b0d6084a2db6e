"""README's accuracy section and its page of details say what the stored reports say, and nothing else."""

import json
from pathlib import Path

import pytest

from ml.reports.digest import digest
from ops.accuracy.__main__ import PAGE, README
from ops.accuracy.page import page
from ops.accuracy.section import BEGIN, END, MarkersMissing, rewritten, section
from ops.accuracy.stored import Stored
from ops.cli.commands.training import evaluate, train
from ops.cli.reproducing import command_line


def test_the_pages_are_what_the_stored_reports_make() -> None:
    stored = Stored.read()
    readme = README.read_text(encoding="utf-8")

    assert rewritten(readme, section(stored)) == readme, "run `make accuracy`"
    assert PAGE.read_text(encoding="utf-8") == page(stored), "run `make accuracy`"


def test_every_stored_report_says_how_it_is_made_and_of_what_data() -> None:
    stored = Stored.read()
    for report in (*stored.speech.values(), *stored.text.values(), *stored.evaluations.values()):
        assert report["command"].startswith("tenor ")
        assert len(report["fingerprint"]) == 64 and report["versions"]["torch"]
        assert "/tmp" not in json.dumps(report) and "/home" not in json.dumps(report)
        assert report["command"] in page(stored)


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(MarkersMissing):
        rewritten("# Tenor\n", "### Accuracy\n")

    assert rewritten(f"a\n{BEGIN}\nold\n{END}\nb", "new\n") == f"a\n{BEGIN}\nnew\n{END}\nb"


def test_a_command_is_told_without_the_folders_of_this_machine(tmp_path: Path) -> None:
    (tmp_path / "heard").mkdir()
    given = {"recipe": "makiuchi2021", "corpus": [f"ravdess={tmp_path}", "nemo"], "encoder": str(tmp_path / "heard")}

    typed = command_line("train", train, given | {"steps": 300, "bundle": False, "seed": 1, "out": tmp_path})
    measured = command_line("evaluate", evaluate, {"profile": "mini", "corpus": ("meld", tmp_path), "split": "dev"})

    assert typed == (
        "tenor train makiuchi2021 --corpus ravdess=RAVDESS/ --corpus nemo=NEMO/ --encoder heard --steps 300 --no-bundle"
    )
    assert measured == "tenor evaluate mini --corpus meld MELD/ --split dev"


def test_a_digest_holds_figures_but_no_place_of_this_machine() -> None:
    report = {
        "recipe": "text",
        "command": "tenor train text",
        "rows": [{"name": "pooled (/some/where/bert)", "macro_f1": 0.1234567, "reliability_before": [1], "notes": []}],
        "plan": {"corpora": [["meld", "/data/meld"]], "encoder": "/somewhere/ears", "seed": 1},
        "curves": {"bert": []},
    }

    assert digest(report) == {
        "recipe": "text",
        "command": "tenor train text",
        "rows": [{"name": "pooled (bert)", "macro_f1": 0.12346, "notes": []}],
        "plan": {"encoder": "ears", "seed": 1},
    }
