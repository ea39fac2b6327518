import pytest

from strongroom.custody.master import MasterKeyExposed, MasterKeyMissing, load_master_key, make_master_key
from strongroom.custody.sealing import MasterKeyWrong


@pytest.fixture
def path(tmp_path):
    return tmp_path / "own" / "master.key"


def test_a_key_made_is_the_key_loaded_and_only_its_owner_may_read_it(path):
    made = make_master_key(path)
    assert load_master_key(path).reveal() == made.reveal()
    assert len(made.reveal()) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_key_is_never_overwritten(path):
    made = make_master_key(path)
    with pytest.raises(FileExistsError):
        make_master_key(path)
    assert load_master_key(path).reveal() == made.reveal()


def test_no_key(path):
    with pytest.raises(MasterKeyMissing, match=r"master\.key"):
        load_master_key(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_may_open_is_refused(path, mode):
    make_master_key(path)
    path.chmod(mode)
    with pytest.raises(MasterKeyExposed, match="chmod 600"):
        load_master_key(path)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nonsense",
        b"strongroom-master-key-1:",
        b"strongroom-master-key-1:AAAA",
        b"\xff\xfe",
        b"strongroom-master-key-1:%%%",
        b"A" * 5000,
    ],
)
def test_a_file_that_holds_no_key_is_refused(path, text):
    path.parent.mkdir()
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(MasterKeyWrong):
        load_master_key(path)


def test_a_folder_in_its_place_is_refused(path):
    path.mkdir(parents=True)
    with pytest.raises(MasterKeyWrong):
        load_master_key(path)
