import re

import pytest

from strongroom.ids import GUID, OBJECT_NAME, VAULT_NAME
from strongroom.planes.openapi import Face, bounds_of, describe, operation_id
from strongroom.planes.operation import Operation, Parameter, Table

FACE = Face(
    title="Things",
    text="",
    host="things",
    errors=(),
    places=(Parameter(name="name", kind=str, text="A name."),),
    always=lambda _: (),
    refuses=lambda _: frozenset(),
)


async def get_thing(call):
    """Tell a thing.

    More of it.
    """


def row(**changes):
    return Operation(
        **{"method": "GET", "path": "/things/{name}", "handler": get_thing, "log": "x", "gives": None} | changes
    )


@pytest.mark.parametrize(
    ("pattern", "bounds"),
    [
        (OBJECT_NAME, {"pattern": "^[0-9a-zA-Z-]{1,127}$"}),
        (VAULT_NAME, {"pattern": "^[a-zA-Z](?:-?[a-zA-Z0-9])*$", "minLength": 3, "maxLength": 24}),
        (GUID, {"pattern": "^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$"}),
    ],
)
def test_a_pattern_of_ours_in_the_words_of_a_schema(pattern, bounds):
    assert bounds_of(pattern) == bounds
    assert re.compile(bounds["pattern"])


def test_a_row_is_called_after_its_handler_unless_it_says_otherwise():
    assert operation_id(row()) == "getThing"
    assert operation_id(row(name="find_one_thing")) == "findOneThing"


def test_what_a_handler_says_of_itself_stands_in_the_document():
    found = describe(FACE, Table([row()]))["paths"]["/things/{name}"]["get"]
    assert (found["summary"], found["description"]) == ("Tell a thing", "More of it.")


def test_two_rows_of_one_name_are_refused():
    with pytest.raises(ValueError, match="one name"):
        describe(FACE, Table([row(), row(path="/things")]))


def test_parameters_of_one_name_and_other_bounds_stand_side_by_side():
    once, twice = (Parameter(name="$top", kind=kind, text="") for kind in (int, str))
    rows = [row(query=(once,)), row(path="/things", query=(twice,), name="list_things")]
    found = describe(FACE, Table(rows))
    assert {key: each["schema"]["type"] for key, each in found["components"]["parameters"].items()} == {
        "name": "string",
        "top": "integer",
        "top-2": "string",
    }
    assert found["paths"]["/things"]["get"]["parameters"] == [{"$ref": "#/components/parameters/top-2"}]


def test_a_change_leads_to_what_may_be_asked_of_the_same_thing():
    rows = [
        row(),
        row(method="PUT", changes=True, name="put_thing"),
        row(path="/things", name="list_things"),
        row(path="/things/{name}/parts", name="list_parts"),
    ]
    paths = describe(FACE, Table(rows))["paths"]
    links = paths["/things/{name}"]["put"]["responses"]["200"]["links"]
    assert set(links) == {"getThing", "listParts"}
    assert links["getThing"]["parameters"] == {"path.name": "$request.path.name"}
    assert "links" not in paths["/things/{name}"]["get"]["responses"]["200"]
