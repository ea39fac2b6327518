from dataclasses import replace

import pytest

from strongroom.custody.files import staged, write_private
from strongroom.custody.master import (
    Description,
    MasterKey,
    MasterKeyExposed,
    MasterKeyMissing,
    MasterKeySource,
    encode_key,
    load_master_key,
    make_master_key,
    new_master_key,
    open_master_key,
    settle,
)
from strongroom.custody.passphrase import Derivation, derive
from strongroom.custody.sealing import MasterKeyWrong
from strongroom.sensitive import Sensitive
from vault_doubles import NOON


@pytest.fixture
def path(tmp_path):
    return tmp_path / "own" / "master.key"


def test_a_key_made_is_the_key_loaded_and_only_its_owner_may_read_it(path):
    made = make_master_key(path)
    assert load_master_key(path, nobody).key.reveal() == made.key.reveal()
    assert len(made.key.reveal()) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_key_is_never_overwritten(path):
    made = make_master_key(path)
    with pytest.raises(FileExistsError):
        make_master_key(path)
    assert load_master_key(path, nobody).key.reveal() == made.key.reveal()


def test_no_key(path):
    with pytest.raises(MasterKeyMissing, match=r"master\.key"):
        load_master_key(path, nobody)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_may_open_is_refused(path, mode):
    make_master_key(path)
    path.chmod(mode)
    with pytest.raises(MasterKeyExposed, match="chmod 600"):
        load_master_key(path, nobody)


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
        load_master_key(path, nobody)


def test_a_folder_in_its_place_is_refused(path):
    path.mkdir(parents=True)
    with pytest.raises(MasterKeyWrong):
        load_master_key(path, nobody)


# --- one that an HSM wrapped


def wrap(key):
    return key.reveal()[::-1].hex()


def unwrap(text):
    return Sensitive(bytes.fromhex(text)[::-1])


def gone(_text):
    raise MasterKeyWrong("the HSM is gone")


def test_a_wrapped_key_is_opened_by_who_wrapped_it_and_checked(path):
    made = make_master_key(path, wrap)
    assert load_master_key(path, unwrap).key.reveal() == made.key.reveal()
    path.write_text(path.read_text().replace(made.master_id, new_master_key().master_id))
    with pytest.raises(MasterKeyWrong, match="is not the master key that it names"):
        load_master_key(path, unwrap)


@pytest.mark.parametrize("after", [False, True], ids=["before the change", "after the change"])
@pytest.mark.parametrize("into", [True, False], ids=["into the HSM", "out of it"])
def test_a_rotation_that_was_killed_does_not_need_an_hsm_for_the_key_that_does_not_count(tmp_path, into, after):
    old, new = (new_master_key(None if clear else wrap) for clear in (into, not into))
    source = replace(a_source(tmp_path), unwrap=gone)
    write_private(source.file, encode_key(old))
    write_private(staged(source.file), encode_key(new))
    counts = new if after else old
    if counts.kind == "hsm":
        with pytest.raises(MasterKeyWrong, match="the HSM is gone"):
            open_master_key(source, described(counts))
        source = replace(source, unwrap=unwrap)
    assert open_master_key(source, described(counts)).master_id == counts.master_id
    settle(source, described(counts))
    assert source.file.read_text() == encode_key(counts)
    assert not staged(source.file).exists()


# --- where it is, and what a rotation left behind

OLD, NEW = new_master_key(), new_master_key()
WHAT = {"old": encode_key(OLD), "new": encode_key(NEW), "nothing": None}


def nobody(_prompt):
    raise AssertionError("nobody is to be asked")


def a_source(folder, **named):
    return MasterKeySource(
        file=folder / "master.key", passphrase_file=named.get("passphrase"), ask=nobody, unwrap=nobody
    )


def described(key, **more):
    return Description(master_id=key.master_id, since=NOON, **more)


def lay(path, text):
    if text is not None:
        write_private(path, text)


@pytest.mark.parametrize("lie_under", [OLD, NEW], ids=["before", "after"])
@pytest.mark.parametrize("waiting", WHAT)
@pytest.mark.parametrize("kept", WHAT)
def test_the_key_that_the_data_name_is_found_wherever_a_rotation_left_it(tmp_path, kept, waiting, lie_under):
    source = a_source(tmp_path)
    lay(source.file, WHAT[kept])
    lay(staged(source.file), WHAT[waiting])
    there = encode_key(lie_under) in (WHAT[kept], WHAT[waiting])
    if not there:
        with pytest.raises((MasterKeyWrong, MasterKeyMissing)):
            open_master_key(source, described(lie_under))
        return
    assert open_master_key(source, described(lie_under)).master_id == lie_under.master_id
    settle(source, described(lie_under))
    assert not staged(source.file).exists()
    assert open_master_key(source, described(lie_under)).master_id == lie_under.master_id


def test_data_that_say_nothing_have_their_key_in_its_file_and_what_waits_beside_it_never_counted(tmp_path):
    source = a_source(tmp_path)
    lay(source.file, WHAT["old"])
    lay(staged(source.file), WHAT["new"])
    assert open_master_key(source, None).master_id == OLD.master_id
    settle(source, None)
    assert not staged(source.file).exists()


def test_a_key_of_other_data_is_told_with_where_the_right_one_was_written(tmp_path):
    source = a_source(tmp_path)
    lay(source.file, WHAT["old"])
    with pytest.raises(MasterKeyWrong, match=r"under the key \w{8} since 2026-11-23.*wrote it to /elsewhere/key"):
        open_master_key(source, described(NEW, place="/elsewhere/key"))


def test_a_passphrase_is_read_or_asked_for_and_a_wrong_one_is_told(tmp_path):
    derivation = Derivation(salt=bytes(16), memory_kib=8192, iterations=1, lanes=1)
    key = MasterKey(derive(Sensitive("the right words here"), derivation), derivation)
    description = described(key, derivation=derivation)
    path = tmp_path / "passphrase"
    write_private(path, "the right words here\n")
    assert open_master_key(a_source(tmp_path, passphrase=path), description).derivation == derivation
    asked = replace(a_source(tmp_path), ask=lambda _: Sensitive("the right words here"))
    assert open_master_key(asked, description).master_id == key.master_id
    path.write_text("the wrong words here")
    with pytest.raises(MasterKeyWrong, match=r"passphrase in .* is wrong"):
        open_master_key(a_source(tmp_path, passphrase=path), description)
    path.write_text("\n")
    with pytest.raises(MasterKeyWrong, match="no passphrase"):
        open_master_key(a_source(tmp_path, passphrase=path), description)
