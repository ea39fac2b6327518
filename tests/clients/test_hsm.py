"""`azure-keyvault-keys`, unmodified, against a server whose `-HSM` keys are in a token of SoftHSM2."""

import hashlib
import json
import os
import signal
from contextlib import closing
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.keyvault.keys import JsonWebKey, KeyClient
from azure.keyvault.keys.crypto import CryptographyClient, EncryptionAlgorithm, KeyWrapAlgorithm, SignatureAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from clients.direct import Direct, unique
from clients.harness import StartFailed, start_server
from clients.processes import Watched, children
from clients.signing_in import a_credential, variables_of
from hsm_doubles import SoftHsm, module
from jwk_doubles import decoded, ec_jwk, encoded, rsa_jwk
from release_doubles import environment, wrapped_blob
from strongroom.custody import tokenkeys
from strongroom.custody.algorithms import spec_of
from strongroom.custody.provider import KeyType

PLAIN = b"what nobody else may read"
SIGNATURES = {"P-256": "ES256", "P-256K": "ES256K", "P-384": "ES384", "P-521": "ES512"}
KILLED_SECONDS = 60


def flags(softhsm):
    return ["--hsm-module", module(), "--hsm-token", softhsm.label, "--hsm-pin-file", softhsm.pin_file]


def start(folder, softhsm, **said):
    given = [str(each) for each in flags(softhsm)]
    return start_server(folder, "--dev", "--workers", "2", *given, environ=softhsm.variables, **said)


def checked(server, softhsm, *more, check=True):
    """Return what `strongroom hsm check` says."""
    done = server.strongroom("hsm", "check", "--json", *map(str, flags(softhsm)), *more, check=check)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def softhsm(tmp_path_factory):
    return SoftHsm(tmp_path_factory.mktemp("hsm"))


@pytest.fixture(scope="module")
def server(tmp_path_factory, softhsm):
    running = start(tmp_path_factory.mktemp("server"), softhsm)
    yield running
    assert running.stop() == 0
    assert "Traceback" not in running.errors


@pytest.fixture(scope="module")
def connection(server):
    return SimpleNamespace(**server.connection)


@pytest.fixture(scope="module")
def environ(server):
    with variables_of(server):
        yield


@pytest.fixture(scope="module")
def credential(connection, environ):
    with a_credential(connection) as credential:
        yield credential


@pytest.fixture(scope="module")
def client(connection, credential):
    with KeyClient(connection.vaultUrl, credential) as client:
        yield client


@pytest.fixture
def direct(connection):
    direct = Direct(connection)
    yield direct
    direct.close()


@pytest.fixture
def name():
    return unique("key-")


def remote(key, credential):
    """Return a client that does nothing by itself, as one that may not read the key."""
    client = CryptographyClient(key.id, credential)
    client._keys_get_forbidden = True
    return client


def digest(algorithm):
    return hashlib.new(f"sha{algorithm[2:5]}", PLAIN).digest()


def pkcs8(key):
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def imported(described):
    return JsonWebKey(
        **{key: decoded(value) if key not in {"kty", "crv"} else value for key, value in described.items()}
    )


def test_a_key_that_is_made_as_a_resource_is_in_the_token_once(client, credential, direct, server, softhsm, name):
    path, before = f"{direct.vault_path('dev')}/keys/{name}", checked(server, softhsm)
    bodies = [{"properties": {"kty": kty}} for kty in ("RSA-HSM", "EC-HSM")]
    made, again = [direct.manage("PUT", path, body) for body in bodies]
    assert (made.status, again.raw) == (200, made.raw)
    key = client.get_key(name)
    assert (key.id, key.properties.hsm_platform) == (made.json["properties"]["keyUriWithVersion"], "pkcs11")
    signed = remote(key, credential).sign(SignatureAlgorithm.ps256, digest("PS256")).signature
    assert CryptographyClient.from_jwk(key.key).verify(SignatureAlgorithm.ps256, digest("PS256"), signed).is_valid
    after = checked(server, softhsm)
    assert (after["referred"] - before["referred"], after["orphans"]) == (1, []), "the second made nothing"


@pytest.mark.parametrize("size", [2048, 3072, 4096])
def test_rsa_keys_are_in_the_token_and_agree_with_the_client(client, credential, name, size):
    key = client.create_rsa_key(name, size=size, hardware_protected=True)
    assert (key.key_type, len(key.key.n) * 8, key.properties.hsm_platform) == ("RSA-HSM", size, "pkcs11")
    here, there = CryptographyClient.from_jwk(key.key), remote(key, credential)
    for algorithm in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"):
        signed = there.sign(SignatureAlgorithm(algorithm), digest(algorithm)).signature
        assert here.verify(SignatureAlgorithm(algorithm), digest(algorithm), signed).is_valid
        assert there.verify(SignatureAlgorithm(algorithm), digest(algorithm), signed).is_valid
    for algorithm in (EncryptionAlgorithm.rsa_oaep, EncryptionAlgorithm.rsa1_5):
        for sealed in (here.encrypt(algorithm, PLAIN), there.encrypt(algorithm, PLAIN)):
            assert there.decrypt(algorithm, sealed.ciphertext).plaintext == PLAIN
    wrapped = here.wrap_key(KeyWrapAlgorithm.rsa_oaep, PLAIN)
    assert there.unwrap_key(KeyWrapAlgorithm.rsa_oaep, wrapped.encrypted_key).key == PLAIN
    with pytest.raises(HttpResponseError, match="cannot carry out RSA-OAEP-256, and its keys cannot leave it"):
        there.encrypt(EncryptionAlgorithm.rsa_oaep_256, PLAIN)


@pytest.mark.parametrize("curve", SIGNATURES)
def test_elliptic_keys_are_in_the_token_and_agree_with_the_client(client, credential, name, curve):
    key = client.create_ec_key(name, curve=curve, hardware_protected=True)
    assert (key.key_type, key.key.crv, key.properties.hsm_platform) == ("EC-HSM", curve, "pkcs11")
    algorithm = SIGNATURES[curve]
    signed = remote(key, credential).sign(SignatureAlgorithm(algorithm), digest(algorithm)).signature
    here = CryptographyClient.from_jwk(key.key)
    assert here.verify(SignatureAlgorithm(algorithm), digest(algorithm), signed).is_valid


@pytest.mark.parametrize("size", [128, 192, 256])
def test_aes_keys_are_in_the_token(client, credential, name, size):
    key = client.create_oct_key(name, size=size, hardware_protected=True)
    assert (key.key_type, key.properties.hsm_platform) == ("oct-HSM", "pkcs11")
    there, algorithm = remote(key, credential), EncryptionAlgorithm(f"A{size}GCM")
    sealed = there.encrypt(algorithm, PLAIN, additional_authenticated_data=b"aad")
    opened = {"iv": sealed.iv, "authentication_tag": sealed.tag, "additional_authenticated_data": sealed.aad}
    assert there.decrypt(algorithm, sealed.ciphertext, **opened).plaintext == PLAIN
    with pytest.raises(HttpResponseError, match="Unable to decrypt"):
        there.decrypt(algorithm, sealed.ciphertext, **opened | {"additional_authenticated_data": b"other"})
    wrapped = there.wrap_key(KeyWrapAlgorithm(f"A{size}KW"), bytes(range(32)))
    assert there.unwrap_key(KeyWrapAlgorithm(f"A{size}KW"), wrapped.encrypted_key).key == bytes(range(32))


def test_keys_that_are_brought_are_in_the_token(client, credential, name):
    theirs = rsa.generate_private_key(65537, 2048)
    key = client.import_key(name, imported(rsa_jwk(theirs)), hardware_protected=True)
    assert (key.key_type, key.properties.hsm_platform) == ("RSA-HSM", "pkcs11")
    sealed = CryptographyClient.from_jwk(key.key).encrypt(EncryptionAlgorithm.rsa_oaep, PLAIN)
    assert remote(key, credential).decrypt(EncryptionAlgorithm.rsa_oaep, sealed.ciphertext).plaintext == PLAIN
    key = client.import_key(unique("key-"), imported(ec_jwk("P-384")), hardware_protected=True)
    assert remote(key, credential).sign(SignatureAlgorithm.es384, digest("ES384")).key_id == key.id


def test_keys_that_come_wrapped_are_unwrapped_in_the_token(client, credential, server, softhsm, name):
    kek = client.create_rsa_key(unique("kek-"), size=3072, hardware_protected=True, key_operations=["import"])
    public = {"kid": kek.id, "n": encoded(kek.key.n), "e": encoded(kek.key.e)}
    curve = ec.generate_private_key(ec.SECP256R1())
    for theirs, kind, algorithm in ((environment(), "RSA", "PS256"), (curve, "EC", "ES256")):
        blob = wrapped_blob(public, pkcs8(theirs))
        broken = json.dumps(blob | {"ciphertext": encoded(bytes(800))}).encode()
        with pytest.raises(HttpResponseError, match="does not unwrap with its key exchange key"):
            client.import_key(name, JsonWebKey(kty=f"{kind}-HSM", t=broken))
        told = JsonWebKey(kty=f"{kind}-HSM", t=json.dumps(blob).encode())
        key = client.import_key(name, told, hardware_protected=True)
        assert (key.key_type, key.properties.hsm_platform) == (f"{kind}-HSM", "pkcs11")
        signed = remote(key, credential).sign(SignatureAlgorithm(algorithm), digest(algorithm)).signature
        described = imported(rsa_jwk(theirs) if kind == "RSA" else ec_jwk(key=theirs))
        assert (key.key.n, key.key.x, key.key.y) == (described.n, described.x, described.y)
        here = CryptographyClient.from_jwk(key.key)
        assert here.verify(SignatureAlgorithm(algorithm), digest(algorithm), signed).is_valid
    found = checked(server, softhsm)
    assert (found["missing"], found["orphans"]) == ([], [])
    assert found["wrappedKeys"] == {"RSA-HSM": True, "EC-HSM": True}


def test_keys_without_hsm_are_in_software_still(client, credential, name):
    key = client.create_ec_key(name)
    assert (key.key_type, key.properties.hsm_platform) == ("EC", "0")
    assert remote(key, credential).sign(SignatureAlgorithm.es256, digest("ES256")).key_id == key.id


def test_a_key_is_rotated_in_the_token_and_not_backed_up(client, credential, server, name):
    first = client.create_ec_key(name, hardware_protected=True)
    second = client.rotate_key(name)
    assert second.key.x != first.key.x
    assert second.properties.hsm_platform == "pkcs11"
    with pytest.raises(HttpResponseError, match="cannot be backed up: it never leaves the HSM"):
        client.backup_key(name)
    server.strongroom("rotate", "vault", "dev")
    for key in (first, second):
        signed = remote(key, credential).sign(SignatureAlgorithm.es256, digest("ES256")).signature
        here = CryptographyClient.from_jwk(key.key)
        assert here.verify(SignatureAlgorithm.es256, digest("ES256"), signed).is_valid


def test_both_workers_use_what_either_made(connection, direct, name):
    base = f"{connection.vaultUrl.rstrip('/')}/keys"
    key = direct.secret("POST", base, f"/{name}/create", {"kty": "EC-HSM"}).json["key"]
    x, y = (int.from_bytes(decoded(key[member])) for member in ("x", "y"))
    assert ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    body = {"alg": "ES256", "value": "A" * 43}
    opened = [direct.open(base) for _ in range(24)]
    for each in opened:
        path = f"/keys/{name}/sign?api-version=7.6"
        answer = each.ask("POST", path, token=direct.owner(), body=body)
        assert answer.status == 200, answer
        each.close()


def test_a_purged_key_is_gone_from_the_token(client, server, softhsm, name):
    client.create_rsa_key(name, hardware_protected=True)
    client.create_rsa_key(name, hardware_protected=True)
    before = checked(server, softhsm)
    client.begin_delete_key(name).wait()
    assert checked(server, softhsm)["referred"] == before["referred"]
    client.purge_deleted_key(name)
    after = checked(server, softhsm)
    assert (after["referred"], after["missing"], after["orphans"]) == (before["referred"] - 2, [], [])
    with pytest.raises(ResourceNotFoundError):
        client.get_deleted_key(name)


def test_the_keys_of_a_purged_vault_are_gone_from_the_token(server, softhsm, direct, name):
    policy = direct.policy(direct.owner_id, keys=["all"])
    vault = unique("premium")
    url = direct.make_vault(vault, accessPolicies=[policy], sku={"family": "A", "name": "premium"})
    assert direct.secret("POST", url.rstrip("/"), f"/keys/{name}/create", {"kty": "oct-HSM"}).status == 200
    before = checked(server, softhsm)
    assert direct.manage("DELETE", direct.vault_path(vault, "dev")).status == 200
    subscription = f"/subscriptions/{direct.facts.subscriptionId}/providers/Microsoft.KeyVault/locations/local"
    assert direct.manage("POST", f"{subscription}/deletedVaults/{vault}/purge").status == 202
    after = checked(server, softhsm)
    assert (before["referred"] - after["referred"], after["orphans"], after["ofOthers"]) == (1, [], 0)


def test_what_is_said_of_the_hsm(server, softhsm):
    found = checked(server, softhsm)
    assert (found["token"], found["model"]) == (softhsm.label, "SoftHSM v2")
    assert (found["algorithms"]["RS256"], found["algorithms"]["RSA-OAEP-256"]) == (True, False)
    assert all(found["keys"].values())
    shown = server.strongroom("hsm", "check", *map(str, flags(softhsm))).stdout
    assert "ES256K" in shown
    assert "keys are referred to" in shown
    refused = server.strongroom("hsm", "check", "--remove-orphans", *map(str, flags(softhsm)), check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert server.strongroom("hsm", "check", check=False).stderr.startswith("strongroom: no HSM is configured")


def test_a_token_that_was_away_stops_only_who_needs_it(client, credential, softhsm, name):
    key, other = client.create_ec_key(name, hardware_protected=True), client.create_ec_key(unique("key-"))
    there = remote(key, credential)
    there.sign(SignatureAlgorithm.es256, digest("ES256"))
    softhsm.take_away()
    try:
        for _ in range(3):
            with KeyClient(client.vault_url, credential, retry_total=0) as patient:
                crypto = patient.get_cryptography_client(name)
                crypto._keys_get_forbidden = True
                with pytest.raises(HttpResponseError) as refused:
                    crypto.sign(SignatureAlgorithm.es256, digest("ES256"))
            assert refused.value.status_code == 503
            assert "The HSM" in refused.value.message
        assert remote(other, credential).sign(SignatureAlgorithm.es256, digest("ES256")).signature
        assert client.get_key(name).id == key.id
    finally:
        softhsm.bring_back()
    for _ in range(4):
        assert there.sign(SignatureAlgorithm.es256, digest("ES256")).signature


# --- servers of their own


def test_a_wrong_pin_stops_the_start_and_is_tried_once(tmp_path):
    softhsm = SoftHsm(tmp_path / "hsm")
    softhsm.pin_file.write_text("wrong")
    with pytest.raises(StartFailed, match="the HSM refuses the PIN in") as failed:
        start(tmp_path / "server", softhsm)
    assert failed.value.errors.count("the HSM refused the PIN and is not asked again") == 1
    softhsm.pin_file.chmod(0o644)
    with pytest.raises(StartFailed, match="can be opened by others"):
        start(tmp_path / "server", softhsm)


def test_a_token_that_is_away_does_not_stop_the_start(tmp_path):
    softhsm = SoftHsm(tmp_path / "hsm")
    softhsm.take_away()
    server = start(tmp_path / "server", softhsm)
    direct = Direct(SimpleNamespace(**server.connection))
    base = f"{direct.facts.vaultUrl.rstrip('/')}/keys"
    assert direct.secret("POST", base, "/k/create", {"kty": "EC-HSM"}).status == 503
    softhsm.bring_back()
    assert direct.secret("POST", base, "/k/create", {"kty": "EC-HSM"}).status == 200
    direct.close()
    assert server.stop() == 0


def test_a_server_that_is_killed_while_it_makes_keys_leaves_no_key_without_its_object(tmp_path, monkeypatch):
    softhsm, folder = SoftHsm(tmp_path / "hsm"), tmp_path / "server"
    server, answered = start(folder, softhsm), []
    for round_ in range(4):
        direct = Direct(SimpleNamespace(**server.connection))
        token, opened = direct.owner(), [direct.open(direct.facts.vaultUrl) for _ in range(6)]
        body = {"kty": "RSA-HSM", "key_ops": ["import"]}
        kek = direct.secret("POST", direct.facts.vaultUrl, f"/keys/kek{round_}/create", body).json["key"]
        wrapped = {
            "key": {"kty": "RSA-HSM", "key_hsm": encoded(json.dumps(wrapped_blob(kek, pkcs8(environment()))).encode())}
        }
        for number, each in enumerate(opened):
            name = f"/keys/k{round_}-{number}"
            if number % 3 == 2:
                each.send_request("PUT", f"{name}?api-version=7.6", token=token, body=wrapped)
                continue
            kind = {"kty": "RSA-HSM", "key_size": 2048} if number % 2 else {"kty": "EC-HSM"}
            each.send_request("POST", f"{name}/create?api-version=7.6", token=token, body=kind)
        answers = [each.read() for each in opened[: 2 * round_]]
        assert {answer.status for answer in answers} <= {200}, server.errors
        answered += [urlsplit(answer.json["key"]["kid"]).path for answer in answers]
        watched = Watched([server.process.pid, *children(server.process.pid)])
        watched.kill()
        watched.wait(KILLED_SECONDS)
        server.stop(signal.SIGKILL)
        for each in (*opened, direct):
            each.close()
        found = checked(server, softhsm)
        assert (found["missing"], found["ofOthers"]) == ([], 0)
        server = start(folder, softhsm)
    direct = Direct(SimpleNamespace(**server.connection))
    for path in answered:
        kid = direct.facts.vaultUrl.rstrip("/") + path
        kind = direct.ask("GET", f"{kid}?api-version=7.6", token=direct.owner()).json["key"]["kty"]
        body = {"alg": "ES256" if kind == "EC-HSM" else "PS256", "value": "A" * 43}
        answer = direct.ask("POST", f"{kid}/sign?api-version=7.6", token=direct.owner(), body=body)
        assert answer.status == 200, answer
    assert len(answered) == 12
    direct.close()
    assert server.stop() == 0
    _leave_behind(softhsm, monkeypatch)
    orphans = checked(server, softhsm)["orphans"]
    assert len(orphans) >= 1
    cleared = checked(server, softhsm, "--remove-orphans")
    assert (cleared["removed"], cleared["ofOthers"]) == (len(orphans), 1)
    found = checked(server, softhsm)
    assert (found["orphans"], found["missing"], found["ofOthers"]) == ([], [], 1)
    _lose_one(softhsm)
    done = server.strongroom("hsm", "check", *map(str, flags(softhsm)), check=False)
    assert (done.returncode, done.stdout.count("problem: the HSM does not have the key dev/keys/k")) == (1, 1)


def test_the_hsm_opens_the_master_key_and_nothing_else_does(tmp_path):
    hsm = SoftHsm(tmp_path / "hsm")
    given = [str(each) for each in flags(hsm)]
    server = start_server(tmp_path / "server", "--dev", "--master-key-hsm", *given, environ=hsm.variables)
    kept, archive = server.data_dir.with_name("data-key") / "master.key", str(tmp_path / "archive")

    def told(*arguments, code=0):
        done = server.strongroom(*arguments, *given, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    assert "bootstrap" in told("app", "list")
    began = kept.read_text()
    assert "only the HSM opens it" in told("rotate", "master-key")
    assert began != kept.read_text()
    assert kept.read_text().startswith("strongroom-wrapped-master-key-1:")
    told("backup", archive)
    assert server.stop() == 0
    assert "which the HSM opens" in told("doctor", "--quick")
    restored = told("restore", archive, "--data-dir", str(tmp_path / "new"), "--master-key-file", str(kept))
    assert " ".join(given) in restored
    refused = server.strongroom("app", "list", check=False)
    assert refused.returncode == 1
    assert "no HSM is named which wrapped the master key" in refused.stderr
    hsm.take_away()
    assert "cannot be reached" in told("app", "list", code=1)
    assert "bring the HSM that wrapped it back" in told("doctor", "--quick", code=1)
    hsm.bring_back()
    hsm.pin_file.write_text("wrong\n")
    assert "it was tried once" in told("app", "list", code=2)


def test_the_master_key_goes_into_the_hsm_and_out_of_it(tmp_path):
    hsm = SoftHsm(tmp_path / "hsm")
    given = [str(each) for each in flags(hsm)]
    server = start_server(tmp_path / "server", "--dev", environ=hsm.variables)
    kept, clear = server.data_dir.with_name("data-key") / "master.key", tmp_path / "clear.key"
    into = server.strongroom("rotate", "master-key", "--to", "hsm", *given).stdout
    assert "lies, in clear, in" in into
    assert kept.read_text().startswith("strongroom-wrapped-master-key-1:")
    same = server.strongroom("rotate", "master-key", "--new-file", str(tmp_path / "same.key"), *given).stdout
    assert "only the HSM opens it" in same
    named = ("--master-key-file", str(tmp_path / "same.key"))
    server.strongroom("rotate", "master-key", "--to", "file", "--new-file", str(clear), *named, *given)
    assert clear.read_text().startswith("strongroom-master-key-1:")
    assert "bootstrap" in server.strongroom("app", "list", "--master-key-file", str(clear)).stdout
    assert server.stop() == 0


def test_a_server_on_restored_data_destroys_nothing_in_the_hsm_until_it_is_told(tmp_path):
    hsm = SoftHsm(tmp_path / "hsm")
    given = [str(each) for each in flags(hsm)]
    first = start(tmp_path / "server", hsm)
    secret, archive = first.connection["clientSecret"], str(tmp_path / "archive")
    with closing(Direct(SimpleNamespace(**first.connection))) as direct:
        for name in ("one", "two"):
            assert direct.secret("POST", direct.facts.vaultUrl, f"/keys/{name}/create", {"kty": "EC-HSM"}).status == 200
    first.strongroom("backup", archive)
    assert first.stop() == 0
    key = {"STRONGROOM_MASTER_KEY_FILE": str(first.data_dir.with_name("data-key") / "master.key")}
    first.strongroom("restore", archive, environ=key | {"STRONGROOM_DATA_DIR": str(tmp_path / "copy")})
    hsm.variables |= key

    def purge(name):
        """Purge a key of the copy, and return what the HSM has that the first data refer to, and what it lacks."""
        copy = start(tmp_path / "again", hsm, data_dir=tmp_path / "copy")
        with closing(Direct(SimpleNamespace(**copy.connection | {"clientSecret": secret}))) as direct:
            assert direct.secret("DELETE", direct.facts.vaultUrl, f"/keys/{name}").status == 200
            assert direct.secret("DELETE", direct.facts.vaultUrl, f"/deletedkeys/{name}").status == 204
        assert copy.stop() == 0
        found = checked(first, hsm, check=False)
        return copy, found["missing"]

    copy, missing = purge("one")
    assert "these data were restored" in copy.errors
    assert missing == []
    refused = copy.strongroom("hsm", "check", "--remove-orphans", *given, check=False)
    assert (refused.returncode, "strongroom hsm adopt" in refused.stderr) == (1, True)
    assert "destroyed in the HSM" in copy.strongroom("hsm", "adopt", *given).stdout
    assert "nothing to do" in copy.strongroom("hsm", "adopt", *given).stdout
    copy, missing = purge("two")
    assert "these data were restored" not in copy.errors
    assert [name.rpartition("/")[0] for name in missing] == ["dev/keys/two"]
    assert json.loads(copy.strongroom("hsm", "check", "--json", "--remove-orphans", *given).stdout)["removed"] == 1


def _leave_behind(softhsm, monkeypatch):
    """Make a key of a vault of the server that nobody refers to, and one of a vault that it does not know."""
    monkeypatch.setitem(os.environ, "SOFTHSM2_CONF", str(softhsm.configuration))
    token, spec = softhsm.token(), spec_of(KeyType.EC)
    owner = next(iter(token.use(tokenkeys.list_kept).values()))
    for label in (owner, "another vault"):
        token.use(
            lambda opened, label=label: tokenkeys.generate(
                opened.session, spec, tokenkeys.new_id(), tokenkeys.label_of(label)
            )
        )
    token.close()


def _lose_one(softhsm):
    token = softhsm.token()
    kept = token.use(tokenkeys.list_kept)
    lost = next(id_ for id_, owner in kept.items() if owner != "another vault")
    token.use(lambda opened: tokenkeys.destroy(opened, lost))
    token.close()
