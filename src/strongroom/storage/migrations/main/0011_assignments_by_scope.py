"""Role assignments are found by their scope: at a vault, past none that lies elsewhere."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Make the index."""
    op.execute("CREATE INDEX assignments_at ON assignments (scope, assignment_id)")
