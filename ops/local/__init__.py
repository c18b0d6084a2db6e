"""Embedded services of one machine: real Postgres and Redis servers, workers, beat and Flower."""

from ops.local.checks import Check
from ops.local.doctor import doctor
from ops.local.services import Services, down, known, up, workers_run

__all__ = ["Check", "Services", "doctor", "down", "known", "up", "workers_run"]
