"""Several clients change one vault at once: each change is one transaction, and one order explains every answer."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from clients.direct import Direct, unique
from lives import Act
from orders import Done, lives_after, told

CLIENTS, ROUNDS = 3, 6


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
