"""The short form of `scripts/soak kills`, and that its oracle notices what it is there to notice."""

import sqlite3
from contextlib import closing

import pytest

from lives import Act
from soak.journal import Entry
from soak.kills import Run
from soak.oracle import compare

pytestmark = pytest.mark.xdist_group("kills")

KILLS, IN_FLIGHT, SEED = 10, 7, 4


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that is over: its server, its journal, its report."""
    played = Run(tmp_path_factory.mktemp("kills"), SEED, print)
    played.play(KILLS)
    return played


def test_nothing_is_lost_by_kills_under_load(run):
    report = run.report
    assert report.wrong == [], report.words()
    assert report.kills.total() == KILLS
    assert report.is_enough(IN_FLIGHT), report.words()
    assert report.answers > report.writes > 0
    done = {entry.act.kind for entry in run.journal.entries if entry.kind == "keys" and entry.status == 200}
    assert {"create", "import", "rotate", "sign"} <= done, report.words()


OLDER_KEY = """(SELECT max(seq) FROM versions JOIN objects USING (vault_id, kind, name)
    WHERE kind = 'keys' AND version != latest)"""
SABOTAGE = {
    "a version that was acknowledged is lost": (
        "strongroom.db",
        ("DELETE FROM versions WHERE seq = (SELECT max(seq) FROM versions JOIN objects USING (vault_id, kind, name)"
        " WHERE version = latest)"),
        "an object whose newest version is not there",
    ),
    "an older version is lost": (
        "strongroom.db",
        ("DELETE FROM versions WHERE seq = (SELECT max(seq) FROM versions JOIN objects USING (vault_id, kind, name)"
        " WHERE version != latest)"),
        "should be",
    ),
    "a deletion is lost": (
        "strongroom.db",
        "DELETE FROM objects WHERE name = (SELECT max(name) FROM objects WHERE deleted IS NOT NULL)",
        "a version of no object",
    ),
    "a key is lost": ("strongroom.db", ("DELETE FROM data_keys WHERE scope = (SELECT max(vault_id) FROM vaults"
        " WHERE name != 'dev')"), "a vault without its key"),
    "a version of a key is lost": (
        "strongroom.db",
        f"DELETE FROM versions WHERE seq = {OLDER_KEY}",
        "versions and has",
    ),
    "what is private of a key lies with another": (
        "strongroom.db",
        (f"UPDATE versions SET sealed = (SELECT sealed FROM versions WHERE kind = 'keys' AND seq != {OLDER_KEY})"
        f" WHERE seq = {OLDER_KEY}"),
        "does not sign",
    ),
    "a policy outlives its key": (
        "strongroom.db",
        ("INSERT INTO rotation_policies (vault_id, name, due, document, mac)"
        " SELECT vault_id, 'purged', NULL, x'', x'' FROM vaults WHERE name = 'dev'"),
        "a rotation policy of no key: purged",
    ),
    "a record of a new key is lost": (
        "audit.db",
        "DELETE FROM records WHERE seq = (SELECT max(seq) FROM records WHERE CAST(body AS TEXT) LIKE '%KeyRotate%')",
        "its records: []",
    ),
    "a record is lost": (
        "audit.db",
        "DELETE FROM records WHERE seq = (SELECT max(seq) FROM records WHERE CAST(body AS TEXT) LIKE '%SecretSet%')",
        "its records: []",
    ),
    "a record is there twice": (
        "audit.db",
        ("INSERT INTO records (seq, id, time, body, link, rows)"
        " SELECT newest + 1, randomblob(16), time, body, link, rows"
        " FROM records, (SELECT max(seq) AS newest FROM records) WHERE CAST(body AS TEXT) LIKE '%SecretGet%'"
        " ORDER BY seq DESC LIMIT 1"),
        "its records: [(",
    ),
    "a record was changed": (
        "audit.db",
        ("UPDATE records SET time = time + 1 WHERE seq ="
        " (SELECT min(seq) FROM records WHERE seq >= (SELECT max(seq) / 2 FROM records))"),
        "the chain of records is not whole",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("file", "statement", "told"), SABOTAGE.values(), ids=SABOTAGE)
def test_the_oracle_notices(run, file, statement, told):
    path = run.server.data_dir / file
    whole = {each: each.read_bytes() for each in run.server.data_dir.glob("*.db")}  # who looks may mark what is newest
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(statement).rowcount == 1
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    try:
        wrong, _ = compare(run.server, run.journal)
        assert any(told in text for text in wrong), wrong
    finally:
        for each, content in whole.items():
            each.write_bytes(content)


def test_the_oracle_notices_a_public_part_that_was_told_and_is_not_kept(run):
    created = [entry for entry in run.journal.entries if entry.act.kind == "create" and entry.status == 200]
    made = next(entry for entry in created if entry.name.endswith("-kept"))
    other = next(each.key for each in run.journal.entries if each.key and each.key["kid"] != made.key["kid"])
    kept, made.key = made.key, other | {"kid": made.key["kid"]}
    try:
        wrong, _ = compare(run.server, run.journal)
        assert any("was told to have" in text for text in wrong), wrong
    finally:
        made.key = kept


def test_the_oracle_notices_a_record_without_its_change(run):
    recorded = next(entry.ident for entry in run.journal.entries if entry.act.kind == "get" and entry.status)
    act = Act("set", value="v", mark="m")
    run.journal.entries.append(Entry(recorded, "secrets", "never-written", act, sent=0.0, ended=1.0))
    try:
        wrong, _ = compare(run.server, run.journal)
        assert any("never-written should be" in text for text in wrong), wrong
    finally:
        run.journal.entries.pop()
