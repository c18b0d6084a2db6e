"""Alembic migrations; `python -m migrations` brings the database at TENOR_OWNER_URL (else TENOR_DATABASE_URL) up to date."""
