import json

import pytest


@pytest.mark.parametrize("plane", ["data", "management", "identity", "graph"])
def test_a_document_is_printed_for_the_server_of_the_settings(done, plane):
    document = json.loads(done("openapi", plane, "--domain", "vault.example.test", "--port", "443"))
    assert document["servers"][0]["url"].endswith(".vault.example.test")
    assert document["openapi"] == "3.1.0"


def test_the_data_plane_is_the_one_that_is_meant(done):
    assert done("openapi") == done("openapi", "data")
    assert json.loads(done("openapi"))["servers"][0]["url"] == "https://{vault}.vault.localhost:8443"


def test_a_plane_that_there_is_not_is_told(strongroom):
    code, _, err = strongroom("openapi", "portal")
    assert code == 2
    assert "'portal' is not one of 'data', 'management', 'identity', 'graph'" in err
