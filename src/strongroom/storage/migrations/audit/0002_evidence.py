"""Evidence: a record of a change has the number of the change, and what became of the rows that it wrote."""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    "ALTER TABLE records ADD COLUMN change INTEGER",
    "ALTER TABLE records ADD COLUMN rows BLOB NOT NULL DEFAULT x''",
    "CREATE INDEX records_by_change ON records (change) WHERE change IS NOT NULL",
)


def upgrade() -> None:
    """Add the columns."""
    for statement in STATEMENTS:
        op.execute(statement)
