"""Tests: unit, integration (real Postgres and Redis), acceptance (real workers and the real command)."""
