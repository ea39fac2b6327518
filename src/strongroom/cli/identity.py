"""As whom clients sign in: as the application that an environment names whole, else as bootstrap.

An application is named whole by its id and, beside it, its secret or certificate. It counts only in the tenant of the
server: what another cloud or another server left in an environment proves nothing here and is not sent here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from strongroom.cli.hints import typed_here

CLIENT_ID = "AZURE_CLIENT_ID"
CLIENT_SECRET = "AZURE_CLIENT_SECRET"  # noqa: S105 - the name of a variable
CERTIFICATE = "AZURE_CLIENT_CERTIFICATE_PATH"
TENANT_ID = "AZURE_TENANT_ID"
PROOFS = (CLIENT_SECRET, CERTIFICATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What is known of the bootstrap application's secret and of the rehearsal vault. client_secret None: not known."""

    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    vault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What to set in an environment and take out of it for an identity, and what its user should be told."""

    set: Mapping[str, str] = field(default_factory=dict, repr=False)
    unset: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def identity_in(environ: Mapping[str, str], bootstrap: Credentials, tenant_id: str) -> Identity:
    """Return as whom clients in `environ` sign in to the server of this tenant.

    A secret without an id, or beside bootstrap's, is taken for bootstrap's; the one that is known counts before it.
    """
    named = environ.get(CLIENT_ID, "")
    is_here = environ.get(TENANT_ID, "") in {"", tenant_id}
    is_other = named not in {"", bootstrap.client_id}
    if is_here and is_other and _has_proof(environ):
        return Identity(notes=(f"clients sign in as application {named}, as this environment says, not as bootstrap",))
    if is_here and named and environ.get(CERTIFICATE) and not environ.get(CLIENT_SECRET):
        return Identity()
    return _as_bootstrap(environ, bootstrap, is_own=is_here and not is_other, is_here=is_here)


def _has_proof(environ: Mapping[str, str]) -> bool:
    return any(environ.get(name) for name in PROOFS)


def _as_bootstrap(environ: Mapping[str, str], bootstrap: Credentials, *, is_own: bool, is_here: bool) -> Identity:
    """is_own: what `environ` has of an identity is bootstrap's. is_here: it is of this server's tenant."""
    change = {CLIENT_ID: bootstrap.client_id}
    if bootstrap.client_secret is not None:
        change[CLIENT_SECRET] = bootstrap.client_secret
    notes = []
    if not is_own and environ.get(CLIENT_ID):
        why = "there is neither a secret nor a certificate beside it" if is_here else f"{TENANT_ID} is another server's"
        notes.append(f"{CLIENT_ID} of this environment does not count, for {why}; clients sign in as bootstrap")
    if bootstrap.client_secret is None and not (is_own and _has_proof(environ)):
        notes.append(
            f"bootstrap's secret is not known here, so clients cannot sign in: export {CLIENT_SECRET}=… "
            + typed_here("(a new one: strongroom app reset-secret bootstrap)")
        )
    unset = () if is_own else tuple(name for name in PROOFS if name in environ and name not in change)
    return Identity(set=change, unset=unset, notes=tuple(notes))
