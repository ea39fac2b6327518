"""The first schema of the audit file: records in one chain."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    op.execute(
        """CREATE TABLE records (seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, time INTEGER NOT NULL,
            body BLOB NOT NULL, link BLOB NOT NULL)"""
    )
