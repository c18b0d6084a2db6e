"""README and the pages of ops/docs lead where they say."""

import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
DOCS = TOP / "ops" / "docs"
PAGES = [TOP / "README.md", *sorted(DOCS.glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_that_is_there(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))

    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]

    assert not missing


def test_every_page_is_reached_from_the_readme() -> None:
    readme = (TOP / "README.md").read_text(encoding="utf-8")

    assert [page.name for page in PAGES[1:] if f"ops/docs/{page.name}" not in readme] == []
