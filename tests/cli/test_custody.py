"""Where the master key comes from, as an operator meets it: a passphrase, a credential, what is refused in one line."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from strongroom.cli import custody, succeeding
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
    assert [row["displayName"] for row in done("app", "list", "--json", *FILE)] == ["bootstrap"]
    with structlog.testing.capture_logs() as lines:
        done("serve", "--dev", "--port", "0", *FILE)
    assert "the data lie under a key in a file: the passphrase is not used" in [line["event"] for line in lines]


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


def key_id(strongroom):
    """Return how the master key is called that the newest rotation led to."""
    (*_, newest) = done_quietly(strongroom, "logs", "--json", "--operation", "Strongroom.MasterKey/rotate").splitlines()
    return json.loads(newest)["properties"]["masterKeyId"][:8]


def test_a_rotation_says_where_both_keys_lie(data, done):
    """Nothing else stands between: no line of the log."""
    old = Path(".strongroom/data-key/master.key").read_text()
    first, new, kept, start = done("rotate", "master-key").splitlines()
    place = Path(".strongroom/data-key/master.key").absolute()
    before = first.rpartition(" ")[2]
    assert first.startswith("the data lie under the master key ")
    assert new.startswith(f"the new key lies in {place}: copy it at once")
    assert kept.startswith(f"the old key lies in {place}.{before}: backups made before open with nothing else")
    assert Path(f"{place}.{before}").read_text() == old != place.read_text()
    assert start == "the next start needs nothing new"


@pytest.mark.parametrize("what", [("vault", "dev"), ("signing-key",)], ids=" ".join)
def test_other_rotations_say_that_there_is_nothing_to_copy(data, strongroom, what):
    assert done_quietly(strongroom, "rotate", *what).endswith("in every backup from now on: nothing to copy\n")


def test_a_new_passphrase_is_written_where_the_old_one_lay_and_that_is_said(under_words, done, words):
    private("next", "another five words drawn by lot")
    told = done("rotate", "master-key", "--new-passphrase-file", "next", *FILE).splitlines()
    before = told[0].rpartition(" ")[2]
    assert told[1].startswith(f"the new passphrase lies, in clear, in {words.absolute()}: copy it at once")
    assert told[2] == f"{Path('next').absolute()} was only read and is needed no more: remove it"
    assert told[3].startswith(f"the old passphrase lies, in clear, in {words.absolute()}.{before}: backups")
    assert told[4] == "the next start needs nothing new"
    assert words.read_text() == "another five words drawn by lot\n"
    assert Path(f"words.{before}").read_text() == WORDS + "\n"


def test_a_passphrase_that_gives_way_to_a_file_is_renamed_and_that_is_said(under_words, done, words):
    told = done("rotate", "master-key", "--to", "file", *FILE).splitlines()
    before = told[0].rpartition(" ")[2]
    lay = words.absolute()
    assert told[2].startswith(f"the old passphrase lies, in clear, in {lay}.{before} (renamed from {lay})")
    assert told[3].endswith("--master-key-passphrase-file is not used any more, drop it")
    assert not words.exists()
    assert "bootstrap" in done("app", "list")


def test_a_passphrase_where_the_options_look_for_it_needs_no_advice(data, done, words):
    told = done("rotate", "master-key", "--new-passphrase-file", "words", *FILE).splitlines()
    assert told[1].startswith(f"the new passphrase lies, in clear, in {words.absolute()}: copy")
    assert told[-1] == "the next start needs nothing new"
    assert "bootstrap" in done("app", "list", *FILE)


def test_a_typed_passphrase_does_not_overwrite_another_file(data, strongroom, asked, words):
    asked += ["another five words drawn by lot"] * 2
    code, _, err = strongroom("rotate", "master-key", "--to", "passphrase", *FILE)
    assert code == 1
    assert "words is there already and would be overwritten" in err
    assert words.read_text() == WORDS + "\n"


@pytest.mark.parametrize("named", ["words", "same"])
def test_the_old_passphrase_is_no_new_one(under_words, strongroom, done, named):
    private("same", WORDS)
    code, out, err = strongroom("rotate", "master-key", "--new-passphrase-file", named, *FILE)
    assert (code, out) == (1, "")
    assert "the new passphrase is the old one" in err
    assert sorted(path.name for path in Path().glob("words*")) == ["words"]
    assert "bootstrap" in done("app", "list", *FILE)


def test_a_new_file_needs_a_folder_and_a_name_of_its_own(data, strongroom):
    code, _, err = strongroom("rotate", "master-key", "--new-file", "none/k")
    assert code == 1
    assert f"there is no folder {Path('none').absolute()}" in err
    assert not Path("none").exists()
    private("k", "something")
    code, _, err = strongroom("rotate", "master-key", "--new-file", "k")
    assert code == 1
    assert "k is there already, and a new key overwrites nothing: give another name" in err
    assert Path("k").read_text() == "something"


def stop(monkeypatch, *, after):
    """Let a person press Ctrl-C just before or just after the one change that decides."""
    change = succeeding._change

    async def stopped(*arguments):
        if after:
            await change(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(succeeding, "_change", stopped)


def test_a_rotation_that_is_stopped_before_it_changed_anything_says_so(data, strongroom, done, monkeypatch):
    key = Path(".strongroom/data-key/master.key").read_text()
    with monkeypatch.context() as patch:
        stop(patch, after=False)
        code, out, err = strongroom("rotate", "master-key")
    assert (code, out, err.count("\n")) == (130, "", 1)
    assert "stopped before anything changed: the data lie under the master key" in err
    assert "run the same command again" in err
    assert Path(".strongroom/data-key/master.key").read_text() == key
    assert not Path(".strongroom/data-key/master.key.next").exists()
    assert "bootstrap" in done("app", "list")
    done("rotate", "master-key")


def test_a_rotation_that_is_stopped_after_the_change_says_under_what_the_data_lie(data, strongroom, done, monkeypatch):
    old = Path(".strongroom/data-key/master.key").read_text()
    with monkeypatch.context() as patch:
        stop(patch, after=True)
        code, out, err = strongroom("rotate", "master-key")
    assert (code, out, err.count("\n")) == (130, "", 1)
    place = Path(".strongroom/data-key/master.key").absolute()
    assert f"the data lie under {key_id(strongroom)} now, which lies in {place}: copy it at once; a running" in err
    assert "do not rotate again" in err
    assert "bootstrap" in done("app", "list")
    assert [path.read_text() == old for path in sorted(place.parent.iterdir())] == [False, True]


def test_a_rotation_to_another_file_that_is_stopped_says_what_the_next_start_needs(data, strongroom, done, monkeypatch):
    with monkeypatch.context() as patch:
        stop(patch, after=True)
        err = strongroom("rotate", "master-key", "--new-file", "k")[2]
    assert f"lies in {Path('k').absolute()}: copy it at once, and let the options name it before the next start" in err
    assert "bootstrap" in done("app", "list", "--master-key-file", "k")


def test_a_server_that_does_not_follow_is_told_with_where_the_new_key_lies(data, strongroom, done, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(succeeding, "running_pid", lambda _: os.getpid())
        patch.setattr(succeeding, "FOLLOW_SECONDS", 0)
        code, out, err = strongroom("rotate", "master-key")
        again = strongroom("rotate", "master-key")
    place = Path(".strongroom/data-key/master.key").absolute()
    assert (code, out) == (1, "")
    assert "has not taken over the master key within 0 seconds" in err
    assert f"which lies in {place}: copy it at once" in err
    assert again[0] == 1
    assert "an earlier rotation left it, no new one was begun" in again[2]
    done("rotate", "master-key")


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


def at_terminal(*arguments):
    """Run a command line in a process that has a terminal of its own; gives the process, and our end of the terminal.

    Ctrl-C that is written to the one ends reaches the other as SIGINT, as from a keyboard.
    """
    ours, theirs = pty.openpty()
    command = ["setsid", "--ctty", sys.executable, "-m", "strongroom.cli.main", *arguments]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    return process, ours


def read_until(process, terminal, words):
    """Read what a process says until it has said these words, and waits for the answer.

    Python forgets a signal that comes between its last look and the call that waits, until another one comes.
    """
    said = b""
    while words not in said:
        said += os.read(terminal, 4096)
    while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
        os.sched_yield()
    return said


@pytest.mark.parametrize(
    "arguments",
    [
        ("app", "list"),
        ("app", "create", "pay"),
        ("backup", "archive"),
        ("rotate", "master-key"),
        ("rotate", "vault", "dev"),
    ],
    ids=" ".join,
)
def test_the_first_ctrl_c_ends_a_command_that_asks_for_the_passphrase(under_words, arguments):
    process, terminal = at_terminal(*arguments)
    read_until(process, terminal, b"Passphrase of the master key")
    os.write(terminal, b"\x03")
    assert process.wait(30) == 130
    os.close(terminal)


def test_the_first_ctrl_c_ends_a_rotation_that_asks_for_the_new_passphrase(under_words, done):
    process, terminal = at_terminal("rotate", "master-key", *FILE)
    read_until(process, terminal, b"New passphrase of the master key")
    os.write(terminal, b"\x03")
    assert process.wait(30) == 130
    os.close(terminal)
    assert "bootstrap" in done("app", "list", *FILE)
