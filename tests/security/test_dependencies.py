"""The list of licences is whole, and an audit that could ask nobody is no all-clear."""

import re
from typing import Any

from ops.dependencies.audit import verdict
from ops.dependencies.licences import PAGE, pinned


def test_every_pinned_dependency_is_on_the_page_with_its_licence() -> None:
    listed = dict(re.findall(r"^\| ([\w.-]+) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))

    for part, names in pinned().items():
        for name in names:
            assert name in listed, f"{name} is missing: make licences"
            # An extra that is not part of a set-up cannot be asked.
            assert part == "egemaps" or listed[name] not in {"not installed", "see its files"}, name


def clean(name: str) -> dict[str, Any]:
    return {"name": name, "version": "1", "vulns": []}


def test_an_audit_that_could_ask_nobody_says_so() -> None:
    skipped = [{"name": f"package-{n}", "skip_reason": "not found"} for n in range(12)]

    status, lines = verdict(skipped)

    assert status == 2
    assert lines[0].startswith("0 of 12") and "no answer about 12" in lines[1]


def test_an_audit_names_what_is_known() -> None:
    flawed = clean("torch") | {"vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}

    assert verdict([clean("numpy")]) == (0, ["1 of 1 packages were looked up: 0 known vulnerabilities."])
    assert verdict([clean("numpy"), flawed])[0] == 1
    assert "torch 1: PYSEC-1, fixed in 2" in verdict([flawed])[1]
