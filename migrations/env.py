"""How Alembic runs here: on the connection that `db.migrate` hands over, with short locks and bounded statements."""

from alembic import context
from sqlalchemy import text

from db.tables import Base


def include(_object: object, name: str | None, kind: str, _reflected: bool, _compare_to: object) -> bool:
    """Leave partitions to the function that makes them."""
    return not (kind == "table" and (name or "").startswith("scores_v"))


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    include_object=include,
    compare_type=True,
    compare_server_default=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    # A migration that cannot get its lock soon must not make everybody else wait behind it.
    connection.execute(text("SET lock_timeout = '4s'"))
    connection.execute(text("SET statement_timeout = '60s'"))
    context.run_migrations()
connection.execute(text("RESET lock_timeout"))
connection.execute(text("RESET statement_timeout"))
connection.commit()
