"""Late records: a row of the outbox is authenticated as rows are, and none goes into the chain that is not.

What lies there without stays without: who puts a row in must not have it signed by an upgrade.
"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column."""
    op.execute("ALTER TABLE outbox ADD COLUMN mac BLOB")
