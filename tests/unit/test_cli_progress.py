"""What a job's progress looks like."""

import io
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from ops.analyze import process_started
from ops.jobs import JobStatus
from ops.progress import Lines, Pace, audio, clock, describe, display

STATUS = JobStatus(
    job_id=17,
    archive="/calls",
    profile="mini",
    version=1,
    state="running",
    error_code=None,
    error=None,
    priority=0,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    finished_at=None,
    elapsed_s=30.0,
    listed=True,
    files=10,
    done=4,
    failed=1,
    cancelled=0,
    reused=2,
    warnings=0,
    manifest_problems=0,
    utterances=1234,
    audio_s=1000.0,
    audio_done_s=400.0,
    audio_reused_s=200.0,
    speech_done_s=150.0,
)


def paced(*commits: tuple[float, float]) -> Pace:
    """A pace that saw so much audio ready at these times."""
    pace = Pace()
    for now, analysed_s in commits:
        pace.add(now, analysed_s)
    return pace


def test_speed_counts_audio_of_this_job_and_not_what_was_reused() -> None:
    first = replace(STATUS, audio_done_s=220.0, speech_done_s=0.0).analysed_s
    assert first == 20.0

    pace = paced((0.0, 0.0), (60.0, first), (69.0, STATUS.analysed_s))

    assert pace.audio_per_s() == 20.0, "the minute until the first result, when models were loaded, tells nothing"
    assert pace.left_s(STATUS) == (1000 - 200 - 200) / 20


def test_the_ready_part_of_a_long_recording_counts_before_it_is_finished() -> None:
    alone = replace(STATUS, files=1, done=0, reused=0, audio_done_s=0.0, audio_reused_s=0.0, speech_done_s=600.0)

    assert alone.analysed_s == 600.0


def test_speed_forgets_the_distant_past() -> None:
    pace = Pace(window_s=10.0)

    for second in range(0, 101, 5):
        pace.add(float(second), second / 10 if second < 90 else 9 + (second - 90) * 4.0)

    assert pace.audio_per_s() == 4.0


def test_there_is_no_speed_before_enough_was_committed_and_no_eta_before_the_archive_is_listed() -> None:
    assert paced((0.0, 0.0), (5.0, 1e-5), (10.0, 2e-5)).audio_per_s() is None, "a rounding error is no progress"
    assert paced((0.0, 700.0), (0.5, 760.0)).audio_per_s() is None, "the first result after a look says nothing"
    assert paced((0.0, 0.0), (10.0, 50.0), (10.5, 600.0)).audio_per_s() is None, "nor do two at once"

    pace = paced((0.0, 0.0), (10.0, 50.0), (20.0, 100.0))

    assert pace.audio_per_s() == 5.0
    assert pace.left_s(STATUS) == 120.0
    assert pace.left_s(replace(STATUS, listed=False)) is None


def test_there_is_no_eta_when_nothing_has_been_committed_for_long() -> None:
    pace = paced((0.0, 0.0), (10.0, 50.0), (20.0, 100.0))

    pace.add(40.0, 100.0)
    assert pace.audio_per_s() == 5.0
    assert pace.left_s(STATUS) == 100.0, "20 s less than at the last result"
    assert pace.left_s(replace(STATUS, audio_s=450.0)) is None, "overdue"

    pace.add(41.0, 100.0)
    assert pace.audio_per_s() is None and pace.left_s(STATUS) is None


def test_a_line_names_every_counter_that_is_not_zero() -> None:
    pace = paced((0.0, 0.0), (5.0, 100.0), (10.0, 200.0))

    line = describe(STATUS, pace)

    assert line == (
        "job 17: 4/10 recordings, 1 failed, 2 reused, 6.7/16.7 min, 1,234 utterances, 20.0 × real time, ETA 0:30,"
        " 0:30 elapsed"
    )
    assert "failed" not in describe(replace(STATUS, failed=0), pace)
    assert "4/10+ recordings" in describe(replace(STATUS, listed=False), pace)
    assert "3 with warnings" in describe(replace(STATUS, warnings=3), pace)


def test_a_paused_job_is_said_to_be_paused_and_has_no_eta() -> None:
    line = describe(replace(STATUS, state="paused"), paced((0.0, 0.0), (5.0, 100.0), (10.0, 200.0)))

    assert line == "job 17: 4/10 recordings, 1 failed, 2 reused, 6.7/16.7 min, 1,234 utterances, paused"


def test_a_log_gets_plain_lines_and_no_more_than_one_in_an_interval_but_always_the_last() -> None:
    out = io.StringIO()
    lines = Lines(Console(file=out, force_terminal=False, width=40), every_s=3600.0)

    for done in range(5):
        lines.update(replace(STATUS, done=done), Pace())
    lines.update(replace(STATUS, state="done", done=9), Pace())

    shown = out.getvalue().splitlines()
    assert len(shown) == 2, "the first, and the end; not folded at the console's width"
    assert shown[-1].endswith("done")
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize("width", [30, 44, 80, 200])
def test_a_terminal_of_any_width_shows_a_bar_and_whole_figures(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, color_system=None)

    with display(console) as show:
        show.update(STATUS, paced((0.0, 0.0), (5.0, 100.0), (10.0, 200.0)))

    lines = [line.rstrip() for line in _drawn(out.getvalue())]
    (bar,) = [line for line in lines if "━" in line]
    figures = " · ".join(lines[lines.index(bar) + 1 :])
    assert max(map(len, lines)) <= width
    assert re.fullmatch(r"job 17 ━+╌+  25%  ETA 0:30", bar)
    assert figures == (
        "4/10 recordings · 1 failed · 2 reused · 6.7/16.7 min · 1,234 utterances · 20.0 × real time · 0:30 elapsed"
    )


def _drawn(output: str) -> list[str]:
    """The lines of the last frame, without the signs that move the cursor and hide it."""
    frames = [re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", frame).strip("\r\n") for frame in output.split("\x1b[1A\x1b[2K")]
    return next(frame for frame in reversed(frames) if "job 17" in frame).splitlines()


def test_hours_are_as_exact_as_their_number_wants_it() -> None:
    assert audio(400, 1000) == "6.7/16.7 min"
    assert audio(40_000, 360_000) == "11.1/100.0 h"
    assert audio(36e6, 37e6) == "10,000/10,278 h"


def test_a_terminal_shows_the_line_in_place() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=200)

    with display(console) as show:
        show.update(STATUS, Pace())
        show.say("The database does not answer [really]")

    assert "\x1b[" in out.getvalue()
    assert "4/10 recordings" in out.getvalue()
    assert "[really]" in out.getvalue(), "brackets of paths are no markup"


def test_durations_read_as_clocks() -> None:
    assert [clock(0.4), clock(59.6), clock(61), clock(3601)] == ["0:00", "1:00", "1:01", "1:00:01"]


def test_the_start_of_the_process_lies_before_its_first_import() -> None:
    import time

    assert 0.0 < time.monotonic() - process_started() < 3600.0
