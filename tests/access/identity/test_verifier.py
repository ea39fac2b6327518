import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from directory_doubles import a_membership
from doubles import TENANT, MemoryStorage, a_signing_key, sign_up, token_for
from strongroom.access.identity import verifier as module
from strongroom.access.identity.audiences import Service
from strongroom.access.identity.model import PrincipalType
from strongroom.access.identity.signing import TOKEN_LIFETIME, SigningKeys, load_public_key
from strongroom.access.identity.verifier import CACHE_LIFE, Verifier
from strongroom.errors import Unauthenticated
from strongroom.ids import new_guid

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def b64(data):
    return (
        base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()
    )


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class World:
    """A server with one application, its token, and what an attacker can do with both."""

    def __init__(self, storage, application, token, key):
        self.storage = storage
        self.application = application
        self.token = token
        self.key = key
        self.verifier = Verifier("localhost")
        self.header, self.payload, self.signature = token.split(".")

    @property
    def claims(self):
        return json.loads(unb64(self.payload))

    def forge(self, header=None, claims=None, key=None):
        """Return a token signed with `key`, ours when None, whose header and claims are changed."""
        head = {"alg": "RS256", "kid": a_signing_key().kid, "typ": "JWT"} | (header or {})
        said = {name: value for name, value in (self.claims | (claims or {})).items() if value is not None}
        text = f"{b64(head)}.{b64(said)}"
        signed = (key or self.key).sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{text}.{b64(signed)}"

    def forge_text(self, payload):
        text = f"{self.header}.{b64(payload)}"
        return f"{text}.{b64(self.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    async def verify(self, token=None, *, service=Service.VAULT, now=NOW, tenant_id=None):
        return await self.verifier.verify(
            self.token if token is None else token,
            service=service,
            store=self.storage.stores.identity,
            now=now,
            tenant_id=tenant_id,
        )


@pytest.fixture
async def world():
    storage = MemoryStorage()
    application, _ = await sign_up(storage)
    loaded = await SigningKeys(storage.custodian).current(storage.stores.identity, storage.stores.keyring, NOW)
    return World(storage, application, await token_for(storage, application, now=NOW), loaded.private)


async def test_what_was_believed_by_a_clock_ahead_is_checked_again_when_that_is_set_back(world):
    assert await world.verify(now=NOW + timedelta(minutes=30))
    with pytest.raises(Unauthenticated, match="not yet valid"):
        await world.verify(now=NOW - timedelta(days=1))
    assert await world.verify(now=NOW)


async def test_a_good_token_tells_who_is_calling(world):
    caller = await world.verify(tenant_id=TENANT.tenant_id)
    assert caller.object_id == world.application.object_id
    assert caller.app_id == world.application.app_id
    assert caller.tenant_id == TENANT.tenant_id
    assert caller.issuer == f"https://sts.localhost/{TENANT.tenant_id}/"
    assert caller.type is PrincipalType.SERVICE_PRINCIPAL
    assert caller.audience == "https://vault.localhost"
    assert caller.token_id == world.claims["uti"]
    assert caller.expires == NOW + TOKEN_LIFETIME
    assert caller.principals == {world.application.object_id}


def test_what_is_forged_with_our_key_and_no_change_is_good(world):
    assert world.forge().split(".")[1] == b64(world.claims)


def symmetric(world):
    """HS256 with the public key as its secret: the oldest trick."""
    pem = load_public_key(a_signing_key()).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    text = f"{b64({'alg': 'HS256', 'kid': a_signing_key().kid, 'typ': 'JWT'})}.{world.payload}"
    return f"{text}.{b64(hmac.digest(pem, text.encode(), hashlib.sha256))}"


def flipped(text):
    return ("A" if text[0] != "A" else "B") + text[1:]


NUMBERS = STRANGER.public_key().public_numbers()
OWN_WEB_KEY = {
    "kty": "RSA",
    "n": b64(NUMBERS.n.to_bytes(256, "big")),
    "e": "AQAB",
    "kid": "mine",
}

ATTACKS = {
    "empty": (lambda _: "", "IDX12741"),
    "none": (lambda w: f"{b64({'alg': 'none', 'kid': a_signing_key().kid, 'typ': 'JWT'})}.{w.payload}.", "IDX12741"),
    "none with a signature": (
        lambda w: f"{b64({'alg': 'none', 'kid': a_signing_key().kid, 'typ': 'JWT'})}.{w.payload}.{w.signature}",
        "IDX10696",
    ),
    "HS256 with the public key": (symmetric, "IDX10696"),
    "PS256 named": (lambda w: w.forge({"alg": "PS256"}), "IDX10696"),
    "alg in another case": (lambda w: w.forge({"alg": "rs256"}), "IDX10696"),
    "another type": (lambda w: w.forge({"typ": "at+jwt"}), "IDX10696"),
    "no kid": (lambda w: f"{b64({'alg': 'RS256', 'typ': 'JWT'})}.{w.payload}.{w.signature}", "IDX12741"),
    "unknown kid": (lambda w: w.forge({"kid": "mine"}, key=STRANGER), "AKV10046"),
    "kid with a path in it": (lambda w: w.forge({"kid": "../../dev/null"}, key=STRANGER), "AKV10046"),
    "kid with a statement in it": (lambda w: w.forge({"kid": "' OR 1=1 --"}, key=STRANGER), "AKV10046"),
    "kid that is no text": (lambda w: w.forge({"kid": 1}), "IDX12741"),
    "our kid, their key": (lambda w: w.forge(key=STRANGER), "IDX10511"),
    "jwk": (lambda w: w.forge({"jwk": OWN_WEB_KEY}, key=STRANGER), "IDX10511"),
    "jwk and its kid": (lambda w: w.forge({"jwk": OWN_WEB_KEY, "kid": "mine"}, key=STRANGER), "AKV10046"),
    "jku": (lambda w: w.forge({"jku": "https://example.test/keys"}, key=STRANGER), "IDX10511"),
    "x5u": (lambda w: w.forge({"x5u": "https://example.test/cert"}, key=STRANGER), "IDX10511"),
    "x5c": (lambda w: w.forge({"x5c": ["AAAA"]}, key=STRANGER), "IDX10511"),
    "crit": (lambda w: w.forge({"crit": ["exp"]}), "IDX10511"),
    "unencoded payload": (lambda w: w.forge({"b64": False, "crit": ["b64"]}), "IDX10511"),
    "wrong audience": (lambda w: w.forge(claims={"aud": "https://example.test"}), "AKV10022"),
    "audience of another service": (lambda w: w.forge(claims={"aud": "https://management.localhost"}), "AKV10022"),
    "audience of one vault": (lambda w: w.forge(claims={"aud": "https://my.vault.localhost"}), "AKV10022"),
    "many audiences": (lambda w: w.forge(claims={"aud": ["https://vault.localhost"]}), "IDX12741"),
    "wrong tenant": (lambda w: w.forge(claims={"tid": new_guid()}), "AKV10032"),
    "wrong issuer": (lambda w: w.forge(claims={"iss": f"https://sts.windows.net/{TENANT.tenant_id}/"}), "AKV10032"),
    "issuer with a port": (
        lambda w: w.forge(claims={"iss": f"https://sts.localhost:1/{TENANT.tenant_id}/"}),
        "AKV10032",
    ),
    "expired": (lambda w: w.forge(claims={"exp": int(NOW.timestamp())}), "IDX10223"),
    "not yet valid": (lambda w: w.forge(claims={"nbf": int(NOW.timestamp()) + 1}), "IDX10222"),
    "no expiry": (lambda w: w.forge(claims={"exp": None}), "IDX12741"),
    "expiry as text": (lambda w: w.forge(claims={"exp": "4102444800"}), "IDX12741"),
    "expiry true": (lambda w: w.forge(claims={"exp": True}), "IDX12741"),
    "another version": (lambda w: w.forge(claims={"ver": "2.0"}), "IDX12741"),
    "a user": (lambda w: w.forge(claims={"idtyp": "user"}), "IDX12741"),
    "another subject": (lambda w: w.forge(claims={"sub": new_guid()}), "IDX12741"),
    "another tenant's, rightly issued": (
        lambda w: w.forge(
            claims={"tid": "00000000-0000-0000-0000-000000000001"}
            | {"iss": "https://sts.localhost/00000000-0000-0000-0000-000000000001/"}
        ),
        "disabled or deleted",
    ),
    "a principal that never was": (
        lambda w: w.forge(claims=dict.fromkeys(("oid", "sub"), new_guid())),
        "disabled or deleted",
    ),
    "another application's": (lambda w: w.forge(claims={"appid": new_guid()}), "disabled or deleted"),
    "cut in its signature": (lambda w: w.token[:-10], "IDX10511"),
    "cut in its payload": (lambda w: f"{w.header}.{w.payload[:-4]}.{w.signature}", "IDX10511"),
    "two segments": (lambda w: f"{w.header}.{w.payload}", "IDX12741"),
    "five segments": (lambda w: f"{w.token}.AAAA.AAAA", "IDX12741"),
    "two tokens": (lambda w: f"{w.token}, {w.token}", "IDX12741"),
    "two tokens joined": (lambda w: f"{w.token}.{w.token}", "IDX12741"),
    "line end": (lambda w: w.token + "\n", "IDX12741"),
    "padding": (lambda w: w.token + "==", "IDX12741"),
    "bytes that are no base64url": (lambda w: w.token.replace(".", ".é", 1), "IDX12741"),
    "tampered header": (lambda w: f"{flipped(w.header)}.{w.payload}.{w.signature}", "IDX12741"),
    "tampered payload": (lambda w: f"{w.header}.{flipped(w.payload)}.{w.signature}", "IDX10511"),
    "tampered signature": (lambda w: f"{w.header}.{w.payload}.{flipped(w.signature)}", "IDX10511"),
    "payload of another token": (
        lambda w: f"{w.header}.{b64(w.claims | {'exp': 4102444800})}.{w.signature}",
        "IDX10511",
    ),
    "header that is no object": (lambda w: f"{b64([])}.{w.payload}.{w.signature}", "IDX12741"),
    "header of one letter": (lambda w: f"A.{w.payload}.{w.signature}", "IDX12741"),
    "payload that is no object": (lambda w: w.forge_text(b"[]"), "IDX12741"),
    "payload that is no JSON": (lambda w: w.forge_text(b"\xff\xfe"), "IDX12741"),
    "payload nested without end": (lambda w: w.forge_text(b"[" * 8000), "IDX12741"),
    "100 KB": (lambda w: w.forge(claims={"rh": "x" * 100_000}), "IDX10209"),
    "100 KB of nothing": (lambda _: "A" * 100_000, "IDX10209"),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_what_is_not_our_good_token_proves_nobody(world, attack):
    make, expected = ATTACKS[attack]
    with pytest.raises(Unauthenticated) as caught:
        await world.verify(make(world))
    assert expected in caught.value.message


@pytest.mark.parametrize("attack", ATTACKS)
async def test_an_attack_does_not_succeed_after_a_good_token_was_seen(world, attack):
    await world.verify()
    with pytest.raises(Unauthenticated):
        await world.verify(ATTACKS[attack][0](world))
    assert await world.verify()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
async def test_no_single_character_may_change(world, data):
    place = data.draw(st.integers(0, len(world.token) - 1))
    character = data.draw(st.sampled_from("ABCxyz019-_.=+/ "))
    changed = world.token[:place] + character + world.token[place + 1 :]
    if unb64_or_none(changed) == unb64_or_none(world.token):
        return  # the last character of a segment has bits that say nothing
    with pytest.raises(Unauthenticated):
        await world.verify(changed)


def unb64_or_none(token):
    try:
        return [unb64(part) for part in token.split(".")] if set(token).isdisjoint("=+/ ") else None
    except ValueError:
        return None


async def test_a_vault_of_another_tenant_refuses(world):
    with pytest.raises(Unauthenticated, match="AKV10032"):
        await world.verify(tenant_id=new_guid())


async def test_the_audience_counts_on_every_use(world):
    await world.verify()
    with pytest.raises(Unauthenticated, match=r"AKV10022: Invalid audience\. Expected https://management\.localhost"):
        await world.verify(service=Service.MANAGEMENT)


@pytest.mark.parametrize("change", [{"enabled": False}, None])
async def test_a_principal_disabled_or_deleted_is_refused_at_once(world, change):
    await world.verify()
    identity = world.storage.stores.identity
    if change is None:
        await identity.remove_application(world.application.object_id)
    else:
        await identity.replace_application(replace(world.application, **change))
    with pytest.raises(Unauthenticated, match="disabled or deleted"):
        await world.verify()


async def test_a_token_dies_when_it_says(world):
    last = NOW + TOKEN_LIFETIME - timedelta(microseconds=1)
    assert await world.verify(now=last)
    with pytest.raises(Unauthenticated, match="IDX10223"):
        await world.verify(now=last + timedelta(microseconds=1))


async def test_a_verified_token_is_checked_again_after_five_minutes(world, monkeypatch):
    checked = []
    check = Verifier._check
    monkeypatch.setattr(Verifier, "_check", lambda self, *args: checked.append(1) or check(self, *args))
    for moment in (NOW, NOW + CACHE_LIFE - timedelta(seconds=1), NOW + CACHE_LIFE):
        await world.verify(now=moment)
    assert len(checked) == 2


async def test_refusals_are_not_remembered(world):
    early = NOW - timedelta(minutes=6)
    with pytest.raises(Unauthenticated, match="IDX10222"):
        await world.verify(now=early)
    assert await world.verify()


async def test_the_cache_is_bounded_and_forgets_the_oldest(world, monkeypatch):
    monkeypatch.setattr(module, "CACHE_ENTRIES", 2)
    tokens = [await token_for(world.storage, world.application, now=NOW) for _ in range(3)]
    for token in (tokens[0], tokens[1], tokens[0], tokens[2]):
        await world.verify(token)
    kept = [hashlib.sha256(token.encode()).digest() in world.verifier._verified for token in tokens]
    assert kept == [True, False, True]


async def test_a_new_key_set_empties_the_cache(world):
    await world.verify()
    await world.storage.stores.identity.add_signing_key(a_signing_key(2))
    world.verifier._adopt(await world.storage.stores.identity.list_signing_keys())
    assert not world.verifier._verified
    assert await world.verify()


async def test_a_token_of_a_removed_key_is_refused(world):
    await world.verify()
    world.storage.stores.identity.signing_keys[:] = [a_signing_key(2)]
    with pytest.raises(Unauthenticated, match="AKV10046"):
        await world.verify()


async def test_a_token_of_a_retired_key_lives_out_its_life(world):
    world.storage.stores.identity.signing_keys[:] = [replace(a_signing_key(), retired=NOW)]
    assert await world.verify(now=NOW + TOKEN_LIFETIME - timedelta(seconds=1))
    late = world.forge(claims={"exp": 4102444800})
    with pytest.raises(Unauthenticated, match="AKV10046"):
        await world.verify(late, now=NOW + TOKEN_LIFETIME)


async def test_no_refusal_repeats_the_token(world):
    for make, _ in ATTACKS.values():
        token = make(world)
        with pytest.raises(Unauthenticated) as caught:
            await world.verify(token)
        assert not token or token not in caught.value.message
        assert len(caught.value.message) < 1000


async def test_an_unchanged_key_set_is_looked_at_once(world, monkeypatch):
    keys = await world.storage.stores.identity.list_signing_keys()

    async def same(_):
        return keys

    monkeypatch.setattr(type(world.storage.stores.identity), "list_signing_keys", same)
    await world.verify()
    public = world.verifier._public
    await world.verify()
    assert world.verifier._public is public
    assert len(world.verifier._verified) == 1


async def test_groups_count_from_the_very_next_token_check_on_and_no_longer(world):
    identity, own = world.storage.stores.identity, world.application.object_id
    assert (await world.verify()).principals == {own}
    inner, outer = a_membership("group-1", own), a_membership("group-2", "group-1")
    for membership in (inner, outer):
        await identity.add_membership(membership)
    assert (await world.verify()).principals == {own, "group-1", "group-2"}
    assert await world.verify() is await world.verify()  # nothing is made anew while nothing changes
    await identity.remove_memberships("group-2")
    assert (await world.verify()).principals == {own, "group-1"}
    await identity.remove_memberships("group-1")
    assert (await world.verify()).principals == {own}
