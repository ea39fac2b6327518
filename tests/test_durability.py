import pytest

from strongroom.durability import sync, write_new


def test_a_new_file_is_its_owners_and_whole(tmp_path):
    write_new(tmp_path / "new", "ä\n")
    assert (tmp_path / "new").read_text(encoding="utf-8") == "ä\n"
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


def test_what_is_there_is_not_written_over(tmp_path):
    (tmp_path / "old").write_text("old")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "old", "new")
    assert (tmp_path / "old").read_text() == "old"


def test_files_and_folders_are_made_durable_and_what_is_not_there_is_told(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr("os.fsync", synced.append)
    write_new(tmp_path / "new", "new")
    sync(tmp_path / "new")
    sync(tmp_path)
    assert len(synced) == 4  # the file and its folder, then each again
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "none")
