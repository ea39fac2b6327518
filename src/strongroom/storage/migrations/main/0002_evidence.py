"""Evidence: changes are numbered and note the rows that they wrote; marks hold the chain of records from outside."""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    "ALTER TABLE outbox RENAME TO outbox_before",
    """CREATE TABLE outbox (change INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, time INTEGER NOT NULL,
        body BLOB NOT NULL, rows BLOB NOT NULL DEFAULT x'')""",
    "INSERT INTO outbox (id, time, body) SELECT id, time, body FROM outbox_before ORDER BY rowid",
    "DROP TABLE outbox_before",
    """CREATE TABLE marks (name TEXT PRIMARY KEY NOT NULL, sequence INTEGER NOT NULL, link BLOB NOT NULL,
        mac BLOB NOT NULL)""",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in STATEMENTS:
        op.execute(statement)
