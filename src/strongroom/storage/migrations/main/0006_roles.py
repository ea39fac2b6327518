"""Custom roles."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table."""
    op.execute("""CREATE TABLE roles (role_id TEXT PRIMARY KEY, name TEXT NOT NULL,
        document BLOB NOT NULL, mac BLOB NOT NULL)""")
