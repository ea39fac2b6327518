"""Packs: records that became durable together lie in the row of the newest of them."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column."""
    op.execute("ALTER TABLE records ADD COLUMN packed BLOB NOT NULL DEFAULT x''")
