"""Growth: pages of secrets and of vaults are read in order, past nothing that is not in them."""

from alembic import op

revision = "0003"
down_revision = "0002"

STATEMENTS = (
    "CREATE INDEX objects_living ON objects (vault_id, kind, name) WHERE deleted IS NULL",
    "CREATE INDEX objects_deleted ON objects (vault_id, kind, name) WHERE deleted IS NOT NULL",
    "CREATE INDEX vaults_by_name ON vaults (subscription_id, deleted, name)",
    "CREATE INDEX vaults_deleted ON vaults (name) WHERE deleted = 1",
)


def upgrade() -> None:
    """Make the indexes."""
    for statement in STATEMENTS:
        op.execute(statement)
