"""The training loop: resumed runs end with equal weights, and training stops when it should."""

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ml.training.checkpoint import CheckpointUnreadable, read_checkpoint
from ml.training.scoring import Scores
from tests.unit.resumable import SCHEDULE, Circles, run

ROOT = Path(__file__).parents[2]


def same_weights(one: Circles, other: Circles) -> bool:
    left, right = one.module.state_dict(), other.module.state_dict()
    return all(torch.equal(left[name], right[name]) for name in left)


def test_a_run_that_was_killed_ends_with_the_same_weights_bit_for_bit(tmp_path: Path) -> None:
    whole, history = run(tmp_path / "whole.safetensors")
    checkpoint = tmp_path / "killed.safetensors"
    process = subprocess.Popen([sys.executable, "-m", "tests.unit.resumable", str(checkpoint), "0.05"], cwd=ROOT)
    deadline = time.monotonic() + 120
    while not checkpoint.is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL

    _, state = read_checkpoint(checkpoint)
    assert 0 < state["history"]["step"] < SCHEDULE.steps
    resumed, resumed_history = run(checkpoint)

    assert same_weights(whole, resumed)
    assert resumed_history == history


def test_the_seed_decides(tmp_path: Path) -> None:
    one, again, other = (run(tmp_path / f"{number}", seed=seed)[0] for number, seed in enumerate((1, 1, 2)))

    assert same_weights(one, again)
    assert not same_weights(one, other)


def test_training_stops_without_gain_and_keeps_the_best_weights(tmp_path: Path) -> None:
    class Worsening(Circles):
        looks = 0

        def judge(self) -> dict[str, float]:
            self.looks += 1
            self.kept = getattr(self, "kept", None) or {n: t.clone() for n, t in self.module.state_dict().items()}
            return {"score": 1 / self.looks}

    from ml.training.trainer import fit

    task = Worsening()
    schedule = replace(SCHEDULE, patience=3)
    history = fit(task, schedule, seed=1, device="cpu", checkpoint=tmp_path / "c", checkpoint_s=0.0)

    assert (history.step, history.best_step) == (20, 5)
    assert all(torch.equal(task.kept[name], tensor) for name, tensor in task.module.state_dict().items())


def test_weights_that_are_no_numbers_any_more_end_a_run_with_what_to_do(tmp_path: Path) -> None:
    from ml.training.trainer import TrainingDiverged, fit

    schedule = replace(SCHEDULE, rate=1e30, clip=None)
    with pytest.raises(TrainingDiverged) as raised:
        fit(Circles(), schedule, seed=1, device="cpu", checkpoint=tmp_path / "c", checkpoint_s=0.0)

    assert "--rate" in raised.value.hint
    assert not (tmp_path / "c").exists(), "nothing broken is kept to be resumed from"


def test_a_fixed_schedule_takes_all_steps_and_keeps_the_last_weights(tmp_path: Path) -> None:
    task, history = run(tmp_path / "c", schedule=replace(SCHEDULE, patience=None, steps=23))

    tensors, _ = read_checkpoint(tmp_path / "c")
    assert history.step == 23
    assert not [name for name in tensors if name.startswith("best.")]
    assert torch.equal(tensors["model.0.weight"], task.module[0].weight)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "c")

    with pytest.raises(CheckpointUnreadable, match="other settings"):
        run(tmp_path / "c", seed=2)
    (tmp_path / "c").write_bytes(b"damaged")
    with pytest.raises(CheckpointUnreadable, match="cannot be read"):
        run(tmp_path / "c")


def test_utterances_are_the_weighted_mean_of_their_pieces() -> None:
    logits = np.log(np.array([[0.8, 0.2], [0.4, 0.6], [0.5, 0.5]]))
    scores = Scores(logits, np.array([0, 0, 2]), np.array([96.0, 32.0, 10.0]), 3)

    assert np.allclose(scores.probabilities(), [[0.7, 0.3], [0.5, 0.5], [0.5, 0.5]])


def test_the_fitted_temperature_cools_overconfidence() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, size=2000)
    right = rng.random(2000) < 0.75
    logits = np.where((labels == 1)[:, None] == right[:, None], [0.0, 5.0], [5.0, 0.0])

    temperature = Scores.of_whole(logits).fitted_temperature(labels)

    # Sure at 0.993 and right at 0.75: 5 / T has to be log 3.
    assert temperature == pytest.approx(5 / np.log(3), rel=0.1)
