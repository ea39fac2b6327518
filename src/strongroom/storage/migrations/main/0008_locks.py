"""Locks on subscriptions, resource groups and vaults."""

from alembic import op

revision = "0008"
down_revision = "0007"

STATEMENTS = (
    """CREATE TABLE locks (scope TEXT NOT NULL, name TEXT NOT NULL, subscription_id TEXT NOT NULL,
        document BLOB NOT NULL, mac BLOB NOT NULL, PRIMARY KEY (scope, name))""",
    "CREATE INDEX locks_in ON locks (subscription_id, scope, name)",
)


def upgrade() -> None:
    """Make the table and its index."""
    for statement in STATEMENTS:
        op.execute(statement)
