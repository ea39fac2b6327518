"""What storages are tested with: things to keep, records, data directories that are ready in no time."""

import atexit
import functools
import json
import shutil
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from strongroom.access.authorization.model import RoleAssignment, RoleDefinition
from strongroom.access.identity.model import (
    Application,
    ClientCertificate,
    ClientSecret,
    PrincipalType,
    SigningKey,
    Tenant,
)
from strongroom.audit.event import Record, new_record_id
from strongroom.audit.log import BEGINNING, Mark
from strongroom.clock import microseconds
from strongroom.custody.sealing import Custodian
from strongroom.objects.lifecycle import Kind, ObjectState
from strongroom.objects.secrets.model import SecretVersion
from strongroom.resources.locks import Level, Lock
from strongroom.resources.model import ResourceGroup, Subscription
from strongroom.resources.networks.model import ServiceEndpoint, Subnet, VirtualNetwork
from strongroom.sensitive import Sensitive
from strongroom.storage.connection import MAIN_FILE
from strongroom.storage.directory import prepare
from strongroom.storage.history import last_notes
from strongroom.storage.outbox import put_in_outbox
from strongroom.storage.rows import RowSeal
from strongroom.storage.serverkeys import server_keys
from strongroom.vaults.connections import PrivateEndpointConnection, Status
from vault_doubles import MADE

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CUSTODIAN = Custodian(Sensitive(bytes(range(32))))


@functools.cache
def _empty_directory():
    """Return a data directory of this schema: a migration takes a second, a copy of its work none."""
    place = Path(tempfile.mkdtemp(prefix="strongroom-test-"))
    atexit.register(shutil.rmtree, place)
    prepare(place)
    return place


def a_data_directory(place):
    shutil.copytree(_empty_directory(), place)
    place.chmod(0o700)
    return place


def a_record(number=0, *, when=NOON, **said):
    body = {
        "operationName": f"Operation{number}",
        "category": "AuditEvent",
        "resultType": "Success",
        "resourceId": "",
        "properties": {},
    } | said
    return Record(new_record_id(), microseconds(when) + number, json.dumps(body).encode())


def a_tenant(number=1):
    return Tenant(tenant_id=f"tenant-{number}", display_name=f"Tenant {number}", created=NOON)


def an_application(number=1, **changes):
    described = {
        "app_id": f"app-{number}",
        "object_id": f"object-{number}",
        "tenant_id": "tenant-1",
        "display_name": f"Application {number}",
        "created": NOON,
        "secrets": (
            ClientSecret(
                key_id="k1",
                digest=b"\x00\xff",
                digest_key="d1",
                hint="abc",
                display_name="one",
                created=NOON,
                expires=NOON + timedelta(days=365),
            ),
        ),
        "certificates": (
            ClientCertificate(
                key_id="k2", der=b"der", sha1=b"1", sha256=b"256", display_name="two", expires=NOON + timedelta(days=1)
            ),
        ),
    }
    return Application(**described | changes)


def a_signing_key(number=1):
    return SigningKey(
        kid=f"Kid-{number}", public_der=b"public", sealed_private=b"\x01sealed", created=NOON + timedelta(days=number)
    )


def an_assignment(number=1, *, principal="object-1", scope="/subscriptions/s1", role="role-1"):
    return RoleAssignment(
        assignment_id=f"assignment-{number}",
        scope=scope,
        role_id=role,
        principal_id=principal,
        principal_type=PrincipalType.SERVICE_PRINCIPAL,
        created=NOON,
    )


def a_role(number=1, **said):
    named = {"role_id": f"role-{number}", "name": f"Role {number}", "description": "A role."}
    return RoleDefinition(**named | {"custom": True, "actions": ("*/read",), "created": NOON} | said)


def a_subscription(number=1):
    return Subscription(
        subscription_id=f"s{number}", tenant_id="tenant-1", display_name=f"Subscription {number}", created=NOON
    )


def a_group(name="Group", *, subscription="s1", **changes):
    described = {
        "subscription_id": subscription,
        "name": name,
        "location": "local",
        "tags": (("a", "b"), ("ä", "")),
        "system_data": MADE,
    }
    return ResourceGroup(**described | changes)


def a_lock(number=1, scope="/subscriptions/s1", **changes):
    described = {
        "subscription_id": "s1",
        "scope": scope,
        "name": f"Lock-{number}",
        "level": Level.CAN_NOT_DELETE,
        "notes": "why",
        "owners": ("app-1",),
        "system_data": MADE,
    }
    return Lock(**described | changes)


def a_network(number=1, group="rg", **changes):
    described = {
        "subscription_id": "s1",
        "resource_group": group,
        "name": f"Net-{number}",
        "location": "westeurope",
        "prefixes": ("10.0.0.0/16",),
        "subnets": (
            Subnet(name="Web", prefixes=("10.0.1.0/24",), endpoints=(ServiceEndpoint(service="Microsoft.KeyVault"),)),
            Subnet(name="db", prefixes=("10.0.2.0/24", "10.0.3.0/24"), as_list=True),
        ),
        "tags": (("a", "b"),),
        "resource_guid": f"guid-{number}",
        "etag": f"etag-{number}",
        "system_data": MADE,
    }
    return VirtualNetwork(**described | changes)


def a_connection(number=1, vault="id-of-kv1", **changes):
    described = {
        "connection_id": f"c{number}",
        "vault_id": vault,
        "name": f"End-{number}",
        "endpoint_id": f"/subscriptions/s1/resourceGroups/G/providers/Microsoft.Network/privateEndpoints/End-{number}",
        "address": f"127.0.0.{number + 1}",
        "port": 8000 + number,
        "status": Status.APPROVED,
        "description": "why",
    }
    return PrivateEndpointConnection(**described | changes)


def a_version(number=1, **changes):
    described = {
        "version": f"{number:032x}",
        "sealed": b"sealed %d" % number,
        "created": NOON + timedelta(seconds=number),
        "updated": NOON + timedelta(seconds=number),
    }
    return SecretVersion(**described | changes)


def a_state(name="Secret", *, vault="vault-1", latest=1, **changes):
    described = {"vault_id": vault, "kind": Kind.SECRET, "name": name, "latest": f"{latest:032x}"}
    return ObjectState(**described | changes)


def adding(*things):
    """Return work that calls `await add(stores)` for each of `things` and leaves a record."""

    async def work(stores):
        results = [await thing(stores) for thing in things]
        return results[-1] if results else None, a_record()

    return work


def seal_of_rows(data_dir, custodian=CUSTODIAN):
    """Return the seal of a data directory's rows, whose key is opened when it is first needed."""

    def authenticate(row):
        return custodian.authenticator(server_keys(data_dir, custodian, NOON).rows)(row)

    return RowSeal(authenticate)


def put_late(data_dir, records, custodian=CUSTODIAN):
    """Put records into the outbox, as a server leaves them there that is killed."""
    with closing(sqlite3.connect(data_dir / MAIN_FILE, isolation_level=None)) as connection:
        for record in records:
            put_in_outbox(connection, record, b"", seal_of_rows(data_dir, custodian))


def discrepancies(data_dir, progress=lambda _: None, *, custodian=CUSTODIAN):
    """Return every row of a data directory that is not as its records note it."""
    with last_notes(data_dir, seal_of_rows(data_dir, custodian)) as notes:
        return list(notes.compare(progress))


def find_break(chain, entries, before=BEGINNING):
    """Return the number of the first entry that does not follow the one before it, None when the chain is whole."""
    for entry in entries:
        if not chain.follows(entry, before):
            return before.sequence + 1
        before = Mark(entry.sequence, entry.link)
    return None
