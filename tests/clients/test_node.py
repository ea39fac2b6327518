"""The unmodified JavaScript clients, on Node 22 or newer."""

from canaries import MARK
from clients.harness import ROOT, STRONGROOM


def test_node_is_new_enough(server):
    assert int(server.run("node", "-p", "process.versions.node.split('.')[0]").stdout) >= 22


def test_every_operation_of_secrets(server):
    done = server.run("node", str(ROOT / "tests/clients/node/secrets.mjs"))
    assert "a wrong secret is refused" in done.stdout


def test_every_operation_of_keys_and_every_algorithm(server):
    environ = {"CANARY": f"{MARK}plaintext-of-node"}
    done = server.run("node", str(ROOT / "tests/clients/node/keys.mjs"), environ=environ)
    assert "what a key may not do is refused" in done.stdout


def test_the_life_of_a_vault_and_what_it_holds_as_resources(server):
    environ = {"CANARY": f"{MARK}value-of-arm-node", "STRONGROOM": STRONGROOM}
    done = server.run("node", str(ROOT / "tests/clients/node/management.mjs"), environ=environ)
    assert "what is purged is gone" in done.stdout
