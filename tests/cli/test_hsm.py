"""The HSM on the command line: what it can do, what is missing, who may try its PIN."""

import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hsm_doubles import SoftHsm, module
from strongroom.cli.failure import CommandFailed
from strongroom.cli.token import find_token, read_pin, try_token
from strongroom.cli.workers import keepers_of
from strongroom.custody.files import MasterKeyExposed
from strongroom.settings import load_settings


@pytest.fixture
def softhsm(tmp_path, monkeypatch):
    softhsm = SoftHsm(tmp_path / "hsm")
    monkeypatch.setenv("SOFTHSM2_CONF", str(softhsm.configuration))
    return softhsm


@pytest.fixture(autouse=True)
def quiet():
    """Log lines go to standard error where a command is a process of its own."""
    with capture_logs():
        yield


@pytest.fixture
def flags(softhsm):
    return ["--hsm-module", module(), "--hsm-token", softhsm.label, "--hsm-pin-file", softhsm.pin_file]


@pytest.fixture
def settings(softhsm):
    return load_settings(
        {"hsm-module": str(module()), "hsm-token": softhsm.label, "hsm-pin-file": str(softhsm.pin_file)}, {}
    )


def test_without_data_there_are_abilities_and_no_keys(done, flags, softhsm):
    found = done("hsm", "check", "--json", *flags)
    assert (found["token"], found["manufacturer"]) == (softhsm.label, "SoftHSM project")
    assert found["algorithms"]["ES256"]
    assert not found["algorithms"]["HS256"]
    assert found["wrappedKeys"] == {"RSA-HSM": True, "EC-HSM": True}
    assert "referred" not in found
    shown = done("hsm", "check", "--remove-orphans", *flags)
    assert "EC-HSM that comes wrapped   yes" in shown
    assert "no data to compare" in shown


def test_beside_data_without_keys_there_are_none(serving, done, flags):
    done("serve", "--port", "0")
    found = done("hsm", "check", "--json", *flags)
    assert (found["referred"], found["missing"], found["orphans"], found["ofOthers"]) == (0, [], [], 0)
    assert done("hsm", "check", "--json", "--remove-orphans", *flags)["removed"] == 0
    assert "0 keys are referred to" in done("hsm", "check", *flags)


def test_a_token_that_is_away_is_told_in_one_line(strongroom, flags, softhsm):
    softhsm.take_away()
    code, out, err = strongroom("hsm", "check", *flags)
    assert (code, out) == (1, "")
    assert "The HSM cannot be reached now" in err


def test_without_an_hsm_there_is_nothing_to_check(strongroom):
    assert strongroom("hsm", "check")[::2] == (
        1,
        "strongroom: no HSM is configured: --hsm-module, --hsm-token and --hsm-pin-file name one\n",
    )


def test_the_library_is_loaded_for_an_hsm_alone(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    monkeypatch.delitem(sys.modules, "strongroom.custody.token", raising=False)
    assert find_token(load_settings({}, {})) is None
    with pytest.raises(CommandFailed, match=r"python-pkcs11, which is not installed; run: .*requirements/hsm\.txt"):
        find_token(settings)


def test_a_start_that_knows_no_hsm_does_not_load_what_speaks_to_one():
    asked = "import strongroom.cli.workers, sys; sys.exit('pkcs11' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


def test_with_an_hsm_it_keeps_what_is_asked_of_one(settings):
    from doubles import a_custodian

    keepers = keepers_of(settings, a_custodian())
    assert (keepers.software.platform, keepers.hsm.platform) == ("0", "pkcs11")
    stood_in = keepers_of(load_settings({"software-hsm": "true"}, {}), a_custodian())
    assert stood_in.hsm is stood_in.software
    assert keepers_of(load_settings({}, {}), a_custodian()).hsm is None


def test_a_pin_is_the_file_s_without_the_end_of_its_line_and_nobody_else_s(settings, softhsm):
    softhsm.pin_file.write_text(" 12 34 \r\n")
    assert read_pin(settings).reveal() == " 12 34 "
    softhsm.pin_file.chmod(0o640)
    with pytest.raises(MasterKeyExposed, match=r"the PIN of the HSM at .* can be opened by others"):
        read_pin(settings)


def test_a_right_pin_and_a_token_that_is_away_stop_no_start(settings, softhsm):
    try_token(find_token(settings), settings)
    softhsm.take_away()
    try_token(find_token(settings), settings)


def test_a_wrong_pin_stops_the_start(settings, softhsm):
    softhsm.pin_file.write_text("wrong")
    token = find_token(settings)
    with pytest.raises(CommandFailed, match=f"the HSM refuses the PIN in {softhsm.pin_file}; it was tried once") as why:
        try_token(token, settings)
    assert token.is_pin_refused
    unit = (Path(__file__).parents[2] / "deploy" / "strongroom.service").read_text()
    assert f"RestartPreventExitStatus={why.value.exit_code}\n" in unit, "each restart would try it again"


def test_the_parent_has_not_touched_the_module(settings):
    token = find_token(settings)
    try_token(token, settings)
    assert token._module is None
