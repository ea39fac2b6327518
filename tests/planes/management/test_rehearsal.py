import pytest

from management_doubles import FOREIGN, deleted_path, vault_path
from strongroom.clock import CLOCK_FACT
from strongroom.errors import BadRequest
from strongroom.planes.management.rehearsal import PATH, parse_duration


@pytest.fixture
async def dev(world):
    await world.stores.facts.put("dev", b"1")
    await world.give(world.owner, "Owner", f"/subscriptions/{FOREIGN}")
    return world


async def test_there_is_no_clock_without_dev(world):
    for method, body in (("GET", None), ("PUT", {"offsetSeconds": 1})):
        answer = await world.ask(method, PATH, body, version="")
        assert (answer.status, answer.code) == (404, "NotFound")
    await world.stores.facts.put("dev", b"0")
    assert (await world.ask("GET", PATH, version="")).status == 404
    assert await world.stores.facts.get(CLOCK_FACT) is None


async def test_time_moves_forward_or_back_to_the_real_time(dev):
    assert (await dev.ask("GET", PATH, version="")).json["offsetSeconds"] == 0
    assert (await dev.ask("PUT", PATH, {"advance": "P7D"}, version="")).json["offsetSeconds"] == 604800
    assert (await dev.ask("PUT", PATH, {"advance": "PT30S"}, version="")).json["offsetSeconds"] == 604830
    back = await dev.ask("PUT", PATH, {"offsetSeconds": 604829}, version="")
    assert (back.status, back.code) == (409, "ClockMovesForward")
    told = (await dev.ask("GET", PATH, version="")).json
    assert told["offsetSeconds"] == 604830
    assert told["now"] > told["realNow"]
    assert (await dev.ask("PUT", PATH, {"offsetSeconds": 0}, version="")).json["offsetSeconds"] == 0
    assert dev.records()[-1]["properties"]["offsetSeconds"] == 0
    assert dev.records()[-1]["operationName"] == "Strongroom.Rehearsal/clock/write"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"offsetSeconds": 1, "advance": "P1D"},
        {"offsetSeconds": -1},
        {"offsetSeconds": 10**12},
        {"advance": "P99999W"},
        {"advance": "-P1D"},
        {"advance": "soon"},
    ],
)
async def test_a_move_that_makes_no_sense_is_refused(dev, body):
    answer = await dev.ask("PUT", PATH, body, version="")
    assert (answer.status, answer.code) == (400, "InvalidRequestContent")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("P1D", 86400), ("P2W", 1209600), ("PT1H30M", 5400), ("P1DT1S", 86401), ("PT0S", 0), ("P1W2DT3H4M5S", 788645)],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "P1DT", "P1Y", "P1M", "1D", "P1.5D", "p1d", "P1D "])
def test_what_is_no_duration(text):
    with pytest.raises(BadRequest):
        parse_duration(text)


@pytest.mark.parametrize(
    ("role", "reads", "writes"),
    [
        (None, False, False),
        ("Reader", True, False),
        ("Contributor", True, False),
        ("User Access Administrator", True, False),
        ("Owner", True, True),
    ],
)
async def test_moving_time_takes_an_owner(dev, role, reads, writes):
    # The clock is the whole server's, so it takes the role at every subscription: one of them is granted to all here.
    someone = await dev.someone(role)
    await dev.give(someone, "Owner", f"/subscriptions/{FOREIGN}")
    assert ((await dev.ask("GET", PATH, version="", who=someone)).status == 200) is reads
    answer = await dev.ask("PUT", PATH, {"advance": "P1D"}, version="", who=someone)
    assert (answer.status == 200) is writes


async def test_retention_ends_when_the_clock_says_so(dev):
    await dev.a_group()
    await dev.a_vault(softDeleteRetentionInDays=7)
    await dev.ask("DELETE", vault_path())
    await dev.ask("PUT", PATH, {"advance": "P6DT23H"}, version="")
    assert (await dev.ask("GET", deleted_path())).status == 200
    await dev.ask("PUT", PATH, {"advance": "PT2H"}, version="")
    assert (await dev.ask("GET", deleted_path())).status == 404
