"""Applications: made, listed, disabled, deleted; their client secrets and certificates.

A client secret is 32 random bytes, shown once; kept is its HMAC under a sealed key, bound to application and key id.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.access.identity import refusals
from strongroom.access.identity.model import Application, ClientCertificate, ClientSecret
from strongroom.access.identity.naming import NAME_LENGTH, require_display_name
from strongroom.access.identity.store import IdentityStore
from strongroom.clock import whole_seconds
from strongroom.custody.sealing import Context, Custodian, SealBroken
from strongroom.custody.store import DataKey, KeyringStore, Purpose
from strongroom.errors import BadRequest, Conflict, NotFound, ServiceUnavailable
from strongroom.ids import new_guid
from strongroom.sensitive import Sensitive

SECRET_BYTES = 32
SECRET_LENGTH = 512  # longer ones are not even hashed
SECRET_LIFETIME = timedelta(days=730)
LONGEST_LIFETIME = timedelta(days=36500)
RSA_BITS = 2048
HINT_LENGTH = 3

T = TypeVar("T")


class Grants(Protocol):
    """What has to forget a principal that is gone: its role assignments."""

    async def remove_principal(self, principal_id: str) -> None:
        """Remove all that was granted to a principal."""


class Applications:
    """The applications of a directory, over its stores. Changes are made inside a storage transaction."""

    def __init__(self, store: IdentityStore, keyring: KeyringStore, custodian: Custodian) -> None:
        self._store = store
        self._keyring = keyring
        self._custodian = custodian

    async def create(
        self, display_name: str, *, tenant_id: str, now: datetime, lifetime: timedelta = SECRET_LIFETIME
    ) -> tuple[Application, Sensitive[str]]:
        """Return a new application and its client secret, which nothing tells again; BadRequest for a bad name."""
        application = Application(
            app_id=new_guid(),
            object_id=new_guid(),
            tenant_id=tenant_id,
            display_name=require_display_name(display_name),
            created=whole_seconds(now),
        )
        kept, secret = await self._new_secret(application, now, lifetime)
        application = replace(application, secrets=(kept,))
        await self._store.add_application(application)
        return application, secret

    async def list(self) -> tuple[Application, ...]:
        """Return every application, oldest first."""
        return await self._store.list_applications()

    async def get(self, reference: str) -> Application:
        """Return the application with that application id, object id or display name.

        NotFound when there is none, BadRequest when several have the name.
        """
        wanted = reference.strip().lower()
        found = await self._store.find_application(wanted) or await self._store.find_principal(wanted)
        if found is not None:
            return found
        named = await self._named(wanted)
        if not named:
            raise NotFound(f"There is no application '{reference}'.")
        if len(named) > 1:
            ids = ", ".join(each.app_id for each in named)
            raise BadRequest(f"{len(named)} applications are called '{reference}'; name one by its id: {ids}.")
        return named[0]

    async def require_new_name(self, display_name: str) -> None:
        """Raise Conflict when an application is called so: commands could not tell the two apart by name."""
        found = await self._named(display_name.strip().lower())
        if found:
            raise Conflict(
                f"An application is called '{found[0].display_name}' already: {found[0].app_id}. Choose another name."
            )

    async def enable(self, reference: str) -> Application:
        """Let an application sign in and act again."""
        return await self._change(await self.get(reference), enabled=True)

    async def disable(self, reference: str) -> Application:
        """Refuse an application everywhere, whatever token it holds, until it is enabled."""
        return await self._change(await self.get(reference), enabled=False)

    async def trust(self, reference: str, *, trusted: bool) -> Application:
        """Let an application count as a trusted service of the network, or no longer."""
        return await self._change(await self.get(reference), trusted=trusted)

    async def delete(self, reference: str, grants: Grants) -> Application:
        """Remove an application with its memberships and all that was granted to it, and return what it was."""
        application = await self.get(reference)
        await self._store.remove_application(application.object_id)
        await self._store.remove_memberships(application.object_id)
        await grants.remove_principal(application.object_id)
        return application

    async def reset_secret(
        self, reference: str, *, now: datetime, lifetime: timedelta = SECRET_LIFETIME
    ) -> tuple[Application, Sensitive[str]]:
        """Replace all client secrets of an application by a new one, and return it with the application."""
        application = await self.get(reference)
        kept, secret = await self._new_secret(application, now, lifetime)
        return await self._change(application, secrets=(kept,)), secret

    async def add_certificate(self, reference: str, pem: bytes, *, now: datetime) -> Application:
        """Let the key of a certificate (PEM, RSA of at least 2048 bits) sign the application's assertions.

        BadRequest when it is no such certificate or has expired, Conflict when the application has it already.
        """
        application = await self.get(reference)
        certificate = _read_certificate(pem, now)
        if any(each.sha256 == certificate.sha256 for each in application.certificates):
            raise Conflict("The application has this certificate already.")
        return await self._change(application, certificates=(*application.certificates, certificate))

    async def require_secret(
        self, application: Application, unverified_secret: Sensitive[str], now: datetime
    ) -> ClientSecret:
        """Return the client secret that was presented; SignInFailed when it is wrong or has expired.

        Every secret of the application is compared, each in constant time.
        """
        matched: ClientSecret | None = None
        for kept in application.secrets:
            key = await self._keyring.find(kept.digest_key)
            if key is None:
                raise SealBroken("a client secret is kept under a key that the keyring has not")
            if hmac.compare_digest(self._digest(key, application, kept.key_id, unverified_secret), kept.digest):
                matched = kept
        if matched is None:
            raise refusals.secret_wrong(application.app_id)
        if now >= matched.expires:
            raise refusals.secret_expired(application.app_id)
        return matched

    async def _named(self, lower_name: str) -> tuple[Application, ...]:
        every = await self._store.list_applications()
        return tuple([each for each in every if each.display_name.lower() == lower_name])

    async def _change(
        self,
        application: Application,
        *,
        enabled: bool | None = None,
        secrets: tuple[ClientSecret, ...] | None = None,
        certificates: tuple[ClientCertificate, ...] | None = None,
        trusted: bool | None = None,
    ) -> Application:
        changed = replace(
            application,
            enabled=application.enabled if enabled is None else enabled,
            secrets=application.secrets if secrets is None else secrets,
            certificates=application.certificates if certificates is None else certificates,
            trusted=application.trusted if trusted is None else trusted,
        )
        await self._store.replace_application(changed)
        return changed

    async def _new_secret(
        self, application: Application, now: datetime, lifetime: timedelta
    ) -> tuple[ClientSecret, Sensitive[str]]:
        if not timedelta(0) < lifetime <= LONGEST_LIFETIME:
            raise BadRequest("A client secret lives at least a moment and at most a hundred years.")
        key = await self._keyring.newest(Purpose.CLIENT_SECRETS)
        if key is None:
            raise ServiceUnavailable("There is no key for client secrets; start the server once to make one.")
        text = _new_text()
        key_id = new_guid()
        kept = ClientSecret(
            key_id=key_id,
            digest=self._digest(key, application, key_id, Sensitive(text)),
            digest_key=key.key_id,
            hint=text[:HINT_LENGTH],
            display_name="Client secret",
            created=whole_seconds(now),
            expires=whole_seconds(now + lifetime),
        )
        return kept, Sensitive(text)

    def _digest(self, key: DataKey, application: Application, key_id: str, secret: Sensitive[str]) -> bytes:
        text = secret.reveal()
        if len(text) > SECRET_LENGTH:
            raise refusals.secret_wrong(application.app_id)
        place = Context(application.object_id, "client-secret", key_id, "", "digest").encode()
        return self._custodian.mac(key, place + text.encode("utf-8", "surrogatepass"))


def _new_text() -> str:
    """Return the text of a new secret: none begins with a hyphen, which commands would take for an option."""
    while (text := secrets.token_urlsafe(SECRET_BYTES)).startswith("-"):
        pass
    return text


def _read_certificate(pem: bytes, now: datetime) -> ClientCertificate:
    certificate = _or_bad_request(lambda: x509.load_pem_x509_certificate(pem), "It is no certificate in PEM.")
    key = _or_bad_request(certificate.public_key, "The certificate's key cannot be read.")
    if not isinstance(key, RSAPublicKey) or key.key_size < RSA_BITS:
        raise BadRequest(f"The certificate's key must be RSA of at least {RSA_BITS} bits.")
    if now >= certificate.not_valid_after_utc:
        raise BadRequest("The certificate has expired.")
    return ClientCertificate(
        key_id=new_guid(),
        der=certificate.public_bytes(Encoding.DER),
        sha1=certificate.fingerprint(SHA1()),  # noqa: S303 - names a certificate (`x5t`), vouches for nothing
        sha256=certificate.fingerprint(SHA256()),
        display_name=certificate.subject.rfc4514_string()[:NAME_LENGTH],
        expires=certificate.not_valid_after_utc,
    )


def _or_bad_request(read: Callable[[], T], message: str) -> T:
    try:
        return read()
    except (ValueError, TypeError, OverflowError):
        raise BadRequest(message) from None
