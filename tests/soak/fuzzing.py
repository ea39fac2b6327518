"""Schema-driven fuzzing of a plane: schemathesis makes requests of the plane's own document and judges the answers.

Phases: examples, coverage of every bound, random data that fits and that does not, and chains of requests along the
links of the document. Checked: no 5xx; status, headers, content type and body as documented; what does not fit is
refused; what needs a token is refused without one and with a bad one; no verb answers that is not there; what was
deleted is gone.
"""

import copy
import socket
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from clients.direct import object_id_in

OFF = {"enabled": False}
USES = tuple(
    f"{use}{suffix}"
    for use in ("encryptData", "decryptData", "wrapKey", "unwrapKey", "signDigest", "verifySignature", "releaseKey")
    for suffix in ("", "Version")
)
# What each check is wrong about, and why.
EXCEPTED = {
    # A schema cannot say it all: a backup or a paging token that is well-formed may still be none of ours.
    # What a key can be or do hangs on more than one member: type and size, algorithm and digest, all parts of a key.
    "positive_data_acceptance": (
        *("restoreSecret", "listSecrets", "listVersions", "listDeletedSecrets"),
        *("restoreKey", "listKeys", "listKeyVersions", "listDeletedKeys"),
        *("createKey", "importKey", "updateKey", "updateKeyVersion", "updateRotationPolicy", *USES),
    ),
    # Their paths fit a template too, as that of a secret called `restore`: `Allow` tells its verbs, no document can.
    "allow_header_conformance": (
        *("restoreSecret", "backupSecret", "listVersions", "getByIds"),
        *(
            "restoreKey",
            "backupKey",
            "getKeyAttestation",
            "listKeyVersions",
            "createKey",
            "rotateKey",
            "getRotationPolicy",
            "updateRotationPolicy",
            *USES,
        ),
    ),
    # Other verbs of an open path are unknown, and what is unknown is told only to those who proved who they are.
    "unsupported_method": ("getMetadata",),
}
VERSIONS_TRIED = 3
VAULT, GROUP = "fuzzed", "fuzzed"


@dataclass
class Found:
    """What a run found. sent: requests by operation and status; failures: each kind once; errors: the fuzzer's own."""

    sent: Counter = field(default_factory=Counter)
    failures: dict = field(default_factory=dict)
    errors: list = field(default_factory=list)
    phases: Counter = field(default_factory=Counter)

    def take(self, event):
        """Count what an event of the engine says."""
        if isinstance(event, events.ScenarioFinished):
            self._take_scenario(event)
        elif isinstance(event, events.NonFatalError):
            self.errors.append(f"{event.label}: {event.value!r}")
        elif isinstance(event, events.FatalError):
            self.errors.append(repr(event.exception))

    def _take_scenario(self, event):
        recorder = event.recorder
        for case_id, interaction in recorder.interactions.items():
            case = recorder.cases[case_id].value
            self.phases[event.phase.name] += 1
            if interaction.response is None:
                self.errors.append(f"{case.operation.label}: no answer")
            elif interaction.request.method == case.operation.method.upper():
                self.sent[case.operation.definition.raw["operationId"], interaction.response.status_code] += 1
        for case_id, checks in recorder.checks.items():
            for check in checks:
                if check.failure_info is not None and not _is_spelling(check, recorder.interactions[case_id]):
                    label = recorder.cases[case_id].value.operation.label
                    failure = check.failure_info.failure
                    answered = recorder.interactions[case_id].response
                    text = f"{check.name}: {failure.title}: {failure.message}\n{check.failure_info.code_sample}\n"
                    text += repr(answered.content[:500]) if answered is not None else "no answer"
                    self.failures.setdefault((check.name, label), text)


def _is_spelling(check, interaction):
    """Answer whether a number was refused for its spelling: to a schema 1.0 is an integer, to us it is not."""
    refused = interaction.response.content if interaction.response is not None else b""
    return check.name == "positive_data_acceptance" and b"got `float`" in refused


def fuzz(direct, plane, document, *, examples, seed, thorough=False):
    """Fuzz a plane of a server and return what was found. thorough: every api-version, and new data at every run."""
    settings = _settings(direct, plane, examples, seed, thorough=thorough)
    found = Found()
    with _names_found_here():
        told = document if thorough else _with_few_versions(document)
        if plane == "management":
            told = _with_what_is_here(told, direct.facts)
        schema = schemathesis.openapi.from_dict(told, config=SchemathesisConfig.from_dict(settings))
        for event in from_schema(schema).execute():
            found.take(event)
    return found


def _settings(direct, plane, examples, seed, *, thorough):
    facts = direct.facts
    generation = {"max-examples": examples, "deterministic": not thorough, "no-shrink": True, "database": "none"}
    phases = {
        name: {"extra-data-sources": {"responses": thorough}}  # what answers say differs from run to run
        for name in ("examples", "coverage", "fuzzing")
    }
    settings = {
        "seed": seed,
        "phases": phases,
        "tls-verify": facts.caBundle,
        "continue-on-failure": True,
        "request-timeout": 60,
        "generation": generation,
        "operations": [_excepted(name) for name in sorted({name for names in EXCEPTED.values() for name in names})],
    }
    return settings | {"data": _data, "management": _management, "identity": _identity, "graph": _graph}[plane](direct)


def _excepted(name):
    return {"include-operation-id": name, "checks": {check: OFF for check, names in EXCEPTED.items() if name in names}}


def _data(direct):
    everything = direct.policy(object_id_in(direct.owner()), "all", "purge", keys=["all", "purge"])
    names = {"values": ["a", "b", "c"]}
    return {
        "base-url": direct.make_vault(VAULT, accessPolicies=[everything]),
        "auth": {"openapi": {"token": {"bearer": direct.owner()}}},
        "dictionaries": {"names": names},
        "parameters": {"path.name": {"dictionary": "names", "probability": 0.5}},
    }


def _management(direct):
    direct.make_group(GROUP)
    return {
        "base-url": direct.facts.managementUrl,
        "auth": {"openapi": {"token": {"bearer": direct.owner("management")}}},
        "parameters": {
            "path.subscription": direct.facts.subscriptionId,
            "path.group": GROUP,
            "path.location": direct.facts.location,
        },
        # What fits the schema may still name a vault, a group or a policy's tenant that is not there.
        "checks": {"positive_data_acceptance": OFF},
    }


def _identity(direct):
    facts = direct.facts
    return {
        "base-url": facts.authority,
        "dictionaries": {"tenants": {"values": [facts.tenantId, "common"]}, "clients": {"values": [facts.clientId]}},
        "parameters": {
            "path.tenant": {"dictionary": "tenants", "probability": 0.7},
            "body.client_id": {"dictionary": "clients", "probability": 0.5},
        },
        # A secret or an assertion made at random fits the schema and proves nobody.
        "checks": {"positive_data_acceptance": OFF},
    }


def _graph(direct):
    return {
        "base-url": direct.facts.managementUrl.replace("management.", "graph.", 1),
        "auth": {"openapi": {"token": {"bearer": direct.owner("graph")}}},
        "dictionaries": {"objects": {"values": [direct.owner_id]}},
        "parameters": {
            f"path.{name}": {"dictionary": "objects", "probability": 0.5}
            for name in ("servicePrincipal", "application", "object")
        },
        "checks": {
            # A filter, a selection or a paging token of any text fits the schema; what they name need not be there.
            "positive_data_acceptance": OFF,
            # Every verb that would write is refused alike, on paths that there are and on others.
            "unsupported_method": OFF,
        },
    }


def _with_few_versions(document):
    """Return a document with a few of its api-versions: fifty of them are fifty times the same to a short run."""
    told = copy.deepcopy(document)
    for key, parameter in told["components"]["parameters"].items():
        if key.startswith("api-version") and "enum" in parameter["schema"]:
            spoken = parameter["schema"]["enum"]
            parameter["schema"]["enum"] = spoken[:: max(1, len(spoken) // VERSIONS_TRIED)]
    return told


def _with_what_is_here(document, facts):
    """Return a document that tells what only a server knows, so that vaults and groups come to be at all.

    A new vault must say its location, tenant and SKU; a new group its location. The schema of both bodies is
    also that of requests that need not.
    """
    told = copy.deepcopy(document)
    schemas, paths = told["components"]["schemas"], told["paths"]
    here = {"type": "string", "enum": [facts.location]}
    properties = copy.deepcopy(schemas["VaultProperties"])
    said = {"tenantId": {"type": "string", "enum": [facts.tenantId]}, "sku": {"$ref": "#/components/schemas/Sku"}}
    properties["properties"] |= said
    properties["required"] = ["tenantId", "sku"]
    schemas["NewVaultProperties"] = properties
    for name, kind, added in (
        ("put_vault", "VaultBody", {"properties": {"$ref": "#/components/schemas/NewVaultProperties"}}),
        ("put_group", "GroupBody", {}),
    ):
        body = copy.deepcopy(schemas[kind])
        body["properties"] |= added | {"location": here}
        body["required"] = ["location", *added]
        schemas[name] = body
    # A lock that lets nothing be written would leave the rest of a run with nothing but refusals.
    schemas["LockProperties"]["properties"]["level"]["enum"] = ["CanNotDelete"]
    for path, verbs in paths.items():
        for name in ("putVault", "putGroup"):
            if verbs.get("put", {}).get("operationId") == name:
                kind = name.replace("V", "_v").replace("G", "_g")
                paths[path]["put"]["requestBody"]["content"]["application/json"]["schema"] = {
                    "$ref": f"#/components/schemas/{kind}"
                }
    return told


@contextmanager
def _names_found_here():
    """Let the names of a server be found where they do not resolve: all of them are on this machine."""
    resolve = socket.getaddrinfo

    def near(host, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        return resolve("127.0.0.1" if name and name.endswith(".localhost") else host, *args, **kwargs)

    socket.getaddrinfo = near
    try:
        yield
    finally:
        socket.getaddrinfo = resolve
