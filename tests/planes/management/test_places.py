"""Where a request happens: the resource ids that path parameters name."""

import pytest

from strongroom.planes.management.places import OBJECT, OBJECT_SCOPES, SCOPES, scope_of

NAMED = {
    "subscription": "s",
    "group": "g",
    "vault": "v",
    "secret": "o",
    "key": "o",
    "certificate": "o",
    "collection": "keys",
    "object": "o",
    "network": "n",
    "subnet": "b",
}


@pytest.mark.parametrize("path", [*SCOPES, *OBJECT_SCOPES, OBJECT])
def test_a_scope_is_the_path_that_names_it(path):
    named = {name: value for name, value in NAMED.items() if f"{{{name}}}" in path}
    assert scope_of(named) == path.format_map(named)


def test_what_names_no_subscription_has_no_scope():
    assert scope_of({"namespace": "Microsoft.KeyVault"}) == ""
