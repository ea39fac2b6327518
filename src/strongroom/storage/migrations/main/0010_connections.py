"""Private endpoints and their connections to vaults."""

from alembic import op

revision = "0010"
down_revision = "0009"

STATEMENT = """CREATE TABLE private_endpoint_connections (vault_id TEXT NOT NULL, name TEXT NOT NULL,
    address TEXT NOT NULL, port INTEGER NOT NULL, document BLOB NOT NULL, mac BLOB NOT NULL,
    PRIMARY KEY (vault_id, name), UNIQUE (address, port))"""


def upgrade() -> None:
    """Make the table."""
    op.execute(STATEMENT)
