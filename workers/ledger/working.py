"""Work on a row that has a lease, whatever table it is of: claim, work while the lease is renewed, or give it back."""

import logging
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from db.engine import is_passing
from db.errors import LeaseLost
from workers import context, logs
from workers.archives.objects import held
from workers.errors import TurnOver
from workers.ledger import failures
from workers.ledger.leases import Lease, Renewer
from workers.ledger.patience import transaction

logger = logging.getLogger(__name__)


class Held(Protocol):
    """What a claim gives: a lease, and what stage it is for."""

    @property
    def lease(self) -> Lease:
        """The right to work on it."""

    @property
    def stage(self) -> str:
        """The stage, for logs."""


Claimed = TypeVar("Claimed", bound=Held)


def under_lease(
    what: str,
    claim: Callable[[Connection], tuple[Claimed, dict[str, Any]] | None],
    work: Callable[[Claimed], Callable[[], str]],
    fail: Callable[[Connection, Claimed, Exception], str | None],
    go_on: Callable[[], object],
) -> str:
    """Do work on a row once; a hint for what is done, cancelled or somebody else's does nothing.

    `claim` also says what log lines are about. `work` ends with its commit, and returns what follows when the lease is
    let go, which sums up. An error gives the row back as `fail` decides, then `go_on` does what follows; it is not
    raised again, because the row is the record and Celery's retry would be a second one.
    """
    settings, engine = context.settings(), context.engine()
    try:
        found = transaction(engine, claim, patience_s=settings.patience_s)
    except Exception as exc:
        if not is_passing(exc):
            raise
        return f"{what} could not be looked up, its hint will be sent again: {type(exc).__name__}"
    if found is None:
        return f"nothing to do: {what} is done or taken"
    claimed, about = found
    with logs.about(**about):
        try:
            with Renewer(engine, claimed.lease, settings.lease_s):
                following = work(claimed)
        except LeaseLost as exc:
            logger.warning("%s", exc)
            return str(exc)
        # MemoryError too: with late acknowledgement, an unhandled one blocks the worker's slot for good.
        except Exception as exc:
            said = _failed(claimed, failures.named(exc), fail)
            go_on()
            return said
        except BaseException:
            # A shutdown does not wait for this: it is another worker's from now on, and nobody's fault.
            transaction(engine, claimed.lease.release, patience_s=1.0)
            raise
        finally:
            held.close_all()
        summary = following()
        logger.info("done: %s", summary)
        return summary


def _failed(claimed: Claimed, exc: Exception, fail: Callable[[Connection, Claimed, Exception], str | None]) -> str:
    code, sentence = failures.describe(exc)
    level = logging.INFO if isinstance(exc, TurnOver) else logging.WARNING
    logger.log(
        level, "%s (%s) ended attempt %d with %s\n%s",
        claimed.lease, claimed.stage, claimed.lease.attempt, code, failures.trace_without_values(exc),
    )  # fmt: skip
    settings, engine = context.settings(), context.engine()
    try:
        state = transaction(engine, lambda conn: fail(conn, claimed, exc), patience_s=settings.patience_s)
    except Exception:
        # The database is away for long: the lease runs out and whoever breaks it counts this attempt.
        logger.warning("the failure of %s could not be recorded", claimed.lease, exc_info=True)
        state = None
    return f"{code}, now {state or 'unknown'}: {sentence}"
