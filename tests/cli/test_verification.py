import json
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from strongroom.storage.connection import AUDIT_FILE, MAIN_FILE

COUNT = "SELECT count(*) FROM records"


@pytest.fixture
def sql(data, home):
    def run(statement, file=AUDIT_FILE):
        with closing(sqlite3.connect(home / ".strongroom/data" / file, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()

    return run


@pytest.fixture
def several(done, data):
    for number in range(4):
        done("app", "create", f"app-{number}")


def test_records_that_hold_are_told_with_what_holds_them(strongroom, several):
    code, out, err = strongroom("logs", "verify")
    assert (code, err) == (0, "")
    *facts, verdict = out.splitlines()
    assert verdict == "6 records, each as it was written"
    told = dict(line.split(maxsplit=1) for line in facts)
    assert told["first"] == "1"
    assert told["last"] == told["markedAsNewest"]
    assert told["prunedUpTo"] == told["linkedWithoutKeyUpTo"] == told["onTheirWay"] == "0"
    assert told["lastTime"].endswith(" UTC")


def test_damaged_journals_are_told_beside_records_that_hold(strongroom, several, home):
    folder = home / ".strongroom/data/journals"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / f"{'a' * 32}.damaged").touch(mode=0o600)
    code, out, _ = strongroom("logs", "verify")
    assert code == 0
    assert out.splitlines()[-2].startswith("beside them, records of answered requests may be missing")
    assert json.loads(strongroom("logs", "verify", "--json")[1])["damagedJournals"] == 1


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ("DELETE FROM records WHERE seq = 3", "record 3 was removed, after "),
        ("DELETE FROM records WHERE seq IN (3, 4)", "records 3 to 4 were removed, after "),
        ("DELETE FROM records WHERE seq = 1", "record 1 was removed, at the beginning, before "),
        (
            "UPDATE records SET body = CAST(replace(body, 'Success', 'Failed ') AS BLOB) WHERE seq = 3",
            "record 3 was changed; it reads Microsoft.Directory/applications/create of ",
        ),
        ("UPDATE records SET body = 'text' WHERE seq = 3", "record 3 was changed; it reads (unreadable) of "),
        ("UPDATE records SET rows = x'90' WHERE seq = 3", "record 3 was changed; "),
        ("UPDATE records SET link = 1 WHERE seq = 3", "record 3 was changed; "),
        ("UPDATE records SET time = 'now' WHERE seq = 3", "record 3 was changed; "),
        ("UPDATE records SET seq = 77 WHERE seq = 3", "records were reordered: as record 3 stands "),
        ("DELETE FROM records WHERE seq > 3", "the newest were cut off: records 4 to 6 or more are missing, after "),
        ("DELETE FROM records", "the newest were cut off: records 1 to 6 or more are missing, at the beginning"),
    ],
)
def test_the_first_record_that_is_not_as_it_was_written_is_named(strongroom, several, sql, edit, told):
    assert sql(COUNT) == [(6,)]
    sql(edit)
    code, out, err = strongroom("logs", "verify")
    assert code == 1
    assert err.startswith(f"strongroom: the records are not as they were written: {told}")
    assert "last" in out


def test_what_was_cut_off_is_missed_though_more_was_written_since(strongroom, done, several, sql):
    sql("DELETE FROM records WHERE seq > 4")
    for number in range(5):
        done_, _, _ = strongroom("app", "create", f"later-{number}")
        assert done_ == 0
    code, _, err = strongroom("logs", "verify")
    assert code == 1
    assert "the newest were cut off and others written since: as record 6 stands " in err


@pytest.mark.parametrize("edit", ["DELETE FROM marks", "UPDATE marks SET sequence = 0"])
def test_a_mark_that_was_edited_is_told(strongroom, several, sql, edit):
    sql(edit, MAIN_FILE)
    code, _, err = strongroom("logs", "verify")
    assert code == 1
    assert "mark" in err
    told = subprocess.run(
        [sys.executable, "-m", "strongroom.cli.main", "logs", "verify", "--json"], check=False, capture_output=True
    )
    assert told.returncode == 1
    assert json.loads(told.stdout)["ok"] is False
    assert "mark" in json.loads(told.stdout)["failure"]


def test_a_program_gets_json(done, several):
    told = done("logs", "verify", "--json")
    assert told["first"] == 1
    assert told["last"] == told["markedAsNewest"] == 6
    assert told["ok"] is True


def test_a_program_gets_the_failure_in_json_too(strongroom, several, sql):
    sql("DELETE FROM records WHERE seq IN (3, 4)")
    code, out, err = strongroom("logs", "verify", "--json")
    assert code == 1
    told = json.loads(out)
    assert (told["ok"], told["tampering"], told["firstBroken"]) == (False, "removed", 3)
    assert told["failure"].startswith("records 3 to 4 were removed, after ")
    assert told["failure"] in err


def test_options_of_one_are_not_taken_for_those_of_the_other(strongroom, data):
    code, _, err = strongroom("logs", "--json", "verify")
    assert code == 2
    assert "give --json after 'verify'" in err


def test_records_that_were_tampered_with_are_shown_as_far_as_they_go(strongroom, several, sql):
    sql("UPDATE records SET body = x'ff' WHERE seq = 2")
    sql("UPDATE records SET body = CAST('[]' AS BLOB) WHERE seq = 3")
    sql("UPDATE records SET body = 1, time = 'x' WHERE seq = 4")
    code, out, _ = strongroom("logs")
    assert code == 0
    assert out.count("(unreadable)") == 3
    assert len(out.splitlines()) == 6
