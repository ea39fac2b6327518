"""The form of a token request, read strictly: each parameter once, and the client's proof in one way only."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote_plus

from strongroom.access.identity import refusals
from strongroom.planes.http import Request
from strongroom.planes.operation import FORM_BODY
from strongroom.sensitive import Sensitive

FIELDS = 64
SECRETS = frozenset({"client_secret", "client_assertion"})


@dataclass(frozen=True, slots=True)
class Form:
    """What a client sent: its parameters, and its proof apart, so that no log can carry it."""

    parameters: Mapping[str, str]
    client_id: str
    client_secret: Sensitive[str] | None = None
    client_assertion: Sensitive[str] | None = field(default=None)

    def get(self, name: str) -> str:
        """Return a parameter; SignInFailed when it is missing or empty."""
        value = self.parameters.get(name, "")
        if not value:
            raise refusals.parameter_missing(name)
        return value


def read_form(request: Request) -> Form:
    """Return the form of a token request; SignInFailed when it is none or says something twice.

    A body of another type has no parameters, which is also what the directory makes of it.
    """
    media_type = request.header(b"content-type").partition(";")[0].strip().lower()
    parameters = _parameters(request.body) if media_type == FORM_BODY else {}
    client_id, secret = parameters.get("client_id", ""), parameters.get("client_secret") or None
    basic = _basic(request)
    if basic is not None:
        if secret is not None or parameters.get("client_assertion") or client_id not in ("", basic[0]):
            raise refusals.credentials_doubled()
        client_id, secret = basic
    assertion = parameters.get("client_assertion") or None
    if secret is not None and assertion is not None:
        raise refusals.credentials_doubled()
    return Form(
        {name: value for name, value in parameters.items() if name not in SECRETS},
        client_id,
        None if secret is None else Sensitive(secret),
        None if assertion is None else Sensitive(assertion),
    )


def _parameters(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS, separator="&"
        )
    except ValueError:
        raise refusals.form_unreadable() from None
    parameters: dict[str, str] = {}
    for name, value in pairs:
        if name in parameters:
            raise refusals.parameter_repeated(name[:64])
        parameters[name] = value
    return parameters


def _basic(request: Request) -> tuple[str, str] | None:
    """Return client id and secret of HTTP Basic, each form-encoded (RFC 6749, section 2.3.1); None without Basic."""
    if b"authorization" in request.repeated:
        raise refusals.parameter_repeated("Authorization")
    scheme, _, value = request.header(b"authorization").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise refusals.form_unreadable() from None
    client_id, colon, secret = text.partition(":")
    if not colon or not client_id or not secret:
        raise refusals.form_unreadable()
    return unquote_plus(client_id), unquote_plus(secret)
