"""Postgres: tables, views, roles, state transitions and COPY writers. Knows neither Celery nor torch."""
