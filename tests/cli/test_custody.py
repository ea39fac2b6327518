"""Where the master key comes from, as an operator meets it: a passphrase, a credential, what is refused in one line."""

from pathlib import Path

import pytest

from strongroom.cli import custody
from strongroom.custody import passphrase

WORDS = "four words and one more"
FILE = ("--master-key-passphrase-file", "words")


@pytest.fixture(autouse=True)
def cheap(monkeypatch):
    monkeypatch.setattr(passphrase, "MEMORY_KIB", 8192)
    monkeypatch.setattr(passphrase, "ITERATIONS", 1)


def private(name, text):
    path = Path(name)
    path.write_text(text)
    path.chmod(0o600)
    return path


@pytest.fixture
def words():
    return private("words", WORDS + "\n")


@pytest.fixture
def asked(monkeypatch):
    """A person at a terminal, who gives these answers."""
    answers = []
    monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda _: True})())
    monkeypatch.setattr(custody.click, "prompt", lambda *_args, **_kwargs: answers.pop(0))
    return answers


@pytest.fixture
def under_words(serving, done, words):
    done("serve", "--dev", "--port", "0", *FILE)


def test_data_begin_under_a_passphrase_and_every_command_opens_them(under_words, done):
    assert not Path(".strongroom/data-key").exists()
    assert [row["displayName"] for row in done("app", "list", "--json", *FILE)] == ["bootstrap"]
    done("serve", "--dev", "--port", "0", *FILE)
    (begun,) = [done("logs", "--json", "--operation", "Strongroom.MasterKey/begin", *FILE)]
    assert begun["properties"]["kind"] == "passphrase"


def test_a_wrong_passphrase_stops_the_start_in_one_line(under_words, strongroom, words):
    words.write_text("four other words and more")
    code, out, err = strongroom("serve", "--dev", "--port", "0", *FILE)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "the passphrase in" in err
    assert "is wrong" in err


def test_without_a_terminal_nobody_is_asked(under_words, strongroom):
    code, _, err = strongroom("app", "list")
    assert code == 1
    assert "there is no terminal to ask for it" in err


def test_a_person_is_asked_twice_at_first_and_once_later(serving, done, strongroom, asked):
    asked += [WORDS, WORDS]
    done("serve", "--port", "0", "--master-key-passphrase-file", "ask")
    asked.append(WORDS)
    done("app", "list")
    assert asked == []
    asked.append("not these words at all")
    assert "is wrong" in strongroom("app", "list")[2]


def test_two_answers_that_differ_begin_nothing(serving, strongroom, asked):
    asked += [WORDS, WORDS + "."]
    code, _, err = strongroom("serve", "--port", "0", "--master-key-passphrase-file", "ask")
    assert code == 1
    assert "differ" in err
    assert not Path(".strongroom/data/strongroom.db").exists()


@pytest.mark.parametrize("text", ["short", "aaaaaaaaaaaaaaaaaaaaaa"])
def test_a_weak_passphrase_begins_nothing(serving, strongroom, words, text):
    words.write_text(text)
    code, _, err = strongroom("serve", "--port", "0", *FILE)
    assert code == 1
    assert "a passphrase has" in err
    assert not Path(".strongroom/data/strongroom.db").exists()


def test_a_passphrase_that_others_can_read_is_refused(serving, strongroom, words):
    words.chmod(0o644)
    code, _, err = strongroom("serve", "--port", "0", *FILE)
    assert code == 1
    assert "can be opened by others" in err


def test_a_passphrase_in_the_data_directory_is_refused(serving, strongroom):
    code, _, err = strongroom("serve", "--master-key-passphrase-file", ".strongroom/data/words")
    assert code == 2
    assert "must not lie in the data directory" in err


def test_data_under_a_key_in_a_file_want_no_passphrase(data, done, words):
    assert "bootstrap" in done("app", "list", *FILE)


def test_a_backup_and_the_passphrase_are_enough(under_words, done, strongroom, words, tmp_path):
    Path("backups").mkdir()  # apart from the passphrase: the backup sees to that
    done("backup", "backups/archive", *FILE)
    elsewhere = private("copy", WORDS)
    done("restore", "backups/archive", "--data-dir", "other/data", "--master-key-passphrase-file", elsewhere)
    flags = ("--data-dir", "other/data", "--master-key-passphrase-file", elsewhere)
    assert "bootstrap" in done("app", "list", *flags)
    elsewhere.write_text("four other words and more")
    code, _, err = strongroom("restore", "backups/archive", "--verify-only", "--master-key-passphrase-file", elsewhere)
    assert code == 1
    assert "is wrong" in err


def test_a_credential_cannot_be_replaced_where_it_lies(data, strongroom, done, monkeypatch):
    """The operator names a file, and makes what it holds the credential; until then a start says where it is."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(Path(".strongroom/data-key").absolute()))
    code, _, err = strongroom("rotate", "master-key")
    assert code == 1
    assert "--new-file" in err
    assert "before the next start: set --master-key-file" in done_quietly(
        strongroom, "rotate", "master-key", "--new-file", "new.key"
    )
    code, _, err = strongroom("serve", "--dev", "--port", "0")
    assert code == 1
    assert str(Path("new.key").absolute()) in err
    assert "bootstrap" in done("app", "list", "--master-key-file", "new.key")


def done_quietly(strongroom, *arguments):
    code, out, _ = strongroom(*arguments)
    assert code == 0
    return out


@pytest.mark.parametrize(
    "arguments",
    [
        ("master-key", "--to", "passphrase", "--new-file", "f"),
        ("master-key", "--to", "file", "--new-passphrase-file", "f"),
        ("master-key", "--new-file", "f", "--new-passphrase-file", "f"),
        ("vault",),
        ("vault", "dev", "--all"),
        ("signing-key", "--overlap", "soon"),
    ],
)
def test_what_does_not_go_together_is_asked_wrongly(strongroom, arguments):
    assert strongroom("rotate", *arguments)[0] == 2


def test_a_vault_that_there_is_not(data, strongroom):
    code, _, err = strongroom("rotate", "vault", "none")
    assert code == 1
    assert "there is no vault 'none'" in err


@pytest.mark.parametrize("what", [("vault", "--all"), ("master-key",)])
def test_one_rotation_runs_at_a_time(data, strongroom, what):
    with custody.rotation_lock(Path(".strongroom/data")) as is_ours:
        assert is_ours
        code, _, err = strongroom("rotate", *what)
    assert code == 1
    assert "another rotation is under way" in err


def test_a_master_key_is_not_written_into_the_data(data, strongroom):
    code, _, err = strongroom("rotate", "master-key", "--new-file", ".strongroom/data/k")
    assert code == 1
    assert "must not lie in the data directory" in err


def test_a_new_passphrase_that_is_weak_changes_nothing(under_words, strongroom, done):
    private("weak", "short")
    assert "a passphrase has" in strongroom("rotate", "master-key", "--new-passphrase-file", "weak", *FILE)[2]
    assert "bootstrap" in done("app", "list", *FILE)


def test_a_typed_passphrase_is_replaced_by_a_typed_one(serving, strongroom, done, asked):
    asked += [WORDS, WORDS]
    done("serve", "--port", "0", "--master-key-passphrase-file", "ask")
    asked += [WORDS, "another five words drawn by lot", "another five words drawn by lot"]
    assert "asks for the new passphrase" in done_quietly(strongroom, "rotate", "master-key")
    asked.append(WORDS)
    assert "is wrong" in strongroom("app", "list")[2]
    asked.append("another five words drawn by lot")
    assert "bootstrap" in done("app", "list")
    assert asked == []
