"""The directory: users, groups, and who belongs to which group."""

from alembic import op

revision = "0007"
down_revision = "0006"

AUTHENTICATED = "document BLOB NOT NULL, mac BLOB NOT NULL"
STATEMENTS = (
    f"""CREATE TABLE users (object_id TEXT PRIMARY KEY NOT NULL, principal_name TEXT NOT NULL UNIQUE,
        {AUTHENTICATED})""",
    f"CREATE TABLE security_groups (object_id TEXT PRIMARY KEY NOT NULL, {AUTHENTICATED})",
    f"""CREATE TABLE memberships (group_id TEXT NOT NULL, relation TEXT NOT NULL, member_id TEXT NOT NULL,
        {AUTHENTICATED}, PRIMARY KEY (group_id, relation, member_id))""",
    "CREATE INDEX memberships_of ON memberships (member_id, relation)",
)


def upgrade() -> None:
    """Make the tables and the index."""
    for statement in STATEMENTS:
        op.execute(statement)
