"""By which way role assignments are found."""

from dataclasses import replace

import pytest

from storage_doubles import NOON, adding
from strongroom.access.authorization.model import RoleAssignment
from strongroom.access.identity.model import PrincipalType
from strongroom.storage import grants


def an_assignment(number, scope):
    return RoleAssignment(
        assignment_id=f"a{number}",
        scope=scope,
        role_id="r",
        principal_id=f"p{number}",
        principal_type=PrincipalType.USER,
        created=NOON,
    )


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize(("few", "found_by"), [(3, "INDEX assignments_at (scope"), (2, "(assignment_id>?)")])
async def test_assignments_around_a_scope_are_found_by_it_or_met_among_their_ids(
    storage, monkeypatch, below, few, found_by
):
    """Of the same answer: which way is shorter depends on how many there are."""
    monkeypatch.setattr(grants, "FEW", few)
    given = [an_assignment(number, "/a") for number in range(3)]
    every = (*given, replace(given[0], assignment_id="a0a", scope="/ab"))
    await storage.change(adding(*[lambda stores, each=each: stores.assignments.add(each) for each in every]))
    statements = []
    stores = storage.read()
    storage._reader._connection.set_trace_callback(statements.append)
    assert await stores.assignments.list_around("/a", below=below, after="a0", limit=1) == (given[1],)
    storage._reader._connection.set_trace_callback(None)
    plans = [row[3] for row in storage._reader.rows(f"EXPLAIN QUERY PLAN {statements[-1]}")]
    assert [plan for plan in plans if found_by in plan], plans
