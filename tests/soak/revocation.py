"""From a change to the first refusal, on every worker, under load: measured, and counted what got through."""

from dataclasses import dataclass, field
from types import SimpleNamespace

from clients.crowd import WORKERS, Crowd
from clients.direct import Direct, make_applications, unique
from clients.harness import start_server


@dataclass
class Measured:
    """What changes of one kind came to. allowed: requests that began after the answer and got through.

    delays: for every worker and round, the seconds from the answer to the first refusal.
    """

    allowed: int = 0
    refused: int = 0
    delays: list = field(default_factory=list)

    def add(self, seen):
        for each in seen:
            self.allowed += each.after.count(200)
            self.refused += len(each.after) - each.after.count(200)
        for worker in {each.worker for each in seen}:
            self.delays += [min(each.first_refusal for each in seen if each.worker == worker and each.first_refusal)]

    def words(self):
        times = sorted(self.delays)
        return (
            f"{self.allowed} requests that began after the answer got through, {self.refused} were refused; the first "
            f"refusal came after {times[len(times) // 2] * 1000:.0f} ms (median), {times[-1] * 1000:.0f} ms (most)"
        )


def measure(folder, rounds):
    """Return {what was changed: what was measured}."""
    server = start_server(folder, "--dev", "--no-proxy", "--workers", str(WORKERS))
    direct = Direct(SimpleNamespace(**server.connection))
    found = {}
    for _ in range(rounds):
        for what, change in CHANGES.items():
            found.setdefault(what, Measured()).add(_play(server, direct, change))
    direct.close()
    assert server.stop() == 0
    return found


def _play(server, direct, change):
    app_id, object_id, secret = make_applications(server, ["someone"])["someone"]
    name = unique("rev")
    policies = [direct.policy(object_id, "get"), direct.policy(direct.owner_id, "all", "purge")]
    url = direct.make_vault(name, accessPolicies=policies)
    assert direct.secret("PUT", url, "/secrets/any", {"value": "v"}).status == 200
    crowd = Crowd(direct, server, url, direct.sign_in(app_id, secret))
    try:
        return crowd.ask_around(lambda: change(server, direct, app_id, object_id, name))
    finally:
        crowd.close()


def _disable(server, _direct, app_id, _object_id, _name):
    server.strongroom("app", "disable", app_id)


def _remove_policy(_server, direct, _app_id, object_id, name):
    direct.change_policies("remove", name, direct.policy(object_id, "get"))


def _delete_vault(_server, direct, _app_id, _object_id, name):
    assert direct.manage("DELETE", direct.vault_path(name)).status == 200


CHANGES = {
    "an application disabled": _disable,
    "an access policy removed": _remove_policy,
    "a vault deleted": _delete_vault,
}
