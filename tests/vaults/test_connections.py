"""Private endpoint connections: places, decisions, what an endpoint leads to. Decisions by properties."""

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doubles import MemoryStorage
from storage_doubles import a_connection
from strongroom.addresses import normal_address
from strongroom.errors import BadRequest, Conflict, ForbiddenByConnection, NotFound
from strongroom.vaults.connections import (
    MAX_CONNECTIONS,
    MAX_DESCRIPTION,
    Status,
    add_endpoint,
    connections_by_vault,
    decided,
    disconnect_vault,
    disconnected,
    endpoint_id,
    find_connection,
    find_endpoint,
    find_private_endpoint,
    get_connection,
    list_connections,
    parse_place,
    place_of,
    require_status,
)
from vault_doubles import a_vault


def is_of_a_host(address):
    address = getattr(address, "ipv4_mapped", None) or address
    return not (address.is_unspecified or address.is_multicast or getattr(address, "scope_id", None))


ADDRESSES = st.ip_addresses().filter(is_of_a_host)
STATUSES = st.sampled_from(Status)
TEXTS = st.none() | st.text(max_size=MAX_DESCRIPTION)
DECISIONS = {Status.APPROVED, Status.REJECTED}


# --- places


@given(ADDRESSES, st.integers(0, 65535))
def test_a_place_is_read_as_it_is_written(address, port):
    text = address.compressed
    written = f"[{text}]:{port}" if address.version == 6 else f"{text}:{port}"
    found = parse_place(written)
    mapped = getattr(address, "ipv4_mapped", None)
    assert found == ((mapped or address).compressed, port)
    assert parse_place(text) == (found[0], 0)
    assert normal_address(text) == found[0]  # as requests are told where they arrived
    assert parse_place(place_of(a_connection(address=found[0], port=port))) == found


@given(st.ip_addresses(v=4).filter(lambda a: not (a.is_unspecified or a.is_multicast)))
def test_an_ipv4_address_in_ipv6_is_the_same_place(address):
    assert parse_place(f"::ffff:{address}") == (str(address), 0)
    assert parse_place(ipaddress.ip_address(f"::ffff:{address}").exploded) == (str(address), 0)


@pytest.mark.parametrize(
    "text",
    ["", ":", "[", "[]", "[::1", "[::1]x", "[::1]:", "host", "10.0.0.1:", "10.0.0.1:x", "10.0.0.1:65536", "10.0.0.1:-1",
     "10.0.0.1:\N{SUPERSCRIPT TWO}", "10.0.0.1:000001", "10.0.0.0/8", "0.0.0.0", "::", "224.0.0.1", "ff02::1",
     "fe80::1%eth0", "010.0.0.1", " 10.0.0.1"],
)  # fmt: skip
def test_what_is_no_place_of_a_server_is_refused(text):
    with pytest.raises(BadRequest):
        parse_place(text)


@pytest.mark.parametrize("name", ["", "a", "-a", "a-", "a.", "ä1", "a b", "a/b", "a" * 65, "a1\n"])
def test_names_that_no_endpoint_has_are_refused(name):
    with pytest.raises(BadRequest):
        endpoint_id("s1", "g", name)
    assert endpoint_id("s1", "g", "a_").endswith("/resourceGroups/g/providers/Microsoft.Network/privateEndpoints/a_")


# --- decisions


@given(STATUSES, STATUSES, TEXTS)
def test_a_decision_is_kept_or_refused_and_nothing_between(before, asked, description):
    one = a_connection(status=before)
    refused = Status.DISCONNECTED in {before, asked} or (asked is Status.PENDING and before is not Status.PENDING)
    if refused:
        with pytest.raises(BadRequest):
            decided(one, asked, description)
        return
    after = decided(one, asked, description)
    said = one.description if description is None else description
    assert (after.status, after.description) == (asked, said)
    assert (after.etag == one.etag) == (after == one)
    assert replace(after, status=before, description=one.description, revision=1) == one


@given(st.lists(st.sampled_from([*DECISIONS, "remove"]), max_size=12))
def test_whatever_is_decided_the_newest_decision_counts_and_removal_is_for_good(decisions):
    one, etags = a_connection(status=Status.PENDING, description=""), []
    for decision in decisions:
        etags.append(one.etag)
        if decision == "remove":
            one = disconnected(one)
        elif one.is_connected:
            one = decided(one, decision, None)
        else:
            with pytest.raises(BadRequest):
                decided(one, decision, None)
    removed = "remove" in decisions
    expected = Status.DISCONNECTED if removed else (decisions or [Status.PENDING])[-1]
    assert (one.status, one.is_connected) == (expected, not removed)
    assert disconnected(disconnected(one)) == disconnected(one)
    assert len(dict.fromkeys([*etags, one.etag])) <= len(decisions) + 1


def test_descriptions_have_an_end():
    assert decided(a_connection(), Status.REJECTED, "x" * MAX_DESCRIPTION).description == "x" * MAX_DESCRIPTION
    with pytest.raises(BadRequest):
        decided(a_connection(), Status.REJECTED, "x" * (MAX_DESCRIPTION + 1))


@given(STATUSES, st.sampled_from([str.upper, str.lower, str.title]))
def test_a_status_is_known_in_any_case(status, spelled):
    assert require_status(spelled(status.value)) is status


@pytest.mark.parametrize("text", ["", "Approve", "Approved ", "None"])
def test_what_is_no_status_is_refused(text):
    with pytest.raises(BadRequest):
        require_status(text)


# --- endpoints of vaults


@pytest.fixture
def stores():
    return MemoryStorage().stores


async def test_an_endpoint_is_found_as_such_and_as_a_connection_until_it_is_removed(stores):
    await add_endpoint(stores, a_connection(1))
    await add_endpoint(stores, a_connection(2, status=Status.DISCONNECTED))
    assert await find_endpoint(stores, "id-of-kv1", "END-1") == await find_connection(stores, "id-of-kv1", "END-1")
    assert await find_endpoint(stores, "id-of-kv1", "end-2") == a_connection(2, status=Status.DISCONNECTED)
    assert await find_connection(stores, "id-of-kv1", "end-2") is None
    assert await find_connection(stores, "id-of-kv2", "end-1") is None
    assert await list_connections(stores, "id-of-kv1") == (a_connection(1),)
    assert await connections_by_vault(stores) == {"id-of-kv1": [a_connection(1)]}
    assert await get_connection(stores, a_vault(), "end-1") == a_connection(1)
    with pytest.raises(NotFound):
        await get_connection(stores, a_vault(), "end-2")


@pytest.mark.parametrize("port", [0, 8443])
@pytest.mark.parametrize("other", [0, 8443])
@pytest.mark.parametrize("vault", ["id-of-kv1", "id-of-kv2"])
async def test_an_address_belongs_to_one_endpoint(stores, port, other, vault):
    await add_endpoint(stores, a_connection(1, port=port))
    with pytest.raises(Conflict, match=r"127\.0\.0\.2"):
        await add_endpoint(stores, a_connection(2, vault, address="127.0.0.2", port=other))


async def test_two_ports_of_an_address_may_belong_to_two(stores):
    await add_endpoint(stores, a_connection(1, port=1))
    await add_endpoint(stores, a_connection(2, "id-of-kv2", address="127.0.0.2", port=2))
    assert len(await stores.connections.list_all()) == 2


async def test_a_name_belongs_to_one_endpoint_of_a_vault(stores):
    await add_endpoint(stores, a_connection(1, status=Status.DISCONNECTED))
    with pytest.raises(Conflict, match="remove it first"):
        await add_endpoint(stores, a_connection(2, name="END-1"))
    await add_endpoint(stores, a_connection(2, "id-of-kv2", name="END-1"))


async def test_a_vault_has_so_many(stores):
    for number in range(MAX_CONNECTIONS):
        await add_endpoint(stores, a_connection(number))
    with pytest.raises(Conflict, match="at most"):
        await add_endpoint(stores, a_connection(MAX_CONNECTIONS))
    await add_endpoint(stores, a_connection(MAX_CONNECTIONS, "id-of-kv2"))


async def test_the_endpoints_of_a_deleted_vault_are_disconnected(stores):
    for one in (a_connection(1), a_connection(2, status=Status.PENDING), a_connection(3, "id-of-kv2")):
        await add_endpoint(stores, one)
    await disconnect_vault(stores, "id-of-kv1")
    assert [each.status for each in await stores.connections.list_all()] == [
        Status.DISCONNECTED,
        Status.DISCONNECTED,
        Status.APPROVED,
    ]


# --- what a request came by


@pytest.mark.parametrize("status", Status)
async def test_only_an_approved_connection_is_private(stores, status):
    one = a_connection(status=status)
    await add_endpoint(stores, one)
    found = await find_private_endpoint(stores, a_vault("kv1"), one.address, one.port)
    assert found == (one if status is Status.APPROVED else None)


@pytest.mark.parametrize("status", Status)
async def test_an_endpoint_leads_to_no_other_vault_whatever_was_decided(stores, status):
    one = a_connection(status=status)
    await add_endpoint(stores, one)
    with pytest.raises(ForbiddenByConnection) as refused:
        await find_private_endpoint(stores, a_vault("kv2"), one.address, one.port)
    assert one.name not in refused.value.message  # whose endpoint it is is not for this caller to know


async def test_elsewhere_nothing_is_private_and_nothing_refused(stores):
    await add_endpoint(stores, a_connection())
    for place in (("", 0), ("127.0.0.2", 8002), ("127.0.0.1", 8001), ("::1", 8001)):
        for vault in ("kv1", "kv2"):
            assert await find_private_endpoint(stores, a_vault(vault), *place) is None


async def test_an_endpoint_without_a_port_has_all_of_them(stores):
    whole = a_connection(port=0)
    await add_endpoint(stores, whole)
    assert await find_private_endpoint(stores, a_vault("kv1"), whole.address, 5) == whole
