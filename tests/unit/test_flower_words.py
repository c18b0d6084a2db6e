"""What Flower shows of a task, and the address that searches for a job's."""

from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flower.utils.search import TaskSearchEngine

from ops.flower.words import arguments, in_words, tasks_url


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("{'job': 7, 'batch': 12, 'recordings': 3, 'minutes': 38.24}", "job 7, batch 12, 3 recordings, 38.2 min"),
        ("{'job': 7, 'group': 2, 'recordings': 1, 'minutes': 0.5}", "job 7, group 2, 1 recording, 0.5 min"),
        ("{'run_id': 4, 'profile': 'mini', 'method': 'auto'}", "run 4, profile mini, method auto"),
        ("{'stage_id': 4, 'job': 1... (cut)", "{'stage_id': 4, 'job': 1... (cut)"),
        ("{}", ""),
        (None, ""),
    ],
)
def test_arguments_are_said_in_words(given: str | None, said: str) -> None:
    assert arguments(given) == said


def test_a_result_stands_without_quotes_and_what_is_no_text_as_it_is() -> None:
    done = in_words(_task(result="'512 utterances, 38.2 min'", args="()"))
    failed = in_words(_task(result=None, exception="ValueError('no')"))

    assert (done.result, done.args) == ("512 utterances, 38.2 min", "")
    assert (failed.result, failed.exception) == (None, "ValueError('no')")


def test_the_address_of_a_job_finds_its_tasks_and_no_other_job() -> None:
    engine = TaskSearchEngine()
    for number, kwargs in enumerate(["{'job': 7, 'batch': 1}", "{'job': 77, 'batch': 7}", "{'job': 7}", "{}"]):
        engine.upsert(_task(uuid=str(number), kwargs=kwargs))

    # Flower's page makes its search of an address by putting the field before what the address says about it.
    (value,) = parse_qs(urlsplit(tasks_url("http://here:5555/", job=7)).query)["name"]

    assert tasks_url("http://here:5555/", job=7).startswith("http://here:5555/tasks?name=")
    assert engine.matching_ids(f"name:{value}") == {"0", "2"}


def _task(**more: Any) -> SimpleNamespace:
    fields = {"uuid": "1", "name": "fuse.batch", "kwargs": "{}", "args": "()", "result": None, "exception": None}
    return SimpleNamespace(**{**fields, **more})
