"""What a training run shows: bars with the time that is left in a terminal, lines now and then in a log."""

import io

from rich.console import Console

from ml.training.trainer import Progress
from ops.cli.watching import watching


def shown(*, terminal: bool) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=160)
    with watching(console) as watch:
        watch.counted("features", 1, 2)
        watch.counted("features", 2, 2)
        watch.begin("speech, small", 2)
        for step in range(100, 600, 100):
            watch.trained("small fold-1", Progress(step, 1000, {"total": 1.25}, {"score": 0.5}))
        watch.say("baseline: majority class")
    return out.getvalue()


def test_a_log_gets_a_line_now_and_then_and_not_every_step() -> None:
    lines = shown(terminal=False).splitlines()

    assert [line.split(" s  ")[1] for line in lines] == [
        "features: 1/2",
        "features: 2/2",
        "speech, small: 2 folds",
        "small fold-1: step 100/1,000, loss 1.250, development 0.500",
        "baseline: majority class",
    ]


def test_a_terminal_gets_bars_with_the_time_that_is_left() -> None:
    text = shown(terminal=True)

    assert "ETA" in text
    assert "small fold-1: loss 1.250, development 0.500" in text
    assert "baseline: majority class" in text
