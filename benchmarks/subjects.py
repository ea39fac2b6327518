"""What is measured: each load with its numbers of connections, and with what it is compared beside the bare hello."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from commits import commits_per_second
from load import Load
from server import API, FORM, Server, ask, authorization, token_form, token_path
from threads import DIGEST, WRAPPED, signing, times_per_second, unwrapping

GET, CHALLENGE, SET = "secret get", "401 challenge", "secret set"
RS256, PS256, RSA_4096, ES256 = "sign RS256", "sign PS256", "sign RS256 with RSA-4096", "sign ES256"
CROWDED = "secret get beside RSA-4096"
SECRETS = 50
FEW, ALL, MANY = (1, 16), (1, 16, 64), (64,)
VAULT = "dev.vault.localhost"  # of a rehearsal server: a premium one


@dataclass(frozen=True, slots=True)
class Bare:
    """The same work with nothing around it. figure: what the ratio to it is called.

    measure: how often a second it is done; takes the number of connections and the seconds to measure.
    """

    figure: str
    measure: Callable[[int, float], float]


@dataclass(frozen=True, slots=True)
class Subject:
    """One load to measure. counts: numbers of connections. beside: what loads the server at the same time."""

    load: Load
    counts: tuple[int, ...]
    bare: Bare | None = None
    beside: Load | None = None


@dataclass(frozen=True, slots=True)
class Vault:
    """The vault that the loads go to. headers: of an authorized request."""

    server: Server
    headers: dict[str, str]

    def ask(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """Send one authorized request."""
        return ask(self.server, VAULT, method, f"{path}?{API}", json.dumps(body).encode(), **self.headers)

    def load(self, name: str, path: str, method: str = "GET", body: dict[str, Any] | None = None) -> Load:
        """Return the load of one authorized request, again and again."""
        url = f"https://127.0.0.1:{self.server.port}{path}?{API}"
        headers = (("Host", f"{VAULT}:{self.server.port}"), *self.headers.items())
        return Load(name, url, method, headers, "" if body is None else json.dumps(body))


def subjects(server: Server, scratch: Path) -> Iterator[Subject]:
    """Prepare the server for what is measured, and give it in the order of the table."""
    vault = Vault(server, authorization(server))
    yield from _secrets(vault, scratch)
    yield from _keys(vault)


def _secrets(vault: Vault, scratch: Path) -> Iterator[Subject]:
    server = vault.server
    for number in range(SECRETS):
        vault.ask("PUT", f"/secrets/bench-{number:03}", {"value": f"value-{number}", "tags": {"app": "bench"}})
    get = vault.load(GET, "/secrets/bench-007")
    stranger = tuple(pair for pair in get.headers if pair[0] == "Host")
    login = (("Host", f"login.localhost:{server.port}"), *FORM.items())
    token_url = f"https://127.0.0.1:{server.port}{token_path(server)}"
    commits = Bare("of bare commits", lambda connections, seconds: commits_per_second(scratch, connections, seconds))
    yield Subject(get, ALL)
    yield Subject(vault.load("list page", "/secrets"), ALL)
    yield Subject(replace(get, name=CHALLENGE, headers=stranger, expects_error=True), ALL)
    yield Subject(Load("token issue", token_url, "POST", login, token_form(server)), FEW)
    yield Subject(vault.load(SET, "/secrets/bench-set", "PUT", {"value": "once more"}), ALL, commits)


def _keys(vault: Vault) -> Iterator[Subject]:
    def use(name: str, key: str, operation: str, **body: str) -> Load:
        return vault.load(name, f"/keys/{key}/{operation}", "POST", body)

    for key, described in KEYS.items():
        vault.ask("POST", f"/keys/{key}/create", described)
    digest, material = _octets(DIGEST), _octets(WRAPPED)
    large = use(RSA_4096, "bench-rsa-4096", "sign", alg="RS256", value=digest)
    for name, algorithm in ((RS256, "RS256"), (PS256, "PS256")):
        yield Subject(use(name, "bench-rsa", "sign", alg=algorithm, value=digest), ALL, _threads(signing(algorithm)))
    yield Subject(large, (16, 64), _threads(signing("RS256", 4096)))
    yield Subject(use(ES256, "bench-ec", "sign", alg="ES256", value=digest), ALL)
    for algorithm, key in (("RS256", "bench-rsa"), ("ES256", "bench-ec")):
        signed = vault.ask("POST", f"/keys/{key}/sign", {"alg": algorithm, "value": digest})["value"]
        load = use(f"verify {algorithm}", key, "verify", alg=algorithm, digest=digest, value=signed)
        yield Subject(load, MANY)
    oaep = {"alg": "RSA-OAEP-256", "value": material}
    wrapped = vault.ask("POST", "/keys/bench-rsa/wrapkey", oaep)["value"]
    yield Subject(use("wrap RSA-OAEP-256", "bench-rsa", "wrapkey", **oaep), MANY)
    unwrap = use("unwrap RSA-OAEP-256", "bench-rsa", "unwrapkey", **oaep | {"value": wrapped})
    yield Subject(unwrap, MANY, _threads(unwrapping()))
    yield Subject(use("encrypt A256GCM", "bench-aes", "encrypt", alg="A256GCM", value=material), MANY)
    yield Subject(vault.load(CROWDED, "/secrets/bench-007"), FEW, beside=large)


KEYS = {
    "bench-rsa": {"kty": "RSA", "key_size": 2048},
    "bench-rsa-4096": {"kty": "RSA", "key_size": 4096},
    "bench-ec": {"kty": "EC", "crv": "P-256"},
    "bench-aes": {"kty": "oct-HSM", "key_size": 256},
}


def _threads(work: Callable[[], object]) -> Bare:
    return Bare("of bare threads", lambda _connections, seconds: times_per_second(work, seconds))


def _octets(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
