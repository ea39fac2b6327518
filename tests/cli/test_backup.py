import errno
import os
import stat
from pathlib import Path

import pytest

from storage_doubles import a_record
from strongroom.cli import backup


@pytest.fixture
def archive(data, done):
    done("backup", "archive")
    return Path("archive")


def test_a_backup_is_one_private_file_and_says_what_is_in_it(data, done):
    told = done("backup", "archive")
    size = Path("archive").stat().st_size
    assert told.splitlines()[0] == f"{Path.cwd() / 'archive'}: {size:,} bytes, read back and checked"
    assert "1 vault, 0 secrets, 0 versions, 1 application, 2 records" in told
    assert ", or its passphrase, elsewhere: the archive opens with nothing else" in told
    assert stat.S_IMODE(Path("archive").stat().st_mode) == 0o600
    assert not Path("archive.partial").exists()


def test_a_backup_is_recorded_with_who_made_it_and_what_it_is(data, done, records):
    told = done("backup", "archive")
    (record,) = [each for each in records() if each["operationName"] == "Strongroom.Installation/backup"]
    properties = record["properties"]
    assert properties["archive"] == str(Path.cwd() / "archive")
    assert f"sha256 {properties['sha256']}" in told
    assert properties["bytes"] == Path("archive").stat().st_size
    assert properties["counts"]["vaults"] == 1
    assert properties["actor"] == "operator"
    assert properties["localUser"]


class Coming:
    """Stands in for records: tells what is on its way each time that it is asked, and the last of it from then on."""

    def __init__(self, *each_time):
        self._each_time = [[a_record(number) for number in numbers] for numbers in each_time]
        self._known = {record.began: record for records in self._each_time for record in records}
        self.asked = 0

    def pending(self):
        records = self._each_time[min(self.asked, len(self._each_time) - 1)]
        self.asked += 1
        return tuple(self._known[record.began] for record in records)


def test_what_was_on_its_way_is_waited_for_and_nothing_newer(capsys):
    coming = Coming((1, 2), (1, 2, 3), (2, 3), (3, 4), (5,))
    backup._reach_the_log(coming)
    assert coming.asked == 4
    assert capsys.readouterr().err == ""


def test_what_does_not_come_into_the_log_is_told(capsys, monkeypatch):
    monkeypatch.setattr(backup, "PATIENCE_SECONDS", 0.0)
    backup._reach_the_log(Coming((1, 2), (2, 3)))
    assert capsys.readouterr().err.startswith("records of the last moments (1) are not in the log yet, and not in this")


def test_it_overwrites_nothing(archive, strongroom):
    before = archive.read_bytes()
    code, out, err = strongroom("backup", archive)
    assert (code, out) == (1, "")
    assert "is there already; a backup overwrites nothing" in err
    assert archive.read_bytes() == before


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("none/archive", "there is no folder"),
        (".strongroom/data/archive", "a backup there is lost with it"),
        (".strongroom/data/trust/archive", "a backup there is lost with it"),
        (".strongroom/data-key/archive", "lies beside what opens it, master.key"),
    ],
)
def test_a_place_where_it_must_not_lie_is_refused(data, strongroom, records, place, why):
    code, _, err = strongroom("backup", place)
    assert code == 1
    assert why in err
    assert err.count("\n") == 1
    assert not Path(place).exists()


def test_without_data_there_is_nothing_to_back_up(strongroom):
    code, _, err = strongroom("backup", "archive")
    assert code == 1
    assert "there is no data" in err
    assert not Path("archive").exists()


def test_a_folder_that_cannot_be_written_is_named(data, strongroom, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(backup.os, "open", refuse)
    with pytest.raises(backup.CommandFailed, match="cannot be written: Permission denied"), backup._scratch(Path("a")):
        pass


def test_a_disk_that_fills_up_leaves_nothing_behind(data, strongroom, monkeypatch, records):
    written = []

    def fill_up(handle, content):
        written.append(len(content))
        if sum(written) > 5000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(handle, content[:1000])

    real = os.write
    with monkeypatch.context() as full:
        full.setattr(backup.os, "write", fill_up)
        code, out, err = strongroom("backup", "archive")
    assert (code, out) == (1, "")
    assert "No space left on device; what there was of it was removed, and the server was not touched" in err
    assert not list(Path.cwd().glob("archive*"))
    assert "Strongroom.Installation/backup" not in [record["operationName"] for record in records()]


def test_without_its_record_there_is_no_backup(data, strongroom, monkeypatch):
    async def refuse(*_):
        raise backup.CommandFailed("not recorded")

    monkeypatch.setattr(backup, "_record", refuse)
    code, _, err = strongroom("backup", "archive")
    assert (code, err) == (1, "strongroom: not recorded\n")
    assert not list(Path.cwd().glob("archive*"))


def test_two_backups_of_one_name_do_not_meet(data, strongroom):
    with backup._scratch(Path("archive")):
        code, _, err = strongroom("backup", "archive")
    assert code == 1
    assert "another backup is writing" in err


def test_what_a_killed_one_left_is_written_over(data, done):
    Path("archive.partial").write_bytes(b"half" * 100_000)
    Path("archive.partial").chmod(0o644)
    done("backup", "archive")
    assert stat.S_IMODE(Path("archive").stat().st_mode) == 0o600
    done("restore", "archive", "--verify-only")


@pytest.mark.parametrize("make", [os.symlink, os.link, lambda _, place: os.mkfifo(place)])
def test_a_file_that_no_backup_left_is_not_taken_over(data, strongroom, make):
    Path("other").write_text("of another")
    make("other", "archive.partial")
    code, _, err = strongroom("backup", "archive")
    assert code == 1
    assert "archive.partial is no file that a backup left" in err
    assert Path("other").read_text() == "of another"
    assert not Path("archive").exists()


def test_a_file_of_somebody_else_is_not_taken_over(data, strongroom, monkeypatch):
    Path("archive.partial").write_text("of another")
    monkeypatch.setattr(backup.os, "geteuid", lambda: os.getuid() + 1)
    code, _, err = strongroom("backup", "archive")
    assert code == 1
    assert "is no file that a backup left" in err
    assert Path("archive.partial").read_text() == "of another"


def test_one_that_comes_at_the_last_moment_is_not_overwritten(data, strongroom, monkeypatch):
    def meanwhile(scratch, path, **_):
        path.write_text("of another")
        return link(scratch, path)

    link = os.link
    monkeypatch.setattr(backup.os, "link", meanwhile)
    code, _, err = strongroom("backup", "archive")
    assert code == 1
    assert "is there already" in err
    assert Path("archive").read_text() == "of another"
    assert not Path("archive.partial").exists()


def test_a_file_system_without_links_keeps_backups_too(data, done, strongroom, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(backup.os, "link", refuse)
    done("backup", "archive")
    done("restore", "archive", "--verify-only")
    assert not Path("archive.partial").exists()


def test_one_that_came_first_is_not_overwritten(data, strongroom, monkeypatch):
    def meanwhile(*arguments):
        Path("archive").write_text("of another")
        return check(*arguments)

    from strongroom.cli import archives

    check = archives.check_archive
    monkeypatch.setattr(archives, "check_archive", meanwhile)
    code, _, err = strongroom("backup", "archive")
    assert code == 1
    assert "is there already" in err
    assert Path("archive").read_text() == "of another"


def test_a_terminal_gets_no_archive(data, strongroom, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    code, out, err = strongroom("backup", "-")
    assert (code, out) == (1, "")
    assert "nothing for a terminal" in err


def test_damage_is_named_and_keeps_a_backup_from_being_trusted(data, strongroom, sql):
    sql("UPDATE vaults SET mac = zeroblob(32)")
    code, out, err = strongroom("backup", "archive")
    assert (code, out) == (1, "")
    assert "was not kept, since what is in it is damaged: vaults dev: a row of vaults is not as it was written" in err
    assert "--accept-damage" in err
    assert not list(Path.cwd().glob("archive*"))
    code, out, err = strongroom("backup", "archive", "--accept-damage")
    assert code == 0
    assert err == "damaged: vaults dev: a row of vaults is not as it was written\n"
    code, _, err = strongroom("restore", "archive", "--verify-only")
    assert code == 1
    assert "archive is whole and as it was written, but not sound" in err
    code, out, err = strongroom("restore", "archive", "--verify-only", "--accept-damage")
    assert code == 0
    assert "every sealed value as it was written" not in out
    assert err == "damaged: vaults dev: a row of vaults is not as it was written\n"


def test_files_that_cannot_be_read_are_told(data, strongroom):
    path = Path(".strongroom/data/audit.db")
    with path.open("r+b") as file:
        file.seek(2 * 4096)  # the first page of a table: the one before says where pages belong
        file.write(b"\xff" * 4096)
    code, _, err = strongroom("backup", "archive")
    assert code == 1
    assert "the data cannot be read" in err or "cannot be used" in err or "storage" in err
    assert err.count("\n") >= 1
    assert not list(Path.cwd().glob("archive*"))
