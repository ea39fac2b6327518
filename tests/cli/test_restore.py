import json
import shutil
import stat
from pathlib import Path

import pytest

from strongroom.cli import restore
from strongroom.custody import passphrase as derivations
from strongroom.custody.master import load_master_key
from strongroom.custody.sealing import master_key_id
from strongroom.storage import restoration
from strongroom.storage.connection import AUDIT_FILE

KEY = ".strongroom/data-key/master.key"
NOT_HELD = "an archive does not hold them\n"


@pytest.fixture
def archive(data, done):
    """An archive of a rehearsal server, and its master key at KEY."""
    done("backup", "archive")
    return "archive"


def key_id(path):
    """Return how commands call the master key in a file."""
    return master_key_id(load_master_key(Path(path), str).key)[:8]


def contents(place):
    return {path.name: path.read_bytes() for path in Path(place).iterdir() if path.is_file()}


def test_it_tells_what_was_restored_and_the_next_command(archive, done):
    told = done("restore", archive, "--data-dir", "new", "--master-key-file", KEY)
    new = Path.cwd() / "new"
    assert told.startswith(f"{new} is restored and checked\ntaken 20")
    assert "1 vault, 0 secrets, 0 versions, 1 application, 2 records" in told
    assert f"start it: strongroom serve --data-dir {new} --master-key-file {Path.cwd() / KEY}\n" in told
    assert told.endswith("add the options that the old server had (port, listen, certificate): " + NOT_HELD)
    assert stat.S_IMODE(new.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in new.iterdir()} == {
        "strongroom.db": 0o600,
        "audit.db": 0o600,
        "server.lock": 0o600,
        "strongroom.db.lock": 0o600,
        "audit.db.lock": 0o600,
    }


def test_in_the_usual_places_the_next_command_is_short(archive, done):
    shutil.rmtree(".strongroom/data")
    assert "\nstart it: strongroom serve\nadd the options" in done("restore", archive)


def test_the_next_command_serves_the_domain_that_clients_trust(archive, done):
    done("serve", "--port", "0", "--domain", "keys.example.test")
    done("backup", "second")
    place = ("--master-key-file", KEY)
    told = done("restore", "second", "--data-dir", "new", *place)
    assert f"--master-key-file {Path.cwd() / KEY} --domain keys.example.test\n" in told
    assert "\nit has served the domains localhost, keys.example.test, each with a CA of its own" in told
    done("serve", "--port", "0", "--data-dir", "new", *place, "--domain", "keys.example.test")
    ca = "trust/keys.example.test/ca.pem"
    assert (Path("new") / ca).read_bytes() == (Path(".strongroom/data") / ca).read_bytes()


def test_the_server_is_the_same_and_its_records_say_what_happened(archive, data, done, serving):
    place = ("--data-dir", "new", "--master-key-file", KEY)
    done("restore", archive, *place)
    lines = done("logs", *place, "-n", "100")
    assert lines.splitlines()[-1].split()[2] == "Strongroom.Installation/restore"
    done("serve", "--dev", "--port", "0", *place, "--connection-file", "second.json")
    second = json.loads(Path("second.json").read_text())
    assert {key: second[key] for key in ("tenantId", "subscriptionId", "clientId", "clientSecret")} == {
        key: data[key] for key in ("tenantId", "subscriptionId", "clientId", "clientSecret")
    }
    assert (
        Path("new/trust/localhost/ca.pem").read_bytes() == Path(".strongroom/data/trust/localhost/ca.pem").read_bytes()
    )


def test_a_backup_of_what_was_restored_is_restored_again(archive, done):
    done("restore", archive, "--data-dir", "new", "--master-key-file", KEY)
    done("backup", "second", "--data-dir", "new", "--master-key-file", KEY)
    told = done("restore", "second", "--data-dir", "third", "--master-key-file", KEY)
    assert "3 records" in told  # with that of the restore


@pytest.mark.parametrize("arguments", [("--data-dir", "new"), ("--verify-only", "--data-dir", "new")])
def test_a_missing_master_key_is_told_and_nothing_is_made(archive, strongroom, arguments):
    code, out, err = strongroom("restore", archive, *arguments)
    assert (code, out) == (1, "")
    missing = Path.cwd() / "new-key/master.key"
    assert f"the master key {missing} is missing; put the one that archive was made under there" in err
    assert f"(master key {key_id(KEY)})" in err
    assert not Path("new").exists()
    assert not Path("new-key").exists()


def test_another_master_key_is_told_and_nothing_is_made(archive, serving, strongroom, done):
    done("serve", "--port", "0", "--data-dir", "other")
    code, _, err = strongroom("restore", archive, "--data-dir", "new", "--master-key-file", "other-key/master.key")
    assert code == 1
    assert (
        "archive: the archive was made under another master key than the one at hand: it needs "
        f"{key_id(KEY)}, at hand is {key_id('other-key/master.key')}"
    ) in err
    assert not Path("new").exists()


def test_a_directory_with_something_in_it_is_left_alone(archive, strongroom):
    before = contents(".strongroom/data")
    code, _, err = strongroom("restore", archive)
    assert code == 1
    assert "is not empty (audit.db, audit.db.lock, strongroom.db, …); restore into a new or an empty directory" in err
    assert contents(".strongroom/data") == before


def test_a_running_server_is_told(archive, running, strongroom):
    def meanwhile():
        code, _, err = strongroom("restore", archive, "--data-dir", "second")
        assert code == 1
        assert "runs on" in err

    running("--data-dir", "second", meanwhile=meanwhile)


def test_a_start_during_a_restore_says_so(archive, strongroom, monkeypatch):
    told = []
    real = restore._record

    def meanwhile(*arguments):
        told.append(strongroom("serve", "--port", "0", "--data-dir", "new", "--master-key-file", KEY))
        told.append(strongroom("restore", archive, "--data-dir", "new", "--master-key-file", KEY))
        real(*arguments)

    monkeypatch.setattr(restore, "_record", meanwhile)
    code, _, _ = strongroom("restore", archive, "--data-dir", "new", "--master-key-file", KEY)
    assert code == 0
    for code, _, err in told:
        assert code == 1
        assert "is being restored" in err


@pytest.mark.parametrize("length", [0, 3, 50, 130, 5000, -1])
def test_an_archive_that_was_cut_is_refused_and_nothing_is_left(archive, strongroom, length):
    Path("cut").write_bytes(Path(archive).read_bytes()[:length])
    code, out, err = strongroom("restore", "cut", "--data-dir", "new", "--master-key-file", KEY)
    assert (code, out) == (1, "")
    assert err.startswith("strongroom: cut: ")
    assert "nothing in it is to be trusted" in err
    assert not Path("new").exists()


def test_what_is_no_archive_is_refused(archive, strongroom):
    for path, why in (("connection.json", "this is no archive"), ("none", "cannot be read"), (".", "cannot be read")):
        code, _, err = strongroom("restore", path, "--data-dir", "new", "--master-key-file", KEY)
        assert code == 1
        assert why in err
    assert not Path("new").exists()


def test_an_empty_directory_that_was_there_stays_there(archive, strongroom, done):
    Path("new").mkdir(mode=0o755)
    Path("cut").write_bytes(Path(archive).read_bytes()[:-1])
    strongroom("restore", "cut", "--data-dir", "new", "--master-key-file", KEY)
    assert contents("new") == {}
    done("restore", archive, "--data-dir", "new", "--master-key-file", KEY)
    assert stat.S_IMODE(Path("new").stat().st_mode) == 0o700


def test_damage_is_restored_only_when_it_is_accepted(data, strongroom, sql):
    sql("UPDATE facts SET mac = zeroblob(32) WHERE name = 'ca.localhost'")
    code, _, _ = strongroom("backup", "archive", "--accept-damage")
    assert code == 0
    place = ("--data-dir", "new", "--master-key-file", KEY)
    code, _, err = strongroom("restore", "archive", *place)
    assert code == 1
    assert "was not restored, since what is in it is damaged: facts ca.localhost" in err
    assert not Path("new").exists()
    code, out, err = strongroom("restore", "archive", *place, "--accept-damage")
    assert code == 0
    assert "is restored and checked" in out
    assert err == "damaged: facts ca.localhost: a row of facts is not as it was written\n"


def test_too_little_room_is_told_before_anything_is_made(archive, strongroom, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(100, 93, 7))
    code, _, err = strongroom("restore", archive, "--data-dir", "new", "--master-key-file", KEY)
    assert code == 1
    assert "has room for 7 bytes" in err
    assert not Path("new").exists()


def test_a_parent_that_cannot_be_made_is_told(archive, strongroom):
    code, _, err = strongroom("restore", archive, "--data-dir", "archive/new", "--master-key-file", KEY)
    assert code == 1
    assert "could not be restored: Not a directory" in err


def test_a_check_restores_nothing(archive, done):
    told = done("restore", archive, "--verify-only", "--master-key-file", KEY, "--data-dir", "new")
    assert told.startswith("archive: whole, every row and every sealed value as it was written\ntaken ")
    assert not Path("new").exists()


@pytest.mark.parametrize("arguments", [("--data-dir", "new"), ("--verify-only", "--data-dir", "new")])
def test_an_archive_of_a_newer_version_is_not_called_damaged(archive, strongroom, monkeypatch, arguments):
    monkeypatch.setattr(restoration, "HEADS", {AUDIT_FILE: "0001"})
    code, out, err = strongroom("restore", archive, *arguments, "--master-key-file", KEY)
    assert (code, out) == (1, "")
    assert "newer than this version of Strongroom knows (0001)" in err
    assert not Path("new").exists()


# --- other master keys


@pytest.fixture
def passphrase():
    """A passphrase in a file, in a folder of its own."""
    path = Path("secret/passphrase")
    path.parent.mkdir(mode=0o700)
    path.write_text("a passphrase that is long enough")
    path.chmod(0o600)
    return path


def test_an_archive_that_asks_for_too_costly_a_key_is_refused(serving, done, strongroom, passphrase, monkeypatch):
    under = ("--master-key-passphrase-file", passphrase)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(derivations, "ITERATIONS", 9)
        elsewhere.setattr(derivations, "MOST_ITERATIONS", 9)
        done("serve", "--port", "0", *under)
        done("backup", "archive", *under)
    for command in (["restore", "archive", "--verify-only"], ["serve", "--port", "0"]):
        code, out, err = strongroom(*command, *under)
        assert (code, out) == (1, "")
        assert "9 passes" in err
        assert "Strongroom did not write that" in err


def test_an_archive_under_a_passphrase_opens_with_it_anywhere(serving, done, strongroom, passphrase):
    under = ("--master-key-passphrase-file", passphrase)
    done("serve", "--dev", "--port", "0", *under)
    assert "its passphrase, elsewhere" in done("backup", "archive", *under)
    shutil.rmtree(".strongroom")  # what a passphrase is derived with is in the archive
    told = done("restore", "archive", "--data-dir", "new", *under)
    assert f"serve --data-dir {Path.cwd() / 'new'} --master-key-passphrase-file {passphrase.resolve()}\n" in told
    done("serve", "--dev", "--port", "0", "--data-dir", "new", *under)
    passphrase.write_text("another passphrase of some length")
    code, _, err = strongroom("restore", "archive", "--verify-only", *under)
    assert code == 1
    assert f"the passphrase in {passphrase.resolve()} is wrong" in err
    passphrase.unlink()
    code, _, err = strongroom("restore", "archive", "--data-dir", "third", *under)
    assert code == 1
    assert f"the passphrase {passphrase.resolve()} is missing; put the one that archive was made under there" in err
    assert not Path("third").exists()


def test_a_backup_does_not_lie_beside_its_passphrase(serving, done, strongroom, passphrase):
    under = ("--master-key-passphrase-file", passphrase)
    done("serve", "--port", "0", *under)
    code, _, err = strongroom("backup", passphrase.with_name("archive"), *under)
    assert code == 1
    assert "lies beside what opens it, passphrase" in err


def test_an_archive_opens_with_the_master_key_of_its_time(archive, done, strongroom):
    shutil.copy(KEY, "old.key")
    code, _, err = strongroom("rotate", "master-key")
    assert code == 0, err
    assert f"keep the master key {key_id(KEY)}, or its passphrase, elsewhere" in done("backup", "second")
    for path, key, other in ((archive, "old.key", KEY), ("second", KEY, "old.key")):
        told = done("restore", path, "--verify-only", "--master-key-file", key)
        assert "whole" in told
        assert f"made under the master key {key_id(key)}, which is at hand" in told
        code, _, err = strongroom("restore", path, "--verify-only", "--master-key-file", other)
        assert code == 1
        assert "under another master key than the one at hand" in err
    done("restore", archive, "--data-dir", "new", "--master-key-file", "old.key")
    done("doctor", "--data-dir", "new", "--master-key-file", "old.key", "--port", "0")


def test_what_rotations_left_is_sound_in_backup_and_restore(data, done, strongroom):
    for words in (("master-key",), ("vault", "--all"), ("signing-key",)):
        code, _, err = strongroom("rotate", *words)
        assert code == 0, err
    done("backup", "archive")
    done("restore", "archive", "--data-dir", "new", "--master-key-file", KEY)
    for place in ((), ("--data-dir", "new", "--master-key-file", KEY)):
        assert "problem" not in done("doctor", "--port", "0", *place)
