"""The first schema: who exists, where vaults belong, what they hold, who may, and the outbox of records."""

from alembic import op

revision = "0001"
down_revision = None

AUTHENTICATED = "document BLOB NOT NULL, mac BLOB NOT NULL"
STATEMENTS = (
    "CREATE TABLE epoch (value INTEGER NOT NULL)",
    "INSERT INTO epoch (value) VALUES (1)",
    f"CREATE TABLE tenants (tenant_id TEXT PRIMARY KEY NOT NULL, {AUTHENTICATED})",
    f"""CREATE TABLE applications (object_id TEXT PRIMARY KEY NOT NULL, app_id TEXT NOT NULL UNIQUE,
        {AUTHENTICATED})""",
    f"CREATE TABLE signing_keys (kid TEXT PRIMARY KEY NOT NULL, {AUTHENTICATED})",
    f"CREATE TABLE subscriptions (subscription_id TEXT PRIMARY KEY NOT NULL, {AUTHENTICATED})",
    f"""CREATE TABLE resource_groups (subscription_id TEXT NOT NULL, name TEXT NOT NULL, {AUTHENTICATED},
        PRIMARY KEY (subscription_id, name))""",
    f"CREATE TABLE facts (name TEXT PRIMARY KEY NOT NULL, {AUTHENTICATED})",
    f"""CREATE TABLE vaults (vault_id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL UNIQUE,
        subscription_id TEXT NOT NULL, resource_group TEXT NOT NULL, deleted INTEGER NOT NULL, {AUTHENTICATED})""",
    "CREATE INDEX vaults_by_group ON vaults (subscription_id, deleted, resource_group, name)",
    f"""CREATE TABLE assignments (assignment_id TEXT PRIMARY KEY NOT NULL, scope TEXT NOT NULL, role_id TEXT NOT NULL,
        principal_id TEXT NOT NULL, {AUTHENTICATED}, UNIQUE (principal_id, role_id, scope))""",
    """CREATE TABLE data_keys (key_id TEXT PRIMARY KEY NOT NULL, purpose TEXT NOT NULL, scope TEXT NOT NULL,
        version INTEGER NOT NULL, sealed BLOB NOT NULL, created INTEGER NOT NULL, UNIQUE (purpose, scope, version))""",
    f"""CREATE TABLE objects (vault_id TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, latest TEXT NOT NULL,
        deleted INTEGER, purge INTEGER, {AUTHENTICATED}, PRIMARY KEY (vault_id, kind, name)) WITHOUT ROWID""",
    "CREATE INDEX objects_by_purge ON objects (purge) WHERE purge IS NOT NULL",
    f"""CREATE TABLE versions (seq INTEGER PRIMARY KEY AUTOINCREMENT, vault_id TEXT NOT NULL, kind TEXT NOT NULL,
        name TEXT NOT NULL, version TEXT NOT NULL, sealed BLOB NOT NULL, {AUTHENTICATED},
        UNIQUE (vault_id, kind, name, version))""",
    "CREATE INDEX versions_in_order ON versions (vault_id, kind, name, seq)",
    "CREATE TABLE outbox (id BLOB PRIMARY KEY NOT NULL, time INTEGER NOT NULL, body BLOB NOT NULL)",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in STATEMENTS:
        op.execute(statement)
