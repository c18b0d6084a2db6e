"""Alembic migrations; `python -m migrations` brings a database up to date."""
