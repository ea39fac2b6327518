"""A world in which every error can be met: vaults in every state, clients with every kind of credential.

A row of a table of errors says who provokes it and how, and what must be answered. In a message `…` stands for any text
and `{}` for facts of the world (`World.facts`).
"""

import re
from dataclasses import dataclass

from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.keyvault.secrets import SecretClient
from azure.mgmt.keyvault import KeyVaultManagementClient
from azure.mgmt.keyvault.models import Sku, VaultCreateOrUpdateParameters, VaultProperties

from clients.direct import Direct, disable, make_applications, object_id_in, unique

NOWHERE = "99999999-9999-4999-8999-999999999999"


@dataclass(frozen=True)
class Met:
    """An error as it was met."""

    status: int
    code: str
    inner: str | None
    message: str
    headers: dict


class World:
    """Vaults in every state that an error asks for, and clients with every kind of credential."""

    def __init__(self, server, connection):
        self.server = server
        self.direct = Direct(connection)
        self.connection = connection
        self.applications = make_applications(
            server, ("guest", "contributor", "disabled"), roles={"contributor": "Key Vault Contributor"}
        )
        self.policy_vault, self.rbac_vault, self.protected_vault = unique("erp"), unique("err"), unique("erx")
        self.deleted_vault, self.deleted_protected_vault = unique("erd"), unique("ere")
        self.group = unique("errors-")
        self._clients = {}
        self.token_of_disabled = self._disable()
        self._make_places()
        self._make_secrets()

    def _disable(self):
        """Disable an application and return the token that it holds."""
        client_id, _, secret = self.applications["disabled"]
        token = self.direct.sign_in(client_id, secret)
        disable(self.server, client_id)
        return token

    def _make_places(self):
        direct = self.direct
        everything = direct.policy(object_id_in(direct.owner()), "all", "purge", keys=["all", "purge"])
        direct.make_group(self.group)
        for name in (self.policy_vault, self.deleted_vault):
            direct.make_vault(name, accessPolicies=[everything])
        for name in (self.protected_vault, self.deleted_protected_vault):
            direct.make_vault(name, accessPolicies=[everything], enablePurgeProtection=True)
        direct.make_vault(self.rbac_vault, enableRbacAuthorization=True)
        for name in (self.deleted_vault, self.deleted_protected_vault):
            assert direct.manage("DELETE", direct.vault_path(name)).status == 200

    def _make_secrets(self):
        for vault in (self.policy_vault, self.protected_vault):
            for name in ("living", "disabled", "deleted"):
                body = {"value": "v", "attributes": {"enabled": name != "disabled"}}
                assert self.direct.secret("PUT", self.direct.vault_url(vault), f"/secrets/{name}", body).status == 200
            assert self.direct.secret("DELETE", self.direct.vault_url(vault), "/secrets/deleted").status == 200

    @property
    def facts(self):
        guest_id, guest_object, _ = self.applications["guest"]
        contributor_id, contributor_object, _ = self.applications["contributor"]
        group = f"/subscriptions/{self.connection.subscriptionId}/resourcegroups/dev"
        return vars(self.connection) | {
            "domain": self.connection.managementUrl.partition("//management.")[2],
            "guest": f"appid={guest_id};oid={guest_object};iss=https://sts.localhost/{self.connection.tenantId}/",
            "owner": self.connection.clientId,
            "guest_id": guest_id,
            "guest_object": guest_object,
            "contributor_id": contributor_id,
            "contributor_object": contributor_object,
            "vault": self.policy_vault,
            "rbac_vault": self.rbac_vault,
            "protected_vault": self.protected_vault,
            "deleted_vault": self.deleted_vault,
            "vaults": f"{group}/providers/microsoft.keyvault",
        }

    def close(self):
        self.direct.close()
        for client in self._clients.values():
            client.close()

    def credential(self, who="owner", **changes):
        """Return the SDK's own credential of an application; changes: other arguments than its own."""
        client_id, _, secret = self.applications.get(who, (self.connection.clientId, "", self.connection.clientSecret))
        asked = {"tenant_id": self.connection.tenantId, "client_id": client_id, "client_secret": secret} | changes
        return self._kept(
            (who, *asked.values()),
            lambda: ClientSecretCredential(
                **asked, authority=self.connection.authority, disable_instance_discovery=True, retry_total=0
            ),
        )

    def secrets(self, vault=None, who="owner", **kwargs):
        """Return the SDK's client of a vault, that of the policies unless another is named."""
        url = self.direct.vault_url(vault or self.policy_vault)
        asked = {"credential": self.credential(who)} | kwargs
        return self._kept((url, who, *kwargs.values()), lambda: SecretClient(url, retry_total=0, **asked))

    def vaults(self, who="owner", subscription=None, **kwargs):
        """Return the vault operations of the SDK's management client."""
        return self.management(who, subscription, **kwargs).vaults

    def hsms(self):
        """Return its operations on managed HSMs."""
        return self.management().managed_hsms

    def management(self, who="owner", subscription=None, **kwargs):
        """Return the SDK's management client."""
        return self._kept(
            (who, subscription, *kwargs.values()),
            lambda: KeyVaultManagementClient(
                self.credential(who),
                subscription or self.connection.subscriptionId,
                base_url=self.connection.managementUrl,
                credential_scopes=[f"{self.connection.managementUrl}/.default"],
                polling_interval=0,
                retry_total=0,
                **kwargs,
            ),
        )

    def _kept(self, key, make):
        """Return the client of that key: what is asked for once more is asked for over the same connection."""
        if key not in self._clients:
            self._clients[key] = make()
        return self._clients[key]

    def wanted(self, *, location=None, sku="standard", **properties):
        """Return what a vault is asked to be, in the SDK's words."""
        asked = {"access_policies": [], "enable_rbac_authorization": False} | properties
        return VaultCreateOrUpdateParameters(
            location=location or self.connection.location,
            properties=VaultProperties(tenant_id=self.connection.tenantId, sku=Sku(name=sku, family="A"), **asked),
        )

    def make(self, name=None, group="dev", who="owner", **wanted):
        """Ask the SDK for a vault, a new one unless it is named."""
        return self.vaults(who).begin_create_or_update(group, name or unique("ern"), self.wanted(**wanted)).result()

    def shut(self, **network):
        """Return the SDK's client of a new vault, open to the owner but for its network."""
        name = unique("ern")
        self.direct.make_vault(name, accessPolicies=[self.direct.policy(object_id_in(self.direct.owner()), "all")])
        answer = self.direct.manage("PATCH", self.direct.vault_path(name), {"properties": network})
        assert answer.status == 200, answer
        return self.secrets(name)

    def get(self, path, **kwargs):
        """Ask the vault of the policies by plain HTTPS."""
        return self.direct.secret("GET", self.direct.vault_url(self.policy_vault), path, **kwargs)

    def put(self, name, body):
        """Ask it to set a secret."""
        return self.direct.secret("PUT", self.direct.vault_url(self.policy_vault), f"/secrets/{name}", body)


def meet(world, provoke):
    """Return the error that `provoke` meets: what the SDK raised, or what stands in an answer."""
    try:
        answer = provoke(world)
        if hasattr(answer, "by_page"):
            answer = list(answer)
    except HttpResponseError as error:
        inner = (error.error.innererror or {}).get("code")
        headers = {name.lower(): value for name, value in error.response.headers.items()}
        return Met(error.status_code, error.error.code, inner, error.error.message, headers)
    error = answer.error
    assert set(error) <= {"code", "message", "innererror"}
    return Met(answer.status, error["code"], error.get("innererror", {}).get("code"), error["message"], answer.headers)


def fits(template, text, facts):
    pieces = [re.escape(piece.format(**facts)) for piece in template.split("…")]
    return re.fullmatch(".*".join(pieces), text, re.DOTALL) is not None
