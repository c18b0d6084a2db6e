"""How Alembic runs here: inside the transaction of `db.migrate`, which sets its lock and statement timeouts."""

from alembic import context

from db.tables import Base


def include(_object: object, name: str | None, kind: str, _reflected: bool, _compare_to: object) -> bool:
    """Leave partitions to the function that makes them."""
    return not (kind == "table" and (name or "").startswith("scores_v"))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    include_object=include,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
