"""Every row of every plane says all that its document needs, and what it says is what the source does."""

import ast
import json
import re
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from strongroom.planes.documents import PLANES, document
from strongroom.planes.identity import wire as identity
from strongroom.planes.openapi import MEANING, operation_id, success_body

SOURCE = Path(__file__).parents[2] / "src" / "strongroom" / "planes"
TABLES = {plane: table().operations for plane, (_, table) in PLANES.items()}
ROWS = [(plane, row) for plane, rows in TABLES.items() for row in rows]
DOCUMENTS = {plane: json.loads(document(plane, "localhost:8443")) for plane in PLANES}
every_row = pytest.mark.parametrize(
    ("plane", "row"), ROWS, ids=[f"{plane} {row.method} {row.path}" for plane, row in ROWS]
)
every_plane = pytest.mark.parametrize("plane", PLANES)


def described(plane, row):
    return DOCUMENTS[plane]["paths"][row.path][row.method.lower()]


@every_plane
def test_a_document_is_valid(plane):
    assert not list(OpenAPIV31SpecValidator(DOCUMENTS[plane]).iter_errors())


@every_plane
def test_a_document_has_every_row_and_no_other(plane):
    found = Counter((path, verb) for path, verbs in DOCUMENTS[plane]["paths"].items() for verb in verbs)
    assert found == Counter((row.path, row.method.lower()) for row in TABLES[plane])


@every_row
def test_a_row_says_what_it_is(plane, row):
    found = described(plane, row)
    assert re.fullmatch(r"[a-z]+([A-Z][a-z]+)+", found["operationId"]), "a verb and what it is about"
    assert found["summary"]
    assert found["x-strongroom-log"] == row.log
    assert found["x-strongroom-body-limit"] == row.body_limit


@every_row
def test_a_row_says_who_may(plane, row):
    found = described(plane, row)
    if row.anonymous:
        assert found["security"] == []
        assert row.needs is None
    else:
        (scheme,) = found["security"]
        assert re.fullmatch(r"https://(vault|management|graph)\.localhost:8443/\.default", scheme["token"][0])
        assert "401" in found["responses"]
    assert ("x-strongroom-permission" in found) == (row.needs is not None)
    assert row.needs is None or "403" in found["responses"]


@every_row
def test_a_row_says_what_it_answers(plane, row):
    face = PLANES[plane][0]
    responses = described(plane, row)["responses"]
    assert set(responses) == {str(status) for status in (*row.success, *face.refusals(row))}
    assert all(status in MEANING for status in face.refusals(row))
    assert not set(row.success) & set(face.refusals(row))
    for status in row.success:
        assert ("content" in responses[str(status)]) == (success_body(row, status) is not None)
    if row.gives is None:
        assert row.method == "HEAD" or set(row.success) <= {200, 202, 204}


@every_row
def test_a_row_that_takes_a_body_says_which(plane, row):
    found = described(plane, row)
    assert ("requestBody" in found) == (row.takes is not None)
    if row.takes is not None:
        (schema,) = (content["schema"] for content in found["requestBody"]["content"].values())
        assert schema["$ref"].rpartition("/")[2] in DOCUMENTS[plane]["components"]["schemas"]


def test_every_parameter_has_bounds_or_a_meaning():
    for found in DOCUMENTS.values():
        for each in found["components"]["parameters"].values():
            assert each["description"]
            assert each["schema"]["type"] in {"string", "integer"}


def test_every_type_says_what_it_is():
    for plane, found in DOCUMENTS.items():
        bare = [name for name, schema in found["components"]["schemas"].items() if not schema.get("description")]
        assert not bare, plane


@every_plane
def test_links_lead_to_operations(plane):
    known = {operation_id(row) for row in TABLES[plane]}
    links = [
        link
        for verbs in DOCUMENTS[plane]["paths"].values()
        for found in verbs.values()
        for answer in found["responses"].values()
        for link in answer.get("links", {}).values()
    ]
    assert {link["operationId"] for link in links} <= known


def queries_read():
    """Return the names that the source asks a request's query for: `query.get("…")`, with constants resolved."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        tree = ast.parse(path.read_text())
        named = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
        }
        for node in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if ast.unparse(node.func).endswith("query.get"):
                given = node.args[0]
                found.add(given.value if isinstance(given, ast.Constant) else named[given.id])
    return found


def test_every_parameter_that_is_read_is_documented_and_no_other():
    said = {each.name for plane, row in ROWS for each in PLANES[plane][0].parameters(row)}
    # A request id may stand in the query of a sign-in, as clients send it; it changes nothing but the record.
    assert said == queries_read() - {"client-request-id"}


def test_the_form_of_a_token_request_has_the_fields_that_are_read():
    read = set()
    for name in ("form.py", "token.py"):
        for node in ast.walk(ast.parse((SOURCE / "identity" / name).read_text())):
            if isinstance(node, ast.Call) and re.fullmatch(r"(form|parameters)\.get", ast.unparse(node.func)):
                read |= {each.value for each in node.args[:1] if isinstance(each, ast.Constant)}
    said = {
        field.encode_name
        for kind in (identity.TokenForm, identity.FirstTokenForm)
        for field in msgspec.structs.fields(kind)
    }
    assert said == read
