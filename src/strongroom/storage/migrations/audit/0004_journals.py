"""Journals: how far what each worker has kept was taken into the log."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table."""
    op.execute(
        """CREATE TABLE journals (name TEXT PRIMARY KEY, frame INTEGER NOT NULL, ending INTEGER NOT NULL,
            newest INTEGER NOT NULL, mac BLOB NOT NULL) WITHOUT ROWID"""
    )
