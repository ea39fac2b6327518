"""The release of keys: who asks proves with a token of an authority what its environment is, and gets a signed answer.

The answer is a JSON Web Signature by the key that signs this server's access tokens, whose public half the identity
plane publishes. It is none of those tokens: it has no claim that one has.
Sources: REST `KeyReleaseParameters`, `KeyReleaseResult`; answers as the service's own traffic has them.
"""

from collections.abc import Iterator
from functools import partial
from typing import Annotated

import msgspec
from msgspec import Meta

from strongroom.access.authorization import actions
from strongroom.access.identity.attestation import Authorities, unverified_issuer, verify_attestation
from strongroom.access.identity.signing import SigningKeys
from strongroom.access.identity.tokens import sign_payload
from strongroom.custody.provider import TransferForm
from strongroom.errors import Forbidden
from strongroom.objects.keys.environment import Attested, attested_by
from strongroom.objects.keys.keepers import Keepers
from strongroom.objects.keys.model import Key
from strongroom.objects.model import invalid_property
from strongroom.octets import encode_octets
from strongroom.planes.call import Call
from strongroom.planes.data import keywire as wire
from strongroom.planes.data.keys import keys_of, version_in
from strongroom.planes.data.transferwire import write_transfer
from strongroom.planes.http import JSON, Response
from strongroom.planes.operation import Operation

Form = Annotated[str, Meta(extra_json_schema={"enum": [form.value for form in TransferForm]})]
LONGEST_NONCE = 1024


class KeyRelease(msgspec.Struct, frozen=True, kw_only=True):
    """The body of Release. target: the token that attests the environment. nonce: repeated in the answer."""

    target: str
    nonce: Annotated[str, Meta(extra_json_schema={"maxLength": LONGEST_NONCE})] | None = None
    enc: Form | None = None

    def form(self) -> TransferForm:
        """Return how the key is to be wrapped; BadRequest for a name that is none."""
        if self.nonce is not None and len(self.nonce) > LONGEST_NONCE:
            raise invalid_property("nonce", f"it has at most {LONGEST_NONCE} characters")
        try:
            return TransferForm(self.enc or TransferForm.CKM)
        except ValueError:
            raise invalid_property("enc", f"it is one of {', '.join(TransferForm)}") from None


class KeyReleaseResult(msgspec.Struct, frozen=True):
    """A JSON Web Signature, in whose payload the wrapped key lies."""

    value: str


class Asked(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What was asked for, as the answer repeats it."""

    api_version: str = msgspec.field(name="api-version")
    enc: str
    kid: str
    nonce: str | None = None


async def verify_target(keepers: Keepers, authorities: Authorities, call: Call) -> None:
    """Learn what an authority attests, before the change in which the key leaves: asking it takes its time."""
    body: KeyRelease = call.body
    call.notes["algorithm"] = body.form().value
    key, policy = await keys_of(keepers, call).get_releasable(call.parameters["name"], version_in(call))
    call.object_id = wire.key_id(call.request.base, key)
    issuer = unverified_issuer(body.target)
    authority = policy.find_authority(issuer)
    if authority is None:
        raise Forbidden("Target environment attestation does not meet key release policy requirements.")
    call.notes["attestationAuthority"] = authority
    claims = await verify_attestation(body.target, authority, authorities, call.real_now)
    call.prepared = attested_by(authority, claims)


async def release_key(keepers: Keepers, call: Call) -> Response:
    """Hand out an exportable key, wrapped to the environment that its release policy lets have it."""
    body: KeyRelease = call.body
    attested: Attested = call.prepared
    form = body.form()
    # Said again: what was noted before the authority was asked is gone when the caller was admitted anew after it.
    call.notes |= {"algorithm": form.value, "attestationAuthority": attested.authority}
    key, wrapped = await keys_of(keepers, call).release(call.parameters["name"], version_in(call), attested, form)
    call.object_id = wire.key_id(call.request.base, key)
    signing_key = await SigningKeys(call.custodian).current(call.stores.identity, call.stores.keyring, call.real_now)
    answer = KeyReleaseResult(sign_payload(_payload(call, key, attested.kid, wrapped), signing_key))
    return Response(200, wire.encode(answer), (JSON,))


def _payload(call: Call, key: Key, kid: str, wrapped: bytes) -> bytes:
    body: KeyRelease = call.body
    asked = Asked(
        api_version=call.request.query.get("api-version") or "",
        enc=body.form().value,
        kid=wire.key_id(call.request.base, key, with_version=version_in(call) is not None),
        nonce=body.nonce,
    )
    key_hsm = encode_octets(write_transfer(kid, body.form(), wrapped))
    bundle = wire.released_bundle(call.request.base, call.known_vault(), key, key_hsm)
    return wire.encode({"request": asked, "response": {"key": bundle}})


def operations(keepers: Keepers, authorities: Authorities) -> Iterator[Operation]:
    """Return the rows of release. authorities: where the keys of those come from who attest."""
    for path, suffix in (("/keys/{name}/release", ""), ("/keys/{name}/{version}/release", "_version")):
        yield Operation(
            method="POST",
            path=path,
            handler=partial(release_key, keepers),
            prepare=partial(verify_target, keepers, authorities),
            needs=actions.KEY_RELEASE,
            log="KeyRelease",
            takes=KeyRelease,
            gives=KeyReleaseResult,
            changes=True,
            since="7.3",
            name=f"release_key{suffix}",
        )
