"""Errors of the database layer; same shape as `ml.errors`, which this layer may not import."""


class DatabaseProblem(Exception):
    """Something about the database that a person can act on; `str()` is one sentence without passwords or data."""

    code = "database_problem"
    hint = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class DatabaseUnavailable(DatabaseProblem):
    """No connection can be made."""

    code = "database_unavailable"
    hint = "Start it (`tenor up`) or correct TENOR_DATABASE_URL."


class DatabaseTooOld(DatabaseProblem):
    """The server lacks what the schema needs."""

    code = "database_too_old"
    hint = "Use PostgreSQL 15 or newer."


class DatabaseBusy(DatabaseProblem):
    """A migration did not get its lock, or took too long; it changed nothing."""

    code = "database_busy"
    hint = "Run it again when long queries have ended (they are listed in pg_stat_activity)."


class SchemaOutdated(DatabaseProblem):
    """The schema is not the one that this version of the code needs."""

    code = "schema_outdated"
    hint = "Run `tenor up`, or `python -m migrations` with TENOR_OWNER_URL set."


class RolesMissing(DatabaseProblem):
    """The roles do not exist and the migrating login may not create them."""

    code = "roles_missing"
    hint = "Have an administrator run: CREATE ROLE tenor_writer NOLOGIN; CREATE ROLE tenor_analyst NOLOGIN;"


class InvalidScores(DatabaseProblem):
    """Probabilities that are not probabilities; nothing of the batch is stored."""

    code = "invalid_scores"
    hint = "The model or its bundle is broken; check the profile version that produced them."


class LeaseLost(DatabaseProblem):
    """The stage belongs to somebody else by now; the other result stands."""

    code = "lease_lost"
    hint = "Nothing to do: the work was taken over."


class NotFound(DatabaseProblem):
    """There is no such row."""

    code = "not_found"
    hint = "List what there is with `tenor status`."
