import os

import pytest

from strongroom.custody.files import (
    MasterKeyExposed,
    MasterKeyMissing,
    discard,
    is_credential,
    is_exposed,
    promote,
    read_private,
    set_aside,
    stage,
    staged,
    write_private,
)


def status(mode, uid=0, gid=0):
    return os.stat_result((0o100000 | mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("found", "is_credential", "exposed"),
    [
        (status(0o600), False, False),
        (status(0o400, uid=1000, gid=1000), False, False),
        (status(0o440), False, True),
        (status(0o440), True, False),  # as systemd makes it for a service with a user of its own
        (status(0o400, uid=1000), True, False),
        (status(0o440, uid=1000), True, True),
        (status(0o440, gid=1000), True, True),
        (status(0o460), True, True),
        (status(0o444), True, True),
        (status(0o441), True, True),
        (status(0o604), False, True),
    ],
)
def test_who_else_may_open_it(found, is_credential, exposed):
    assert is_exposed(found, is_credential=is_credential) is exposed


def test_where_credentials_are(tmp_path):
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert is_credential(tmp_path / "master.key", environ)
    assert not is_credential(tmp_path.parent / "master.key", environ)
    assert not is_credential(tmp_path / "master.key", {})
    assert not is_credential(tmp_path / "master.key", {"CREDENTIALS_DIRECTORY": ""})


def test_what_is_written_is_its_owner_s_alone_and_nothing_is_overwritten(tmp_path):
    path = tmp_path / "own" / "key"
    write_private(path, "text")
    assert read_private(path, "key") == "text"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        write_private(path, "other")


def test_what_others_may_read_is_refused_and_what_is_missing_is_told(tmp_path):
    path = tmp_path / "key"
    with pytest.raises(MasterKeyMissing, match="is missing"):
        read_private(path, "key")
    write_private(path, "text")
    path.chmod(0o640)
    with pytest.raises(MasterKeyExposed, match="chmod 600"):
        read_private(path, "key")


def test_a_staged_file_takes_over_or_goes(tmp_path):
    path = tmp_path / "key"
    write_private(path, "old")
    stage(path, "given up")
    stage(path, "new")
    assert (path.read_text(), staged(path).read_text()) == ("old", "new")
    kept = set_aside(path, "key.old", stays=True)
    assert (path.read_text(), kept.read_text()) == ("old", "old")
    promote(path)
    assert (path.read_text(), kept.read_text()) == ("new", "old")
    stage(path, "never")
    discard(path)
    discard(path)
    assert path.read_text() == "new"
    assert not staged(path).exists()
    assert not set_aside(path, "key.now", stays=False).samefile(kept)
    assert not path.exists()
