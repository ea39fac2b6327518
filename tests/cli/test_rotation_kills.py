"""Whatever step of a rotation is the last: a key on the disk opens the data, and all of them are there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# How many steps each rotation has at least, so that none is left out unnoticed.
STEPS = {
    "file to file": 20,
    "file to passphrase": 16,
    "file to another file": 14,
    "passphrase to file": 20,
    "passphrase to passphrase": 20,
    "vault": 20,
    "signing key": 8,
}


@pytest.mark.parametrize("scenario", STEPS)
def test_a_rotation_may_be_killed_at_any_step(scenario, tmp_path):
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    played = subprocess.run(
        [sys.executable, HERE / "rotation_kills.py", scenario, tmp_path],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert played.returncode == 0, played.stdout[-4000:] + played.stderr[-2000:]
    killed = re.search(r"^killed (\d+)$", played.stdout, re.MULTILINE)
    assert int(killed.group(1)) >= STEPS[scenario]
