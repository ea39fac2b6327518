"""What a test needs and a machine may not have."""

import os

import pytest


def missing(what):
    """Skip the test that needs what is not there, and say what that is; fail it where CI is set."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} (CI is set: nothing is left out)")
    pytest.skip(what)
