"""What Alembic runs: one migration, one transaction, on the file that the configuration names."""

from alembic import context
from sqlalchemy import URL, create_engine, event
from sqlalchemy.engine import Connection
from sqlalchemy.pool import NullPool


def run() -> None:
    """Bring the database of the configuration to the version asked for."""
    engine = create_engine(
        URL.create("sqlite", database=str(context.config.attributes["database"])), poolclass=NullPool
    )
    # The driver would commit before each CREATE; we begin ourselves, so that a migration is whole or not there.
    event.listen(engine, "connect", lambda connection, _: setattr(connection, "isolation_level", None))
    event.listen(engine, "begin", _begin)
    with engine.connect() as connection:
        context.configure(connection=connection, transactional_ddl=True)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


run()
