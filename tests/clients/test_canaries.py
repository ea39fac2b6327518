"""Nothing that is secret lies on the disk, in a log, in a record or in a refusal: values planted, and searched for.

Every value that a server must keep to itself is one that can be found again: secret values, client secrets, tokens,
proofs of every kind, what stands in broken requests and in refused ones, and the server's own keys. Then every file
that the server wrote is searched, free pages and write-ahead log included, and all that it printed, for each form in
which a program may write a value. Two exceptions: the connection file, written on request, and the folder of the master
key for that key itself.
"""

import base64
import json
import signal
import sqlite3
from contextlib import closing
from types import SimpleNamespace
from urllib.parse import quote, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from canaries import CONNECTION, PLANTED, forms, new_canary, plant
from clients.direct import (
    Direct,
    add_certificate,
    disable,
    forge,
    make_applications,
    make_certificate,
    on_server_data,
    unique,
)
from clients.harness import start_server
from jwk_doubles import decoded, ec_jwk, encoded, rsa_jwk
from strongroom.access.identity.signing import SigningKeys
from strongroom.clock import real_now

pytestmark = pytest.mark.xdist_group("canaries")

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LARGEST_VALUE = 25_600


class Planted:
    """Canaries by name."""

    def __init__(self):
        self.canaries = {}

    def new(self, name):
        """Return a new canary: a value that stands nowhere else."""
        return self.add(name, new_canary())

    def add(self, name, canary):
        """Take a secret of the server's own making, and return it."""
        self.canaries[name] = canary.encode() if isinstance(canary, str) else canary
        return canary

    def note(self, folder):
        """Have them searched for at the end of the run too."""
        plant(folder, *[canary.decode() for canary in self.canaries.values() if canary.isascii()])

    def found_in(self, content, but=()):
        """Return the names of the canaries in some bytes, but for some."""
        wanted = {name: canary for name, canary in self.canaries.items() if name not in but}
        return sorted(name for name, canary in wanted.items() if any(form in content for form in forms(canary)))


class Scene:
    """A server that lives through everything below, and what was planted in it."""

    def __init__(self, server, folder):
        self.server = server
        self.folder = folder
        self.direct = Direct(SimpleNamespace(**server.connection))
        self.planted = Planted()
        self.refusals = []
        self.vault = self.direct.vault_url("dev")
        self.app_id, _, secret = make_applications(server, ["robot"])["robot"]
        self.secret = self.planted.add("client secret", secret)
        self.planted.add("client secret of the bootstrap application", server.connection["clientSecret"])

    def refused(self, answer, *statuses):
        """Note an answer that must tell nothing."""
        assert answer.status in statuses, answer
        self.refusals.append(answer)

    def ask(self, method, path, body=None, **kwargs):
        return self.direct.secret(method, self.vault, path, body, **kwargs)

    def form(self, **changes):
        right = {
            "grant_type": "client_credentials",
            "client_id": self.app_id,
            "scope": "https://vault.azure.net/.default",
        }
        return right | changes

    def files(self):
        """Return {path below the folder: content} of all that lies there but the connection file."""
        paths = (path for path in self.folder.rglob("*") if path.is_file() and path.name not in {CONNECTION, PLANTED})
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}


def live_a_secret_s_life(scene):
    new, ask = scene.planted.new, scene.ask
    assert ask("PUT", "/secrets/plain", {"value": new("value"), "tags": {"tag": "not-a-secret-tag"}}).status == 200
    assert ask("PUT", "/secrets/plain", {"value": new("value of a newer version")}).status == 200
    assert ask("GET", "/secrets/plain").status == 200
    large = (new("value over many pages") * 1000)[:LARGEST_VALUE]
    assert ask("PUT", "/secrets/large", {"value": large}).status == 200
    assert ask("PUT", "/secrets/disabled", {"value": new("value of a disabled secret")}).status == 200
    assert ask("PATCH", "/secrets/disabled", {"attributes": {"enabled": False}}).status == 200
    scene.refused(ask("GET", "/secrets/disabled"), 403)
    assert ask("PUT", "/secrets/gone", {"value": new("value of a purged secret")}).status == 200
    backup = ask("POST", "/secrets/gone/backup").json["value"]
    assert ask("DELETE", "/secrets/gone").status == 200
    assert ask("DELETE", "/deletedsecrets/gone").status == 204
    assert ask("POST", "/secrets/restore", {"value": backup}).status == 200
    scene.refused(ask("POST", "/secrets/restore", {"value": backup}), 409)
    broken = backup[:-4] + ("AAAA" if backup[-4:] != "AAAA" else "BBBB")
    scene.refused(ask("POST", "/secrets/restore", {"value": broken}), 400)
    assert scene.planted.found_in(base64.urlsafe_b64decode(backup + "=" * (-len(backup) % 4))) == []
    scene.planted.add("backup", backup)
    scene.planted.add("broken backup", broken)
    assert ask("DELETE", "/secrets/large").status == 200


def live_a_key_s_life(scene):
    new, ask, planted = scene.planted.new, scene.ask, scene.planted
    for name, key in (("rsa", rsa.generate_private_key(65537, 2048)), ("ec", ec.generate_private_key(ec.SECP256R1()))):
        jwk = rsa_jwk(key) if name == "rsa" else ec_jwk("P-256", key)
        for member in ("d", "p", "q", "dp", "dq", "qi"):
            if member in jwk:
                planted.add(f"{member} of an imported {name} key", decoded(jwk[member]))
        broken = jwk | {("q" if name == "rsa" else "y"): jwk["d"]}
        scene.refused(ask("PUT", f"/keys/{name}", {"key": broken}), 400)
        scene.refused(ask("PUT", f"/keys/{name}", {"key": jwk | {"d": jwk["d"] + "!"}}), 400)
        scene.refused(ask("PUT", f"/keys/{name}", {"key": jwk, "attributes": jwk["d"]}), 400)
        assert ask("PUT", f"/keys/{name}", {"key": jwk}).status == 200
        backup = ask("POST", f"/keys/{name}/backup").json["value"]
        assert planted.found_in(decoded(backup)) == []
        planted.add(f"backup of the {name} key", backup)
    digest = encoded(bytes(32))
    assert ask("POST", "/keys/ec/sign", {"alg": "ES256", "value": digest}).status == 200
    plain = encoded(new("what was encrypted").encode())
    sealed = ask("POST", "/keys/rsa/encrypt", {"alg": "RSA-OAEP", "value": plain}).json["value"]
    assert ask("POST", "/keys/rsa/decrypt", {"alg": "RSA-OAEP", "value": sealed}).json["value"] == plain
    scene.refused(ask("POST", "/keys/rsa/encrypt", {"alg": "none", "value": plain}), 400)
    scene.refused(ask("POST", "/keys/rsa/sign", {"alg": "RS256", "value": plain}), 400)
    assert ask("DELETE", "/keys/ec").status == 200
    scene.refused(ask("POST", "/keys/ec/sign", {"alg": "ES256", "value": plain}), 404)


def set_what_is_refused(scene):
    new, ask = scene.planted.new, scene.ask
    canary = new("broken body")
    for body in (
        f'{{"value":"{canary}"',
        f'{{"value":["{canary}"]}}',
        f'{{"value":{{"{canary}":1}}}}',
        f'{{"value":"v","attributes":"{canary}"}}',
        f'{{"value":"v","attributes":{{"exp":"{canary}"}}}}',
        f'{{"value":"v","tags":{{"t":["{canary}"]}}}}',
        f'"{canary}"',
        f"{canary}",
        f'{{"value":"v","tags":{{"{canary}":1}}}}',
        f'{{"value":"v","contentType":"{canary * 20}"}}',
        json.dumps({"value": canary * 2000}),
        b'{"value":"' + canary.encode() + b'\xff"}',
    ):
        scene.refused(ask("PUT", "/secrets/broken", body), 400)
    canary = new("value in a refused request")
    body = {"value": canary}
    scene.refused(ask("PUT", "/secrets/any", body, token="x"), 401)
    scene.refused(ask("PUT", "/secrets/any", body, version="1999-01-01"), 400)
    scene.refused(ask("PUT", "/secrets/no_name", body), 400)
    scene.refused(ask("PUT", "/nothing/here", body), 404)
    scene.refused(ask("POST", "/secrets/plain", body), 405)
    scene.refused(ask("PATCH", "/secrets/missing", body), 404)
    scene.refused(ask("PUT", "/secrets/large", body), 409)
    scene.refused(ask("PUT", "/secrets/any", {"value": canary * 20_000}), 413)
    scene.refused(ask("PUT", "/secrets/any", body, token=scene.direct.sign_in(scene.app_id, scene.secret)), 403)
    none = scene.direct.vault_url("no-such-vault")
    scene.refused(scene.direct.secret("PUT", none, "/secrets/any", body), 404)


def sign_in_every_way(scene):
    direct, new, app_id = scene.direct, scene.planted.new, scene.app_id
    token = direct.sign_in(app_id, scene.secret)
    scene.planted.add("token", token)
    scene.planted.add("signature of a token", token.rpartition(".")[2])
    scene.planted.add("token of the owner", direct.owner("management"))
    wrong = new("wrong client secret")
    scene.refused(direct.post_form(scene.form(client_secret=wrong)), 401)
    scene.refused(
        direct.post_form(scene.form(client_secret=wrong, client_id="00000000-0000-4000-8000-000000000000")), 400
    )
    scene.refused(direct.post_form(scene.form(client_id=new("secret in the place of an id"), client_secret="x")), 400)
    scene.refused(direct.post_form(scene.form(password=new("password"), grant_type="password")), 400)
    scene.refused(
        direct.post_form(scene.form(scope=new("secret in the place of a scope"), client_secret="x")), 401, 400
    )
    scene.refused(direct.post_form(json.dumps(scene.form(client_secret=new("secret in JSON")))), 400)
    scene.refused(direct.post_form([("client_secret", new("doubled secret"))] * 2), 400)
    scene.refused(direct.post_form(f"client_secret={new('secret in a broken form')}&%zz=\xff".encode("latin-1")), 400)
    basic = base64.b64encode(f"{app_id}:{new('secret in Basic')}".encode()).decode()
    scene.refused(direct.post_form(scene.form(), headers={"authorization": f"Basic {basic}"}), 401)
    odd = new("broken Basic")
    scene.refused(direct.post_form(scene.form(), headers={"authorization": f"Basic {odd}"}), 400)
    query = urlencode({"client_secret": new("secret in a query")})
    scene.refused(direct.post_form(scene.form(), path=f"oauth2/v2.0/token?{query}"), 401)
    prove = {"client_assertion_type": JWT_BEARER}
    for name, assertion in (
        ("broken assertion", new("broken assertion")),
        ("assertion of a stranger", forge(scene.server, token, own_key=True)),
    ):
        scene.planted.add(name, assertion)
        scene.refused(direct.post_form(scene.form(client_assertion=assertion, **prove)), 400, 401)


def show_bad_tokens(scene):
    direct, new = scene.direct, scene.planted.new
    owner = direct.owner()
    for name, header in (
        ("token that is none", f"Bearer {new('token that is none')}"),
        ("token of another scheme", f"Basic {new('token of another scheme')}"),
        ("token of an unknown scheme", new("token of an unknown scheme")),
        ("forged token", "Bearer " + scene.planted.add("forged token", forge(scene.server, owner, own_key=True))),
        ("expired token", "Bearer " + scene.planted.add("expired token", forge(scene.server, owner, exp=1))),
        ("token that is too long", "Bearer " + new("token that is too long") * 600),
    ):
        for url in (
            f"{scene.vault}/secrets/plain?api-version=7.6",
            f"{direct.facts.managementUrl}/tenants?api-version=2022-12-01",
        ):
            answer = direct.ask("GET", url, headers={"authorization": header})
            assert answer.status == 401, name
            scene.refusals.append(answer)
    made = make_applications(scene.server, ["disabled"])["disabled"]
    token = scene.planted.add("token of a disabled application", direct.sign_in(made[0], made[2]))
    disable(scene.server, made[0])
    scene.refused(scene.ask("GET", "/secrets/plain", token=token), 401)
    canary = new("header of a request that is none").encode()
    host = scene.vault[8:].encode()
    for sent in (
        b"GET / HTTP/1.1\r\nHost: " + host + b"\r\nAuthorization Bearer " + canary + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: " + host + b"\r\nAuthorization: Bearer " + canary * 4000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: elsewhere.test\r\nAuthorization: Bearer " + canary + b"\r\n\r\n",
    ):
        scene.refused(direct.send(scene.vault, sent), 400, 421, 431)


def manage_with_secrets_in_the_wrong_places(scene):
    direct, new = scene.direct, scene.planted.new
    path, canary = direct.vault_path(unique("can")), new("body of a management request")
    right = direct.vault_body()
    for body in (
        f'{{"location":"{canary}',
        {"location": [canary]},
        right | {"properties": canary},
        right | {"tags": {"t": {canary: canary}}},
        {"properties": right["properties"] | {"accessPolicies": canary}},
    ):
        scene.refused(direct.manage("PUT", path, body), 400)
    ignored = right | {"clientSecret": canary, "properties": right["properties"] | {"password": canary}}
    assert direct.manage("PUT", path, ignored).status == 200
    assert canary.encode() not in direct.manage("GET", path).raw


def write_secrets_as_resources(scene):
    direct, new = scene.direct, scene.planted.new
    path = direct.vault_path("dev") + "/secrets/resource"
    bodies = [
        {"properties": {"value": new(f"value of a resource, {which}")}} for which in ("made", "made anew", "patched")
    ]
    for method, body, status in zip(("PUT", "PUT", "PATCH"), bodies, (201, 200, 200), strict=True):
        scene.refused(direct.manage(method, path, body), status)
    for shown in (path, path.rpartition("/")[0]):
        scene.refused(direct.manage("GET", shown), 200)
    for broken in (
        {"properties": {"value": [new("value that is an array")]}},
        {"properties": {"value": new("value with a tag that is none"), "contentType": 7}},
        {"properties": {"value": (new("value of a resource that is too long") * 2000)}},
    ):
        scene.refused(direct.manage("PUT", path, broken), 400)
    assert direct.manage("PUT", path.replace("/secrets/", "/keys/"), {"properties": {"kty": "EC"}}).status == 200


def use_commands(scene):
    for words in (("create", "by-command"), ("reset-secret", "by-command")):
        shown = json.loads(scene.server.strongroom("app", *words, "--json").stdout)
        scene.planted.add(f"client secret of app {words[0]}", shown["clientSecret"])
    key, certificate = make_certificate()
    add_certificate(scene.server, scene.app_id, certificate)
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    scene.planted.add("private key of a client", der[-64:])


def tamper(scene):
    """Let a request fail inside: a sealed value that was changed in the database does not open."""
    assert scene.ask("PUT", "/secrets/tampered", {"value": scene.planted.new("tampered value")}).status == 200
    with closing(sqlite3.connect(scene.server.data_dir / "strongroom.db", timeout=30)) as database:
        changed = database.execute(
            "UPDATE versions SET sealed = zeroblob(length(sealed)) WHERE name = 'tampered'"
        ).rowcount
        database.commit()
    assert changed == 1
    scene.refused(scene.ask("GET", "/secrets/tampered"), 500)


def back_up(scene):
    """Leave an archive, a restored directory and what the doctor says; the row that was tampered with is in all."""
    archive, restored = scene.folder / "archive", scene.folder / "restored"
    key = scene.server.data_dir.with_name("data-key") / "master.key"
    scene.server.strongroom("backup", str(archive), "--accept-damage")
    scene.server.strongroom(
        "restore", str(archive), "--accept-damage", "--data-dir", str(restored), "--master-key-file", str(key)
    )
    done = scene.server.strongroom("doctor", check=False)
    assert "a sealed value does not open in its place" in done.stdout or "no valid header" in done.stdout
    (scene.folder / "doctor").write_text(done.stdout + done.stderr)


def own_keys(scene):
    """Plant nothing: learn the server's own keys, so that they are searched for."""

    async def load(data):
        stores = data.storage.read()
        signing = await SigningKeys(data.custodian).current(stores.identity, stores.keyring, real_now())
        keys = {
            f"{key.purpose} key {key.version} of {key.scope or 'the server'}": data.custodian._raw(key).reveal()
            for key in await stores.keyring.list_all()
        }
        return keys, signing.private.private_numbers()

    keys, numbers = on_server_data(scene.server, load)
    for name, key in keys.items():
        scene.planted.add(name, key)
    for name in ("p", "q", "d"):
        number = getattr(numbers, name)
        scene.planted.add(f"{name} of the signing key", number.to_bytes((number.bit_length() + 7) // 8))


ACTS = (
    live_a_secret_s_life,
    live_a_key_s_life,
    set_what_is_refused,
    sign_in_every_way,
    show_bad_tokens,
    manage_with_secrets_in_the_wrong_places,
    write_secrets_as_resources,
    use_commands,
    tamper,
    back_up,
    own_keys,
)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """A server after all that, still running; its temporary files lie in the folder that is searched."""
    folder = tmp_path_factory.mktemp("canaries")
    temporary = folder / "tmp"
    temporary.mkdir()
    server = start_server(folder, "--dev", "--workers", "2", "--log-level", "debug", environ={"TMPDIR": str(temporary)})
    made = Scene(server, folder)
    try:
        for act in ACTS:
            act(made)
        made.direct.close()
        made.planted.note(folder)
        yield made
    finally:
        server.stop()


@pytest.fixture(scope="module")
def remains(scene):
    """What is left: files while it ran and after it stopped, what it printed, the records that it kept."""
    records = scene.server.strongroom("logs", "-n", "100000", "--json").stdout
    running = scene.files()
    scene.server.process.send_signal(signal.SIGTERM)
    printed = scene.server.process.stdout.read()
    assert scene.server.stop() == 0
    return SimpleNamespace(
        running=running, stopped=scene.files(), printed=scene.server.banner + printed, records=records
    )


def test_no_file_holds_a_secret(scene, remains):
    left = {"data/strongroom.db", "data/audit.db", "errors.log", "archive", "restored/strongroom.db", "doctor"}
    assert left <= remains.running.keys()
    for files in (remains.running, remains.stopped):
        found = {path: scene.planted.found_in(content) for path, content in files.items()}
        assert {path: names for path, names in found.items() if names} == {}


def test_only_the_folder_of_the_master_key_holds_the_master_key(remains):
    text = remains.stopped["data-key/master.key"].strip()
    encoded = text.rpartition(b":")[2]
    master = Planted()
    master.add("line", text)
    master.add("key", base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4)))
    for files in (remains.running, remains.stopped):
        assert [path for path, content in files.items() if master.found_in(content)] == ["data-key/master.key"]


def test_no_file_holds_a_private_key_in_the_clear(remains):
    for files in (remains.running, remains.stopped):
        assert [path for path, content in files.items() if b"PRIVATE KEY" in content] == []


def test_nothing_that_was_printed_holds_a_secret(scene, remains):
    assert scene.planted.found_in(remains.printed.encode()) == []
    assert scene.planted.found_in(scene.server.errors.encode()) == []
    assert "SealBroken" in scene.server.errors  # what was tampered with, and so the log of something that failed


def test_no_record_holds_a_secret(scene, remains):
    assert scene.planted.found_in(remains.records.encode()) == []
    operations = {json.loads(line)["operationName"] for line in remains.records.splitlines()}
    assert {"SecretSet", "SecretRestore", "Authentication", "Sign-in activity", "VaultPut"} <= operations


def test_no_refusal_tells_what_was_sent(scene):
    assert len(scene.refusals) > 50
    for answer in scene.refusals:
        head = "\n".join(f"{name}: {value}" for name, value in answer.pairs).encode()
        assert scene.planted.found_in(head + b"\n" + answer.raw) == [], answer


def test_the_search_finds_what_is_there(scene, remains):
    """Else all the above would pass with a search that finds nothing."""
    control = Planted()
    canary = control.new("control").encode()
    for kept in (canary, canary.hex().encode(), canary.decode().encode("utf-16"), quote(canary).encode()):
        assert control.found_in(b"..." + kept + b"...") == ["control"]
    for around in (b"", b"a", b"ab", b"abc"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            assert control.found_in(encode(around + canary + around)) == ["control"]
    control.add("tag", "not-a-secret-tag")
    kept = [content for path, content in remains.running.items() if path.startswith("data/strongroom.db")]
    assert control.found_in(b"".join(kept)) == ["tag"]
    control.add("connection file", scene.server.connection["clientSecret"])
    assert control.found_in(scene.server.connection_file.read_bytes()) == ["connection file"]
