"""Virtual networks with their subnets."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the table."""
    op.execute(
        """CREATE TABLE virtual_networks (subscription_id TEXT NOT NULL, resource_group TEXT NOT NULL,
        name TEXT NOT NULL, document BLOB NOT NULL, mac BLOB NOT NULL,
        PRIMARY KEY (subscription_id, resource_group, name))"""
    )
