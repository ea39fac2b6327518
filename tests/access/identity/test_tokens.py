import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from doubles import TENANT, MemoryStorage, a_signing_key, sign_up, token_for
from strongroom.access.identity.signing import TOKEN_LIFETIME, load_public_key
from strongroom.access.identity.tokens import (
    BACKDATE,
    EXPIRES_IN_SECONDS,
    TELLING,
    VERIFIED,
    Claims,
    Credential,
    claims_for,
)

NOW = datetime(2026, 5, 1, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.fixture
async def said():
    application, _ = await sign_up(MemoryStorage())
    claims = claims_for(
        application, "https://vault.localhost:8443", domain="localhost", credential=Credential.SECRET, now=NOW
    )
    return application, claims


def test_every_claim_is_verified_or_only_tells(said):
    assert VERIFIED.isdisjoint(TELLING)
    assert set(Claims.__struct_fields__) == VERIFIED | TELLING


def test_a_token_says_who_for_what_and_how_long(said):
    application, claims = said
    assert claims.aud == "https://vault.localhost:8443"
    assert claims.iss == f"https://sts.localhost/{TENANT.tenant_id}/"
    assert claims.tid == TENANT.tenant_id
    assert claims.oid == claims.sub == application.object_id
    assert claims.appid == application.app_id
    assert (claims.appidacr, claims.idtyp, claims.ver) == ("1", "app", "1.0")
    assert claims.nbf == claims.iat == int((NOW - BACKDATE).timestamp())
    assert claims.exp == int((NOW + TOKEN_LIFETIME).timestamp())
    assert timedelta(seconds=EXPIRES_IN_SECONDS) == TOKEN_LIFETIME - timedelta(seconds=1)


def test_no_two_tokens_have_the_same_id(said):
    application, claims = said
    again = claims_for(application, claims.aud, domain="localhost", credential=Credential.SECRET, now=NOW)
    assert again.uti != claims.uti


async def test_another_library_verifies_a_token():
    storage = MemoryStorage()
    application, _ = await sign_up(storage)
    token = await token_for(storage, application)
    decoded = jwt.decode(
        token, load_public_key(a_signing_key()), algorithms=["RS256"], audience="https://vault.localhost"
    )
    assert decoded["oid"] == application.object_id
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "kid": a_signing_key().kid, "typ": "JWT"}
    assert json.dumps(decoded)
