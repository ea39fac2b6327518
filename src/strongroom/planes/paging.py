"""Paging tokens: opaque to whoever carries them, bound to the collection they were given for.

A token is sealed under the PAGING key of the server with the collection as its associated data: one that was
changed, made up, or carried to another host, collection or query does not open.
"""

import base64
import binascii
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from strongroom.custody.sealing import Context, Custodian, SealBroken
from strongroom.custody.store import DataKey, KeyringStore, Purpose
from strongroom.errors import BadRequest, StorageUnavailable
from strongroom.planes.call import Call
from strongroom.sensitive import Sensitive

MAX_TOKEN = 4096

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


async def paging_key(keyring: KeyringStore) -> DataKey:
    """Return the key that paging tokens are sealed under; StorageUnavailable when the keyring has none."""
    key = await keyring.newest(Purpose.PAGING)
    if key is None:
        raise StorageUnavailable("The keyring has no paging key; the storage was not prepared by this server.")
    return key


def seal_token(custodian: Custodian, key: DataKey, scope: str, payload: dict[str, Any]) -> str:
    """Return `payload` as an opaque token (base64url, no padding) that opens for `scope` only.

    scope: what the token is good for, such as the vault's id, the collection and what narrows it.
    """
    sealed = custodian.seal(key, Sensitive(_encode(payload)), _context(scope))
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def open_token(custodian: Custodian, key: DataKey, scope: str, token: str) -> dict[str, Any]:
    """Return the payload of a token given out for `scope`; BadRequest for any other token."""
    try:
        if len(token) > MAX_TOKEN:
            raise SealBroken("longer than any token")
        raw = token.encode("ascii")
        sealed = base64.b64decode(raw + b"=" * (-len(raw) % 4), altchars=b"-_", validate=True)
        return _decode(custodian.open(key, sealed, _context(scope)).reveal())
    except (SealBroken, UnicodeEncodeError, binascii.Error):
        raise BadRequest("The paging token is invalid for this collection; start again from its first page.") from None


async def open_skip_token(call: Call) -> dict[str, Any]:
    """Return what the query's paging token says, nothing where there is none; BadRequest for one from elsewhere."""
    token = call.request.query.get("$skiptoken")
    if token is None:
        return {}
    key = await paging_key(call.stores.keyring)
    return open_token(call.custodian, key, _place(call), token)


async def next_link(call: Call, payload: dict[str, Any]) -> str:
    """Return the link to the page of this list that begins where `payload` says."""
    key = await paging_key(call.stores.keyring)
    token = seal_token(call.custodian, key, _place(call), payload)
    kept = {name: value for name, value in call.request.query.items() if name != "$skiptoken"}
    query = urlencode({**kept, "$skiptoken": token}, quote_via=quote, safe="$'")
    return f"{call.request.base}{call.request.path}?{query}"


def _place(call: Call) -> str:
    """Return what a token is good for: this host, collection and filter."""
    request = call.request
    return f"{request.host}{request.path.rstrip('/').lower()}?{request.query.get('$filter', '')}"


def _context(scope: str) -> Context:
    return Context("", "paging", scope, "", "token")
