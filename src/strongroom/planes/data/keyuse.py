"""What keys of the data plane are used for: parse, make one call, render."""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

from strongroom.access.authorization import actions
from strongroom.access.authorization.model import Action
from strongroom.custody.algorithms import ALGORITHMS
from strongroom.objects.keys.keepers import Keepers
from strongroom.planes.call import Call
from strongroom.planes.data import keyrequests as asked
from strongroom.planes.data import keywire as wire
from strongroom.planes.data.keys import answer_with, keys_of, version_in
from strongroom.planes.http import Response
from strongroom.planes.operation import Operation

Handle = Callable[[Keepers, Call], Awaitable[Response]]


async def encrypt_data(keepers: Keepers, call: Call) -> Response:
    """Encrypt a few bytes under a version, the newest when the path names none."""
    body: asked.KeyEncrypt = call.body
    name, version = _named(call, body.alg)
    key, made = await keys_of(keepers, call).encrypt(name, version, body.alg, body.value, iv=body.iv, aad=body.aad)
    return answer_with(call, key, wire.write_ciphertext(call.request.base, key, made))


async def decrypt_data(keepers: Keepers, call: Call) -> Response:
    """Decrypt what was encrypted under a version, the newest when the path names none."""
    body: asked.KeyDecrypt = call.body
    name, version = _named(call, body.alg)
    key, plaintext = await keys_of(keepers, call).decrypt(name, version, body.alg, body.ciphertext())
    return answer_with(call, key, wire.write_plaintext(call.request.base, key, plaintext))


async def wrap_key(keepers: Keepers, call: Call) -> Response:
    """Wrap another key's bytes under a version, the newest when the path names none."""
    body: asked.KeyEncrypt = call.body
    name, version = _named(call, body.alg)
    key, made = await keys_of(keepers, call).wrap(name, version, body.alg, body.value)
    return answer_with(call, key, wire.write_ciphertext(call.request.base, key, made))


async def unwrap_key(keepers: Keepers, call: Call) -> Response:
    """Unwrap what was wrapped under a version, the newest when the path names none."""
    body: asked.KeyDecrypt = call.body
    name, version = _named(call, body.alg)
    key, material = await keys_of(keepers, call).unwrap(name, version, body.alg, body.value)
    return answer_with(call, key, wire.write_plaintext(call.request.base, key, material))


async def sign_digest(keepers: Keepers, call: Call) -> Response:
    """Sign a digest with a version, the newest when the path names none; the message itself never reaches us."""
    body: asked.KeySign = call.body
    name, version = _named(call, body.alg)
    key, signature = await keys_of(keepers, call).sign(
        name, version, body.alg, body.value, context=body.context or b"", is_mu=bool(body.external_mu)
    )
    return answer_with(call, key, wire.write_signature(call.request.base, key, signature))


async def verify_signature(keepers: Keepers, call: Call) -> Response:
    """Tell whether a signature of a digest is one by a version, the newest when the path names none."""
    body: asked.KeyVerify = call.body
    name, version = _named(call, body.alg)
    key, is_one = await keys_of(keepers, call).verify(
        name,
        version,
        body.alg,
        body.digest,
        body.value,
        context=body.context or b"",
        is_mu=bool(body.external_mu),
    )
    return answer_with(call, key, wire.encode(wire.KeyVerifyResult(is_one)))


def _named(call: Call, algorithm: str) -> tuple[str, str | None]:
    """Return the key that the path names, and note for the record what is done with it.

    Only an algorithm that there is: who sends his plaintext in the wrong place does not find it in the records.
    """
    if algorithm in ALGORITHMS:
        call.notes["algorithm"] = algorithm
    return call.parameters["name"], version_in(call)


USES: tuple[tuple[str, Handle, Action, str, Any, Any], ...] = (
    ("encrypt", encrypt_data, actions.KEY_ENCRYPT, "KeyEncrypt", asked.KeyEncrypt, wire.KeyOperationResult),
    ("decrypt", decrypt_data, actions.KEY_DECRYPT, "KeyDecrypt", asked.KeyDecrypt, wire.KeyOperationResult),
    ("wrapkey", wrap_key, actions.KEY_WRAP, "KeyWrap", asked.KeyEncrypt, wire.KeyOperationResult),
    ("unwrapkey", unwrap_key, actions.KEY_UNWRAP, "KeyUnwrap", asked.KeyDecrypt, wire.KeyOperationResult),
    ("sign", sign_digest, actions.KEY_SIGN, "KeySign", asked.KeySign, wire.KeyOperationResult),
    ("verify", verify_signature, actions.KEY_VERIFY, "KeyVerify", asked.KeyVerify, wire.KeyVerifyResult),
)
"""What keys do: the last segment of the path, and what its row says."""


def operations(keepers: Keepers) -> Iterator[Operation]:
    """Return the rows of what keys are used for. keepers: who keeps them."""
    for use, handle, needs, log, takes, gives in USES:
        for path, suffix in ((f"/keys/{{name}}/{use}", ""), (f"/keys/{{name}}/{{version}}/{use}", "_version")):
            yield Operation(
                method="POST",
                path=path,
                handler=partial(handle, keepers),
                needs=needs,
                log=log,
                takes=takes,
                gives=gives,
                name=f"{handle.__name__}{suffix}",
            )
