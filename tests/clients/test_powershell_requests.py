"""What Azure PowerShell's cmdlets for vaults send, written from reading Az.KeyVault, and replayed: the tool is not run.

Its client serialises .NET objects: the tenant of a recovery is a GUID of zeros, its SKU the default one, `vaultUri` is
sent empty or as it was read, and every change of a vault is a PUT of the whole of it.
"""

import copy
import uuid
from urllib.parse import quote

import pytest

from clients.direct import Direct, unique

VERSIONS = ("2019-09-01", "2022-07-01", "2023-07-01", "2024-11-01")
RESOURCES = "2016-09-01"
NO_TENANT = "00000000-0000-0000-0000-000000000000"
FILTER = quote("resourceType eq 'Microsoft.KeyVault/vaults'", safe="$'")
ALICE, BOB = "c0ffee00-0000-4000-8000-0000000a11ce", "c0ffee00-0000-4000-8000-000000000b0b"


class PowerShell:
    """Sends what cmdlets of these names send; gives what the service answered."""

    def __init__(self, direct, version):
        self.direct, self.version = direct, version
        self.location = direct.facts.location

    def send(self, method, path, body=None, version=None):
        headers = {
            "x-ms-client-request-id": str(uuid.uuid4()),
            "accept-language": "en-US",
            "content-type": "application/json; charset=utf-8",
            "user-agent": "FxVersion/8.0.0 OSName/Linux Microsoft.Azure.Management.KeyVault.KeyVaultManagementClient",
        }
        joint = "&" if "?" in path else "?"
        url = f"{self.direct.facts.managementUrl}{path}{joint}api-version={version or self.version}"
        answer = self.direct.ask(method, url, token=self.direct.owner("management"), body=body, headers=headers)
        assert answer.headers["x-ms-request-id"]
        return answer

    def find(self, name):
        """What each cmdlet does that is given a vault's name alone: look for its resource group."""
        answer = self.send("GET", f"{self.direct.subscription}/resources?$filter={FILTER}", version=RESOURCES)
        assert answer.status == 200, answer
        return next((each for each in answer.json["value"] if each["name"].lower() == name.lower()), None)

    def new(self, name, **properties):
        """New-AzKeyVault"""
        assert self.find(name) is None
        asked = {
            "tenantId": self.direct.facts.tenantId,
            "sku": {"name": "standard", "family": "A"},
            "accessPolicies": [],
            "vaultUri": "",
            "enabledForDeployment": False,
            "enabledForDiskEncryption": False,
            "enabledForTemplateDeployment": False,
            "networkAcls": {"bypass": "AzureServices", "defaultAction": "Allow"},
            "publicNetworkAccess": "Enabled",
        }
        body = {"location": self.location, "tags": {}, "properties": asked | properties}
        return self.send("PUT", self.direct.vault_path(name), body)

    def get(self, name):
        """Get-AzKeyVault -VaultName"""
        found = self.find(name)
        return None if found is None else self.send("GET", found["id"])

    def put_back(self, name, tags=None, **changes):
        """Send a vault back as it was read, with some of it changed: what every change of one is."""
        vault = self.get(name).json
        properties = copy.deepcopy(vault["properties"]) | changes
        body = {"location": vault["location"], "tags": vault["tags"] if tags is None else tags}
        return self.send("PUT", vault["id"], body | {"properties": properties})

    def set_policies(self, name, policies):
        """Set-AzKeyVaultAccessPolicy and Remove-AzKeyVaultAccessPolicy, which put all policies with the vault."""
        return self.put_back(name, accessPolicies=policies)

    def remove(self, name):
        """Remove-AzKeyVault"""
        return self.send("DELETE", self.find(name)["id"])

    def deleted(self, name=None):
        """Get-AzKeyVault -InRemovedState"""
        provider = f"{self.direct.subscription}/providers/Microsoft.KeyVault"
        if name is None:
            return self.send("GET", f"{provider}/deletedVaults")
        return self.send("GET", f"{provider}/locations/{self.location}/deletedVaults/{name}")

    def undo_removal(self, name):
        """Undo-AzKeyVaultRemoval"""
        properties = {"tenantId": NO_TENANT, "sku": {"name": "standard", "family": "A"}, "createMode": "recover"}
        body = {"location": self.location, "tags": {}, "properties": properties}
        return self.send("PUT", self.direct.vault_path(name), body)

    def purge(self, name):
        """Remove-AzKeyVault -InRemovedState"""
        provider = f"{self.direct.subscription}/providers/Microsoft.KeyVault"
        answer = self.send("POST", f"{provider}/locations/{self.location}/deletedVaults/{name}/purge")
        while answer.status == 202:
            assert int(answer.headers["retry-after"]) >= 0
            location = answer.headers["location"]
            answer = self.direct.ask("GET", location, token=self.direct.owner("management"))
        return answer


@pytest.fixture(params=VERSIONS)
def powershell(request, connection):
    direct = Direct(connection)
    yield PowerShell(direct, request.param)
    direct.close()


def policy(powershell, object_id, application_id=None, **permissions):
    every = {kind: permissions.get(kind, []) for kind in ("keys", "secrets", "certificates", "storage")}
    told = {"tenantId": powershell.direct.facts.tenantId, "objectId": object_id, "permissions": every}
    return told if application_id is None else told | {"applicationId": application_id}


def test_a_vault_is_made_and_found(powershell):
    name = unique("ps")
    made = powershell.new(name)
    assert made.status == 200
    properties = made.json["properties"]
    assert properties["provisioningState"] == "Succeeded"
    assert properties["vaultUri"] == f"{powershell.direct.vault_url(name)}/"
    assert powershell.find(name.upper())["id"] == made.json["id"]
    assert powershell.get(name).json == made.json
    group = f"{powershell.direct.group_path('dev')}/resources?$filter={FILTER}"
    listed = powershell.send("GET", group, version=RESOURCES).json["value"]
    assert name in {each["name"] for each in listed}
    assert powershell.get(unique("ps")) is None


def test_policies_are_set_and_removed(powershell):
    name = unique("ps")
    powershell.new(name)
    alice = policy(powershell, ALICE, keys=["get", "list"], secrets=["all", "purge"])
    behalf = policy(powershell, ALICE, BOB, secrets=["get"])
    bob = policy(powershell, BOB, certificates=["Get"], storage=["get"])
    changed = powershell.set_policies(name, [alice, behalf, bob])
    assert changed.status == 200, changed
    told = powershell.get(name).json["properties"]["accessPolicies"]
    assert told == [alice, behalf, bob | {"permissions": bob["permissions"] | {"certificates": ["get"]}}]
    assert powershell.set_policies(name, [behalf]).status == 200
    assert powershell.get(name).json["properties"]["accessPolicies"] == [behalf]
    assert powershell.set_policies(name, [policy(powershell, ALICE, secrets=["fly"])]).status == 400
    assert powershell.get(name).json["properties"]["accessPolicies"] == [behalf]


def test_a_vault_is_updated(powershell):
    name = unique("ps")
    powershell.new(name)
    before = powershell.get(name).json
    assert powershell.put_back(name).json["properties"] == before["properties"]
    protected = powershell.put_back(name, enablePurgeProtection=True).json
    assert protected["properties"]["enablePurgeProtection"] is True
    assert powershell.put_back(name).json["properties"]["enablePurgeProtection"] is True
    for model in (True, False):
        changed = powershell.put_back(name, enableRbacAuthorization=model).json
        assert changed["properties"]["enableRbacAuthorization"] is model
    tagged = powershell.put_back(name, tags={"key": "value"}).json
    assert tagged["tags"] == {"key": "value"}
    assert tagged["properties"]["enablePurgeProtection"] is True
    powershell.remove(name)
    refused = powershell.purge(name)
    assert (refused.status, refused.error["code"]) == (405, "MethodNotAllowed")


def test_a_vault_is_removed_brought_back_and_purged(powershell):
    name = unique("ps")
    sku = {"name": "premium", "family": "A"}
    made = powershell.new(name, sku=sku, accessPolicies=[policy(powershell, ALICE, secrets=["get"])]).json
    assert powershell.remove(name).status == 200
    assert powershell.find(name) is None
    assert powershell.deleted(name).json["properties"]["vaultId"] == made["id"]
    assert name in {each["name"] for each in powershell.deleted().json["value"]}
    assert powershell.new(name).error["code"] == "ConflictError"
    back = powershell.undo_removal(name)
    assert back.status == 200
    assert back.json["properties"] == made["properties"], "as it was, whatever the request says of its SKU and tenant"
    assert powershell.remove(name).status == 200
    assert powershell.purge(name).status == 200
    assert powershell.deleted(name).error["code"] == "DeletedVaultNotFound"
    refused = powershell.undo_removal(name)
    assert (refused.status, refused.error["code"]) == (404, "DeletedVaultNotFound")
