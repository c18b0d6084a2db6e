"""Language codes: many spellings, one code; anything else is refused."""

import pytest

from ml.languages import LanguageUnknown, standard_language
from workers.jobs.enqueue import JobOptions


@pytest.mark.parametrize(
    ("written", "kept"),
    [("en", "en"), ("EN", "en"), ("en-US", "en"), ("en_GB", "en"), ("eng", "en"), (" kor ", "ko"), ("zh-Hant-TW", "zh"),
     ("haw", "haw"), ("auto", "auto"), ("AUTO", "auto")],
)  # fmt: skip
def test_spellings_of_a_language_are_one(written: str, kept: str) -> None:
    assert standard_language(written) == kept


@pytest.mark.parametrize(
    "written", ["", "englisch", "xx", "und", "mul", "zxx", "12", "my card was charged", "e" * 10_000]
)
def test_what_is_no_language_is_refused_and_not_repeated(written: str) -> None:
    with pytest.raises(LanguageUnknown) as refused:
        standard_language(written)
    assert refused.value.hint
    assert not written or len(written) < 4 or written not in str(refused.value)


def test_jobs_that_spell_a_language_differently_share_alignments() -> None:
    assert JobOptions(language="en_US").alignment() == JobOptions(language="English").alignment()
    assert JobOptions(language="pl").alignment() != JobOptions(language="en").alignment()
    with pytest.raises(LanguageUnknown):
        JobOptions(language="nonsense").alignment()


def test_priority_is_no_part_of_an_alignments_identity_and_speakers_are() -> None:
    assert JobOptions(priority=5).alignment() == JobOptions().alignment()
    assert JobOptions(speakers=3).alignment() != JobOptions().alignment()
