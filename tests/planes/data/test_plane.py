import json
import logging
import uuid
from datetime import timedelta

import pytest

from data_doubles import DOMAIN, an_application, token_for
from strongroom.access.identity.audiences import Service
from strongroom.cli.recordview import is_challenge
from strongroom.clock import real_now
from strongroom.custody.store import Purpose
from strongroom.octets import encode_octets
from strongroom.planes.data import throttling
from strongroom.planes.data.plane import operations
from strongroom.planes.data.versions import SUPPORTED
from strongroom.planes.gate import OPAQUE
from strongroom.vaults.model import Deletion
from vault_doubles import SUBSCRIPTION, TENANT, a_vault

USES = {"encrypt", "decrypt", "wrapkey", "unwrapkey", "sign", "verify"}
CHALLENGE = f'Bearer authorization="https://login.localhost:8443/{TENANT}", resource="https://vault.localhost:8443"'
MISSING = "AKV10000: Request is missing a Bearer or PoP token."


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW"])
@pytest.mark.parametrize("path", ["/secrets/s", "/secrets/s/1", "/secrets/restore", "/nothing/at/all", "/", "/keys"])
@pytest.mark.parametrize("query", ["api-version=7.4", "", "api-version=nonsense", "api-version=7.4&api-version=7.5"])
async def test_without_a_token_every_request_is_answered_by_the_challenge(world, method, path, query):
    answer = await world.ask(method, path, b"{not json", query=query, token=None)
    assert answer.says(401, "Unauthorized")
    assert answer.headers["www-authenticate"] == CHALLENGE
    assert answer.error["message"] == MISSING


@pytest.mark.parametrize(
    ("host", "suffix"),
    [("kv1.vault.localhost:8443", ":8443"), ("kv1.vault.localhost:443", ":443"), ("kv1.vault.localhost", "")],
)
async def test_the_challenge_echoes_the_port_that_was_asked(world, host, suffix):
    answer = await world.ask("GET", "/secrets", token=None, host=host)
    told = answer.headers["www-authenticate"]
    assert told == (
        f'Bearer authorization="https://login.localhost{suffix}/{TENANT}", resource="https://vault.localhost{suffix}"'
    )
    parts = told.removeprefix("Bearer ").split(", ")
    assert all(part.count("=") == 1 and "," not in part and " " not in part for part in parts)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Negotiate x", "bearer", "token", "Bearer\t", "PoP x"]
)
async def test_what_is_no_bearer_token_is_none(world, header):
    answer = await world.ask("GET", "/secrets", headers={b"authorization": header.encode()})
    assert answer.says(401, "Unauthorized")
    assert answer.error["message"] == MISSING
    assert answer.headers["www-authenticate"] == CHALLENGE


async def test_two_authorization_headers_are_none(world):
    answer = await world.ask("GET", "/secrets", repeated=(b"authorization",))
    assert answer.says(401, "Unauthorized")
    assert not is_challenge(world.storage.bodies()[-1])


async def test_a_request_without_a_token_is_recorded_as_a_challenge_and_one_with_a_bad_one_is_not(world):
    for token, wanted in ((None, True), ("a.b.c", False)):
        assert (await world.ask("GET", "/secrets", token=token)).says(401, "Unauthorized")
        assert is_challenge(world.storage.bodies()[-1]) is wanted


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
async def test_the_scheme_is_spelled_in_any_case(world, scheme):
    answer = await world.ask("GET", "/secrets", headers={b"authorization": f"{scheme} {world.token}".encode()})
    assert answer.status == 200


def attacks():
    mine, other = an_application(), an_application(2)
    hour = timedelta(hours=2)
    return {
        "garbage": ("x.y.z", "Error validating token"),
        "truncated": (token_for(mine)[:-5], "Error validating token"),
        "another audience": (token_for(mine, Service.MANAGEMENT), "AKV10022: Invalid audience"),
        "another tenant": (token_for(mine, tid="99999999-9999-4999-8999-999999999999"), "AKV10032: Invalid issuer"),
        "expired": (token_for(mine, now=real_now() - hour), "Error validating token"),
        "not yet valid": (token_for(mine, now=real_now() + hour), "Error validating token"),
        "unknown principal": (token_for(other), "Error validating token"),
        "100 KB": ("x" * 100_000, "Error validating token"),
    }


@pytest.mark.parametrize("attack", attacks())
async def test_a_token_that_does_not_verify_is_refused_and_recorded(world, attack):
    token, told = attacks()[attack]
    answer = await world.ask("GET", "/secrets", token=token)
    assert answer.says(401, "Unauthorized")
    assert answer.error["message"].startswith(told)
    assert answer.headers["www-authenticate"] == CHALLENGE
    record = world.last_record
    assert (record["operationName"], record["resultSignature"], record["identity"]) == (
        "Authentication",
        "Unauthorized",
        {},
    )
    assert len(world.storage.records) == 1


@pytest.mark.parametrize(
    "audience", ["https://vault.localhost:8443", "https://vault.localhost/", "https://vault.azure.net"]
)
async def test_the_audience_may_be_written_with_a_port_or_as_the_public_service(world, audience):
    token = token_for(world.application, aud=audience)
    assert (await world.ask("GET", "/secrets", token=token)).status == 200


async def test_a_token_of_another_tenant_of_ours_is_refused(world):
    other = "99999999-9999-4999-8999-999999999999"
    stranger = an_application(3, tenant_id=other)
    await world.storage.stores.identity.add_application(stranger)
    answer = await world.ask("GET", "/secrets", token=token_for(stranger))
    assert answer.says(401, "Unauthorized")
    assert answer.error["message"] == (
        f"AKV10032: Invalid issuer. Expected one of https://sts.{DOMAIN}/{TENANT}/, "
        f"found https://sts.{DOMAIN}/{other}/."
    )


async def test_a_disabled_application_is_refused_at_its_very_next_request(world):
    assert (await world.ask("GET", "/secrets")).status == 200
    await world.storage.stores.identity.replace_application(an_application(enabled=False))
    assert (await world.ask("GET", "/secrets")).says(401, "Unauthorized")


@pytest.mark.parametrize("name", ["kv2", "", "KV2", "k" * 300])
async def test_a_vault_that_is_not_here_is_told_so(world, name):
    for token in (None, ""):
        answer = await world.ask("GET", "/secrets", host=f"{name}.vault.localhost:8443".lower(), token=token)
        assert answer.says(404, "VaultNotFound")
        assert "www-authenticate" not in answer.headers
        assert "x-ms-keyvault-region" not in answer.headers
    assert world.last_record["resourceId"] == ""


async def test_a_deleted_vault_is_not_here(world):
    await world.change_vault(deletion=Deletion(deleted=real_now(), scheduled_purge=real_now()))
    assert (await world.ask("GET", "/secrets")).says(404, "VaultNotFound")


async def test_no_key_of_a_deleted_vault_stays_loaded_and_those_of_others_do(world):
    loaded = world.keepers.software._loaded
    policies = world.vault.access_policies
    await world.add_vault(a_vault("kv2", access_policies=policies))
    for host in ("kv1.vault.localhost:8443", "kv2.vault.localhost:8443"):
        assert (await world.ask("POST", "/keys/k/create", {"kty": "EC"}, host=host)).status == 200
        body = {"alg": "ES256", "value": encode_octets(bytes(32))}
        assert (await world.ask("POST", "/keys/k//sign", body, host=host)).status == 200
    assert len(loaded) == 2
    await world.change_vault(deletion=Deletion(deleted=real_now(), scheduled_purge=real_now()))
    assert (await world.ask("POST", "/keys/k//sign", body)).says(404, "VaultNotFound")
    assert [entry.context.owner for entry in loaded._entries.values()] == [a_vault("kv2").vault_id]


@pytest.mark.parametrize("version", sorted(SUPPORTED))
async def test_every_version_in_the_field_is_spoken(world, version):
    assert (await world.ask("GET", f"/secrets?api-version={version}")).status == 200


@pytest.mark.parametrize("version", ["2016-10-01", "2015-06-01", "7", "7.9", "6.0", "7.4%20", "2099-01-01"])
async def test_other_versions_are_refused_in_the_services_words(world, version):
    answer = await world.ask("GET", f"/secrets?api-version={version}")
    assert answer.says(400, "BadParameter")
    told = version.replace("%20", " ")
    assert answer.error["message"] == (
        f"The specified version ({told}) is not recognized. Consider using the latest supported version (2026-04-01)."
    )


@pytest.mark.parametrize("query", ["", "api-version=", "version=7.4"])
async def test_a_version_must_be_given(world, query):
    answer = await world.ask("GET", "/secrets", query=query)
    assert answer.says(400, "BadParameter")
    assert "api-version must be specified" in answer.error["message"]


async def test_a_parameter_given_twice_is_refused(world):
    answer = await world.ask("GET", "/secrets?api-version=7.4&API-version=7.5")
    assert answer.says(400, "BadParameter")


@pytest.mark.parametrize("path", ["/", "/keyz", "/secrets/a/b/c", "/secrets/a/b/c/d", "/..", "/secrets//"])
async def test_unknown_paths_are_told_to_those_who_proved_who_they_are(world, path):
    answer = await world.ask("POST" if path == "/secrets//" else "GET", path)
    assert answer.status == (405 if path == "/secrets//" else 404)
    assert world.last_record["operationName"] == "Unknown"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "BREW", "get"])
async def test_unknown_methods_are_refused(world, method):
    answer = await world.ask(method, "/secrets/s")
    assert answer.says(405, "MethodNotAllowed")
    assert answer.headers["allow"] == "DELETE, GET, PATCH, PUT"


async def test_every_answer_carries_the_services_headers(world):
    for answer in (
        await world.ask("GET", "/secrets", token=None),
        await world.ask("GET", "/secrets"),
        await world.ask("GET", "/secrets/none"),
        await world.ask("PUT", "/secrets/s", {"value": "x"}),
    ):
        found = answer.headers
        assert found["x-ms-keyvault-region"] == "local"
        assert found["x-ms-keyvault-network-info"] == "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;"
        assert (found["cache-control"], found["pragma"], found["expires"]) == ("no-cache", "no-cache", "-1")
        assert found["x-content-type-options"] == "nosniff"
        assert found["strict-transport-security"] == "max-age=31536000;includeSubDomains"
        assert found["content-type"] == "application/json; charset=utf-8"
        assert found["x-ms-keyvault-service-version"]
        assert uuid.UUID(found["x-ms-request-id"]).bytes in {record.record_id for record in world.storage.records}
        assert "x-ms-client-request-id" not in found


async def test_ipv6_is_named(world):
    answer = await world.ask("GET", "/secrets", client="::1")
    assert answer.headers["x-ms-keyvault-network-info"] == "conn_type=Ipv6;addr=::1;act_addr_fam=InterNetworkV6;"


@pytest.mark.parametrize(("sent", "echoed"), [(b"abc-1", "abc-1"), (b"x" * 129, None), (b"\xff", None), (b"", None)])
async def test_the_clients_own_id_comes_back(world, sent, echoed):
    answer = await world.ask("GET", "/secrets", headers={b"x-ms-client-request-id": sent})
    assert answer.headers.get("x-ms-client-request-id") == echoed


async def test_a_record_says_who_did_what_and_why_it_was_allowed(world):
    made = await world.set()
    record = world.last_record
    assert (record["category"], record["operationName"], record["operationVersion"], record["resultType"]) == (
        "AuditEvent",
        "SecretSet",
        "2026-04-01",
        "Success",
    )
    assert record["resourceId"] == (
        f"/SUBSCRIPTIONS/{SUBSCRIPTION}/RESOURCEGROUPS/GROUP/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/KV1"
    )
    assert record["identity"]["claim"]["appid"] == world.application.app_id
    assert record["properties"]["id"] == made["id"]
    assert record["properties"]["isAccessPolicyMatch"] is True
    assert len(world.storage.records) == 1


async def test_a_refused_change_has_one_record_and_changes_nothing(world):
    await world.ask("PATCH", "/secrets/none", {"tags": {}})
    (record,) = world.storage.bodies()
    assert (record["operationName"], record["resultType"], record["properties"]["httpStatusCode"]) == (
        "SecretUpdate",
        "Failed",
        404,
    )
    assert record["properties"]["id"] == "https://kv1.vault.localhost:8443/secrets/none"


@pytest.mark.parametrize("path", ["/deletedsecrets/n", "/secrets/n/abc"])
async def test_a_record_names_what_the_path_names(world, path):
    await world.ask("GET", path)
    assert world.last_record["properties"]["id"] == "https://kv1.vault.localhost:8443" + path


async def test_past_its_limit_a_vault_is_throttled_for_the_window_and_refusals_do_not_count(world, monkeypatch):
    monkeypatch.setattr(throttling, "VAULT_LIMIT", 3)
    monkeypatch.setattr(throttling, "WINDOW_SECONDS", 10**9)
    for _ in range(3):
        assert (await world.ask("GET", "/secrets")).status == 200
    answer = await world.ask("PUT", "/secrets/s", {"value": "x"})
    assert answer.says(429, "Throttled")
    assert answer.error["message"] == (
        "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached"
    )
    assert "retry-after" not in answer.headers
    assert world.last_record["properties"]["httpStatusCode"] == 429
    await world.change_vault(throttled=False)
    assert (await world.ask("GET", "/secrets")).status == 200


async def test_keys_that_are_made_use_up_more_and_what_is_refused_counts_for_nothing(world, monkeypatch):
    monkeypatch.setattr(throttling, "WINDOW_SECONDS", 10**9)
    statuses = [(await world.ask("POST", f"/keys/k{each}/create", {"kty": "EC"})).status for each in range(22)]
    assert statuses == [200] * 20 + [429] * 2
    assert (await world.ask("POST", "/keys/k0/rotate")).says(429, "Throttled")
    monkeypatch.setattr(throttling, "VAULT_LIMIT", throttling.VAULT_LIMIT + 1)
    assert (await world.ask("GET", "/secrets")).status == 200, "none of those that were refused was counted"
    assert (await world.ask("GET", "/secrets")).says(429, "Throttled")
    await world.change_vault(throttled=False)
    assert (await world.ask("POST", "/keys/k99/create", {"kty": "EC"})).status == 200


async def test_large_keys_use_up_more_than_small_ones(world, monkeypatch):
    monkeypatch.setattr(throttling, "WINDOW_SECONDS", 10**9)
    body = {"alg": "RS256", "value": encode_octets(bytes(32))}
    for name, bits, times in (("small", 2048, 10), ("large", 3072, 2)):
        await world.change_vault(throttled=False)
        assert (await world.ask("POST", f"/keys/{name}/create", {"kty": "RSA", "key_size": bits})).status == 200
        await world.change_vault(throttled=True)
        world.limiter.__init__()
        monkeypatch.setattr(throttling, "VAULT_LIMIT", 10)
        statuses = [(await world.ask("POST", f"/keys/{name}/sign", body)).status for _ in range(11)]
        assert statuses.count(200) == times


async def test_who_may_not_do_anything_uses_up_nothing(world, monkeypatch):
    monkeypatch.setattr(throttling, "VAULT_LIMIT", 1)
    monkeypatch.setattr(throttling, "WINDOW_SECONDS", 10**9)
    stranger = an_application(5)
    await world.storage.stores.identity.add_application(stranger)
    for token in (token_for(stranger), None):
        for _ in range(3):
            assert (await world.ask("GET", "/secrets", token=token)).status in {401, 403}
    assert (await world.ask("GET", "/secrets")).status == 200


async def test_an_error_of_ours_says_nothing_of_its_insides(world, caplog):
    await world.set()
    await world.storage.stores.keyring.remove_scope(Purpose.VAULT, world.vault.vault_id)
    with caplog.at_level(logging.ERROR):
        answer = await world.ask("GET", "/secrets/s")
    assert answer.says(500, "InternalServerError")
    assert answer.error["message"] == OPAQUE
    assert "key" not in answer.error["message"]


async def test_a_storage_that_cannot_record_answers_nothing_else(world):
    world.storage.broken = True
    for method, path in (("GET", "/secrets"), ("PUT", "/secrets/s")):
        answer = await world.ask(method, path, {"value": "x"} if method == "PUT" else None)
        assert answer.says(503, "ServiceUnavailable")
    world.storage.broken = False
    assert (await world.ask("GET", "/secrets/s")).status == 404


async def test_a_server_without_its_paging_key_says_so(world):
    await world.storage.stores.keyring.remove_scope(Purpose.PAGING, "")
    answer = await world.ask("GET", "/secrets?api-version=7.4&$skiptoken=abc")
    assert answer.status == 503


def test_every_row_says_what_it_needs_and_what_it_logs():
    rows = operations(None)
    assert {row.log for row in rows} == {
        "SecretSet", "SecretDelete", "SecretUpdate", "SecretGet", "SecretList", "SecretListVersions",
        "SecretListDeleted", "SecretGetDeleted", "SecretPurge", "SecretRecover", "SecretBackup", "SecretRestore",
        "KeyRotationPolicyGet", "KeyRotationPolicySet",
        "KeyCreate", "KeyImport", "KeyRotate", "KeyDelete", "KeyUpdate", "KeyGet", "KeyList", "KeyListVersions",
        "KeyGetAttestation", "KeyListDeleted", "KeyGetDeleted", "KeyPurge", "KeyRecover", "KeyBackup", "KeyRestore",
        "KeyRelease", "KeyEncrypt", "KeyDecrypt", "KeyWrap", "KeyUnwrap", "KeySign", "KeyVerify",
    }  # fmt: skip
    assert all(row.needs is not None and not row.anonymous for row in rows)
    used = {row.log for row in rows if row.path.rpartition("/")[2] in USES}
    assert all(row.changes == (row.method != "GET" and row.log not in used) for row in rows)


async def test_two_vaults_share_nothing(world):
    await world.set("s")
    await world.add_vault(a_vault("kv2", access_policies=world.vault.access_policies))
    other = "kv2.vault.localhost:8443"
    assert (await world.ask("GET", "/secrets/s", host=other)).says(404, "SecretNotFound")
    assert json.loads((await world.ask("GET", "/secrets", host=other)).raw)["value"] == []
