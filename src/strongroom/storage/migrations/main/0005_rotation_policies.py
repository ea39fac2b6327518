"""Rotation policies of keys, and when each has to be looked at."""

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = (
    """CREATE TABLE rotation_policies (vault_id TEXT NOT NULL, name TEXT NOT NULL, due INTEGER,
        document BLOB NOT NULL, mac BLOB NOT NULL, PRIMARY KEY (vault_id, name))""",
    "CREATE INDEX rotation_due ON rotation_policies (due, vault_id, name) WHERE due IS NOT NULL",
)


def upgrade() -> None:
    """Make the table and its index."""
    for statement in STATEMENTS:
        op.execute(statement)
