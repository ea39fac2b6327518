"""What the record of a change says of a vault's permissions: the model, and who gains and who loses which of them."""

from strongroom.planes.call import Call
from strongroom.vaults.model import Vault
from strongroom.vaults.policies import KINDS


def note_policy_change(call: Call, before: Vault | None, vault: Vault) -> None:
    """Note in the record who gains and loses which permission, and a change of the permission model.

    before: None for a vault that is new.
    """
    if before is None or before.rbac != vault.rbac:
        call.notes["enableRbacAuthorization"] = vault.rbac
    held = _grants(before)
    holds = _grants(vault)
    changes = [
        {
            "tenantId": tenant,
            "objectId": principal,
            "applicationId": application,
            "granted": sorted(holds.get(who, frozenset()) - held.get(who, frozenset())),
            "revoked": sorted(held.get(who, frozenset()) - holds.get(who, frozenset())),
        }
        for who in sorted(held.keys() | holds.keys(), key=str)
        if holds.get(who) != held.get(who)
        for tenant, principal, application in (who,)
    ]
    if changes:
        call.notes["accessPolicyChanges"] = changes


def _grants(vault: Vault | None) -> dict[tuple[str, str, str | None], frozenset[str]]:
    return {
        (entry.tenant_id, entry.object_id, entry.application_id): frozenset(
            f"{kind}/{name}" for kind in KINDS for name in getattr(entry, kind)
        )
        for entry in (vault.access_policies if vault else ())
    }
