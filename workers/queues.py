"""Which task runs on which queue: the only place that says so."""

from typing import Final

#: Queues, by the resource their tasks wait for.
QUEUES: Final[tuple[str, ...]] = ("ingest", "align", "gpu", "retrain", "maintenance")

#: Task name → queue. `workers.app` checks at start that every registered task stands here.
ROUTES: Final[dict[str, str]] = {
    "ingest.archive": "ingest",
    "align.group": "align",
    "extract.batch": "gpu",
    "ser.batch": "gpu",
    "ter.batch": "gpu",
    "fuse.batch": "gpu",
    "maintenance.sweep": "maintenance",
    # Both only look; they must not wait behind a training.
    "retrain.due": "maintenance",
    "retrain.drift": "maintenance",
    "retrain.prepare": "retrain",
    "retrain.train": "retrain",
    "retrain.evaluate": "retrain",
    "retrain.promote": "retrain",
}

#: Stage (a row of the table `stages`) → task that works on it.
TASK_OF_STAGE: Final[dict[str, str]] = {
    "ingest": "ingest.archive",
    "align": "align.group",
    "extract": "extract.batch",
    "ser": "ser.batch",
    "ter": "ter.batch",
    "fuse": "fuse.batch",
}

#: Stage of a run (a row of the table `training_runs`) → task that works on it.
TASK_OF_RUN_STAGE: Final[dict[str, str]] = {
    "prepare": "retrain.prepare",
    "train": "retrain.train",
    "evaluate": "retrain.evaluate",
    "promote": "retrain.promote",
}

#: Redis serves 0 first. Later stages go first, so that a batch is finished before the next one is begun:
#: the first probabilities arrive early and few artifacts lie about.
PRIORITY_OF_STAGE: Final[dict[str, int]] = {
    "ingest": 0,
    "align": 0,
    "extract": 9,
    "ser": 6,
    "ter": 3,
    "fuse": 0,
}
