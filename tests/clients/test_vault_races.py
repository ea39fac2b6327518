"""Several clients change one vault, or one role, at once: each change is one transaction; one order explains all."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from clients.direct import Direct, unique
from lives import Act
from orders import Done, lives_after, told

CLIENTS, ROUNDS = 3, 6
READER, USER = "acdd72a7-3385-48ef-bd42-f606fba81ae7", "4633458b-17de-408a-b874-0445c86b69e6"
ASSIGNMENTS = "providers/Microsoft.Authorization/roleAssignments"
MINE = "@Resource[Microsoft.KeyVault/vaults/secrets:name] StringEquals '%s'"


@pytest.fixture
def directs(connection):
    """One set of connections for each client."""
    found = [Direct(connection) for _ in range(CLIENTS)]
    yield found
    for direct in found:
        direct.close()


def someone(number):
    return f"c0ffee00-0000-4000-8000-{number:012x}"


def at_once(work):
    """Run one function in each of several threads, all begun together; return what they return."""
    start = threading.Barrier(CLIENTS)

    def run(number):
        start.wait()
        return work(number)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(run, range(CLIENTS)))


def test_policies_that_clients_add_at_once_are_all_there(directs):
    name = unique("rce")
    directs[0].make_vault(name)

    def add(number):
        direct = directs[number]
        for turn in range(ROUNDS):
            mine = someone(number * ROUNDS + turn)
            direct.change_policies("add", name, direct.policy(mine, "get"))

    at_once(add)
    properties = directs[0].manage("GET", directs[0].vault_path(name)).json["properties"]
    held = {each["objectId"] for each in properties["accessPolicies"]}
    assert held == {someone(number) for number in range(CLIENTS * ROUNDS)}


def test_permissions_that_clients_add_to_one_policy_at_once_are_all_there(directs):
    name, names = unique("rce"), ["get", "list", "set", "delete", "backup", "restore", "recover", "purge", "all"]
    directs[0].make_vault(name)

    def add(number):
        direct = directs[number]
        for permission in names[number::CLIENTS]:
            direct.change_policies("add", name, direct.policy(someone(0), permission))

    at_once(add)
    properties = directs[0].manage("GET", directs[0].vault_path(name)).json["properties"]
    assert [each["permissions"]["secrets"] for each in properties["accessPolicies"]] == [sorted(names)]


def outcome_of(held, act):
    """Return what a vault whose policies are `held` answers to an act, and what it holds after it."""
    named = frozenset(act.value.split())
    after = {"put": named, "patch": held, "add": held | named, "remove": held - named, "get": held}[act.kind]
    return after, after


def ask(direct, name, act):
    """Do an act; return whose policies the answer says that the vault has."""
    policies = [direct.policy(each, "get") for each in act.value.split()]
    path = direct.vault_path(name)
    body = {"properties": {"accessPolicies": policies}}
    if act.kind == "put":
        answer = direct.manage("PUT", path, direct.vault_body(accessPolicies=policies))
    elif act.kind == "patch":
        answer = direct.manage("PATCH", path, {"tags": {"mark": act.mark}})
    elif act.kind == "get":
        answer = direct.manage("GET", path)
    else:
        answer = direct.manage("PUT", f"{path}/accessPolicies/{act.kind}", body)
    assert answer.status == 200, answer
    return frozenset(each["objectId"] for each in answer.json["properties"]["accessPolicies"])


def acts_of(number):
    """Return what a client does: a whole vault is put between changes of others, and replaces what they did."""
    mine = [someone(number * 10 + turn) for turn in range(ROUNDS)]
    return (
        Act("add", mine[0]),
        Act("put", f"{mine[1]} {mine[2]}"),
        Act("add", mine[3]),
        Act("patch", mark=f"{number}"),
        Act("remove", mine[1]),
        Act("get"),
    )


def test_one_order_explains_every_answer(directs):
    name = unique("rce")
    directs[0].make_vault(name)

    def live(number):
        history = []
        for act in acts_of(number):
            begun = time.monotonic()
            outcome = ask(directs[number], name, act)
            history.append(Done(act, begun, time.monotonic(), outcome))
        return tuple(history)

    histories = at_once(live)
    possible = lives_after(histories, {frozenset()}, outcome_of)
    assert possible, told(histories)
    assert ask(directs[0], name, Act("get")) in possible


def test_a_whole_vault_that_was_read_before_another_s_change_replaces_it(directs):
    name = unique("rce")
    one, other = directs[:2]
    one.make_vault(name)
    read = one.manage("GET", one.vault_path(name)).json
    other.change_policies("add", name, other.policy(someone(1), "get"))
    put = one.manage("PUT", one.vault_path(name), {"location": read["location"], "properties": read["properties"]})
    assert put.json["properties"] == read["properties"]
    assert partial(ask, other, name)(Act("get")) == frozenset()


def give(direct, name, principal, role=READER, **said):
    """Give a role at the rehearsal group by an assignment of this name; return status and what was answered."""
    path = f"{direct.group_path('dev')}/{ASSIGNMENTS}/{name}"
    body = {"principalId": principal, "principalType": "User", **said}
    body["roleDefinitionId"] = f"/providers/Microsoft.Authorization/roleDefinitions/{role}"
    answer = direct.manage("PUT", path, {"properties": body}, version="2022-04-01")
    return answer.status, answer.json


def assignments_of(direct, principal):
    """Return what a principal was given, as the API tells it."""
    found = direct.manage("GET", f"{direct.group_path('dev')}/{ASSIGNMENTS}", version="2022-04-01").json["value"]
    return [each["properties"] for each in found if each["properties"]["principalId"] == principal]


def test_a_role_that_clients_give_at_once_is_given_once_and_the_others_are_told(directs):
    for turn in range(ROUNDS):
        principal = someone(1000 + turn)
        answers = at_once(lambda number, principal=principal: give(directs[number], uuid.uuid4(), principal))
        assert sorted(status for status, _ in answers) == [201, 409, 409]
        refused = [answer["error"]["code"] for status, answer in answers if status == 409]
        assert refused == ["RoleAssignmentExists"] * 2
        assert len(assignments_of(directs[0], principal)) == 1


def test_an_assignment_that_clients_write_at_once_is_what_one_of_them_wrote(directs):
    for turn in range(ROUNDS):
        name, principal = uuid.uuid4(), someone(2000 + turn)

        def write(number, name=name, principal=principal):
            said = {"description": f"of {number}", "condition": MINE % number, "conditionVersion": "2.0"}
            return give(directs[number], name, principal, USER, **said)

        answers = at_once(write)
        assert sorted(status for status, _ in answers) == [200, 200, 201]
        told = [(each["properties"]["description"], each["properties"]["condition"]) for _, each in answers]
        assert told == [(f"of {number}", MINE % number) for number in range(CLIENTS)]
        (kept,) = assignments_of(directs[0], principal)
        assert (kept["description"], kept["condition"]) in told


def test_an_assignment_that_clients_make_for_others_at_once_is_one_of_theirs(directs):
    for turn in range(ROUNDS):
        name, principals = uuid.uuid4(), [someone(3000 + turn * CLIENTS + number) for number in range(CLIENTS)]
        answers = at_once(lambda number, name=name, whom=principals: give(directs[number], name, whom[number]))
        assert sorted(status for status, _ in answers) == [201, 409, 409]
        refused = [answer["error"]["code"] for status, answer in answers if status == 409]
        assert refused == ["RoleAssignmentUpdateNotPermitted"] * 2
        winner = [status for status, _ in answers].index(201)
        assert [bool(assignments_of(directs[0], each)) for each in principals] == [
            number == winner for number in range(CLIENTS)
        ]
