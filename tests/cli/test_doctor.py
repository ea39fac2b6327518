"""Each way in which an installation can be broken is broken here, and the doctor says which it is."""

import json
import os
import shutil
import socket
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from storage_doubles import a_record, put_late
from strongroom.audit.local import local_record
from strongroom.cli.checks import machine, place, serving
from strongroom.cli.data import on_data
from strongroom.clock import real_now
from strongroom.hosting import ca
from strongroom.objects.secrets.model import SecretEdit
from strongroom.objects.secrets.service import Secrets
from strongroom.sensitive import Sensitive
from strongroom.settings import load_settings

DATA = Path(".strongroom/data")
KEY = Path(".strongroom/data-key/master.key")
MAIN, AUDIT = DATA / "strongroom.db", DATA / "audit.db"


def set_secret(name, value="a value", **edit):
    """Set a secret of the rehearsal vault as a request would."""

    async def work(data):
        vault = await data.storage.read().vaults.find("dev")

        async def change(stores):
            secrets = Secrets(stores.secrets, stores.keyring, data.custodian, vault=vault, now=real_now())
            record = local_record("SecretSet", now=real_now(), properties={})
            return await secrets.set(name, Sensitive(value.encode()), SecretEdit(**edit)), record

        return await data.storage.change(change)

    return on_data(load_settings({}, {}), work)


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """This machine has room, names and descriptors, whatever it is."""
    monkeypatch.setattr(machine, "names_resolve", lambda _: True)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Where `installed` is kept once it was made: a copy of it takes no time."""
    return tmp_path_factory.mktemp("built") / "strongroom"


@pytest.fixture
def installed(request, home, built):
    """A data directory with a secret of two versions, and a backup."""
    if built.exists():
        shutil.copytree(built, home / ".strongroom")
        return DATA
    request.getfixturevalue("data")
    set_secret("one", "first")
    set_secret("one", "second")
    request.getfixturevalue("done")("backup", "archive")
    shutil.copytree(home / ".strongroom", built)
    return DATA


@pytest.fixture
def doctor(strongroom):
    """Run the doctor; gives its exit code and what it found that is not as it should be, as texts by check."""

    def run(*arguments):
        code, out, err = strongroom("doctor", "--port", "0", "--json", *arguments)
        assert err == ""
        found = {}
        for each in json.loads(out):
            if each["verdict"] != "ok":
                assert each["advice"]
                found.setdefault((each["verdict"], each["check"]), []).append(each["text"])
        assert code == int(any(verdict == "problem" for verdict, _ in found))
        return code, found

    return run


def state(folder):
    return {
        path: (path.lstat().st_mtime_ns, path.lstat().st_mode, path.read_bytes() if path.is_file() else None)
        for path in [folder, *folder.rglob("*")]
    }


def test_of_a_whole_installation_it_says_that_all_is_well_and_changes_nothing(installed, strongroom):
    before = state(Path(".strongroom"))
    code, out, err = strongroom("doctor", "--port", "0")
    assert (code, err) == (0, "")
    assert out.endswith("\nall is well\n")
    assert state(Path(".strongroom")) == before
    checks = [line[9:30].strip() for line in out.splitlines()[:-2]]
    assert checks == [
        "data directory",
        "journals",
        "files",
        "master key's place",
        "room",
        "master key",
        "keyring",
        "schema",
        "databases",
        "rows",
        "records",
        "history",
        "late records",
        "clock",
        "backup",
        "rehearsal clock",
        "private CA",
        "network rules",
        "private endpoints",
        "server",
        "libraries",
        "open files",
        "names",
    ]


def test_quickly_it_leaves_out_what_reads_everything(installed, strongroom, sql):
    sql("UPDATE versions SET sealed = zeroblob(50)")
    code, out, _ = strongroom("doctor", "--quick", "--port", "0")
    assert code == 0
    assert "rows                 not looked at (--quick)" in out


# --- place


def chmod(path, mode):
    return lambda: Path(path).chmod(mode)


def link(path):
    def make():
        elsewhere = Path("elsewhere")
        shutil.move(path, elsewhere)
        Path(path).symlink_to(elsewhere.resolve())

    return make


def key_into_the_data():
    shutil.move(KEY, DATA / "key")
    KEY.symlink_to((DATA / "key").resolve())


PLACES = {
    "an open directory": (chmod(DATA, 0o755), "data directory", "can be opened by others (0755)"),
    "an open database": (chmod(MAIN, 0o640), "files", "strongroom.db can be opened by others (0640)"),
    "open records": (chmod(AUDIT, 0o604), "files", "audit.db can be opened by others (0604)"),
    "a database that is a link": (link(MAIN), "files", "strongroom.db is a link to"),
    "an open key": (chmod(KEY, 0o644), "master key", "can be opened by others; run: chmod 600"),
    "a key in a folder that others write": (chmod(KEY.parent, 0o777), "master key's place", "others may replace files"),
    "a key among the data": (key_into_the_data, "master key's place", "leads into the data directory"),
    "no key": (KEY.unlink, "master key", "is missing"),
    "a key that is none": (lambda: KEY.write_text("nonsense"), "master key", "holds no master key"),
}


@pytest.mark.parametrize(("break_it", "check", "told"), PLACES.values(), ids=PLACES)
def test_a_wrong_place_is_told(installed, doctor, break_it, check, told):
    break_it()
    _, found = doctor()
    assert any(told in text for text in found["problem", check]), found


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file away takes root")
def test_another_s_files_are_told(installed, doctor):
    os.chown(AUDIT, 65534, 65534)
    os.chown(KEY, 65534, 65534)
    _, found = doctor()
    assert found == {
        ("problem", "files"): [f"{AUDIT.resolve()}: its owner is another than the data directory's"],
        ("warning", "master key's place"): [f"{KEY.resolve()}: its owner is another than the data directory's"],
    }


def test_a_journal_that_is_damaged_is_told_and_what_is_none(installed, doctor):
    folder = DATA / "journals"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / f"{'a' * 32}.damaged").touch(mode=0o600)
    (folder / ("b" * 32)).mkdir(mode=0o700)
    os.mkfifo(folder / ("c" * 32), mode=0o600)
    code, found = doctor()
    assert code == 0
    damaged, *foreign = found["warning", "journals"]
    assert f"{'a' * 32}.damaged ends with what is not as it was written" in damaged
    assert [text.split("/")[-1] for text in foreign] == [f"{name * 32} is no journal" for name in "bc"]


@pytest.fixture
def advice(strongroom):
    """Run the doctor; gives its advice by check."""

    def run(*arguments):
        _, out, _ = strongroom("doctor", "--port", "0", "--json", *arguments)
        return {each["check"]: each["advice"] for each in json.loads(out) if each["advice"]}

    return run


def test_the_advice_of_the_master_key_is_what_helps(installed, advice, serving, done, strongroom):
    KEY.chmod(0o644)
    assert advice()["master key"] == f"chmod 600 {KEY.resolve()}"
    KEY.chmod(0o600)
    done("serve", "--port", "0", "--data-dir", "other")
    assert advice("--master-key-file", "other-key/master.key")["keyring"].endswith("--master-key-file FILE")
    assert strongroom("rotate", "master-key", "--new-file", "new.key")[0] == 0
    assert "--master-key-file FILE" in advice()["master key"]
    KEY.unlink()
    assert advice()["master key"].startswith("put its copy back, or name it with --master-key-file")


def test_advice_can_be_pasted_whatever_a_place_is_called(installed, advice):
    spaced = Path("my data")
    shutil.move(DATA, spaced)
    shutil.move(KEY.parent, "my data-key")
    key = Path("my data-key/master.key")
    for path, mode in ((spaced, 0o755), (spaced / "audit.db", 0o644), (key, 0o644), (key.parent, 0o777)):
        path.chmod(mode)
    home = Path.cwd()
    found = advice("--data-dir", spaced)
    assert found["data directory"] == f"chmod 700 '{home}/my data'"
    assert found["files"] == f"chmod 600 '{home}/my data/audit.db'"
    assert found["master key"] == f"chmod 600 '{home}/my data-key/master.key'"
    assert found["master key's place"] == f"chmod 700 '{home}/my data-key'"


def test_idle_network_rules_and_forgotten_proposals_are_told(installed, done, doctor, monkeypatch):
    done("network", "propose", "--vault", "dev", "--allow", "203.0.113.0/24")
    done("network", "adopt", "--vault", "dev")
    idle = "the vault 'dev' has 1 rules that change nothing: its defaultAction is Allow"
    assert doctor()[1]["warning", "network rules"] == [idle]
    done("network", "propose", "--vault", "dev", "--default-action", "Deny")
    monkeypatch.setattr("strongroom.cli.checks.rules.FORGOTTEN", timedelta(0))
    old = "rules have been proposed for the vault 'dev' for 0 days"
    assert doctor()[1]["warning", "network rules"] == [idle, old]
    done("network", "adopt", "--vault", "dev")
    assert ("warning", "network rules") not in doctor()[1]
    ruled = "1 of 1 vaults are reached from where their rules say only"
    assert ruled in done("doctor", "--port", "0")
    shut = ("--default-action", "Allow", "--drop", "203.0.113.0/24", "--public-network-access", "Disabled")
    done("network", "propose", "--vault", "dev", *shut)
    done("network", "adopt", "--vault", "dev")
    assert ruled in done("doctor", "--port", "0")


def test_private_endpoints_that_lead_nowhere_are_told(installed, done, doctor):
    add = ("network", "endpoint", "add")
    for name, address in (("here", "127.0.0.1"), ("there", "127.0.0.77:8443"), ("away", "203.0.113.7")):
        done(*add, name, "--vault", "dev", "--address", address)
    told = {f"'{name}' leads nowhere: the server does not listen on {place}" for name, place in (
        ("there", "127.0.0.77:8443"), ("away", "203.0.113.7")
    )}  # fmt: skip
    assert set(doctor()[1]["warning", "private endpoints"]) == told
    everywhere = doctor("--listen", "0.0.0.0")[1]["warning", "private endpoints"]
    assert everywhere == ["'away' leads nowhere: the server does not listen on 203.0.113.7"]
    on_another_port = doctor("--listen", "0.0.0.0", "--port", "1")[1]["warning", "private endpoints"]
    assert len(on_another_port) == 2
    own_port = ("--listen", "127.0.0.1", "--listen", "127.0.0.77:8443")
    assert doctor(*own_port)[1]["warning", "private endpoints"] == everywhere


def test_a_server_that_was_killed_is_told(installed, doctor):
    (DATA / "server.json").write_text("{}")
    (DATA / "server.json").chmod(0o600)
    assert doctor() == (
        0,
        {("warning", "server"): ["the last one left its server.json: it did not stop properly, or was killed"]},
    )


def test_another_s_directory_is_told(installed, monkeypatch):
    monkeypatch.setattr(place.os, "geteuid", lambda: 12345)
    (first, *_) = place.check_place(load_settings({}, {}))
    assert first.text.endswith("belongs to another user")


@pytest.mark.parametrize(("free", "verdict"), [(63, "problem"), (65, "warning"), (255, "warning"), (257, None)])
def test_little_room_is_told(installed, doctor, monkeypatch, free, verdict):
    room = SimpleNamespace(f_bavail=free, f_blocks=100_000, f_frsize=1 << 20)
    monkeypatch.setattr(os, "statvfs", lambda _: room)
    _, found = doctor("--reserved-space", "64")
    assert [kind for kind, check in found if check == "room"] == ([verdict] if verdict else [])


def test_where_there_is_no_data_it_says_so(doctor, home):
    assert doctor()[1]["problem", "data directory"] == [f"there is none at {home / DATA}"]
    DATA.mkdir(parents=True, mode=0o700)
    assert doctor()[1]["problem", "data"] == [f"there is none in {home / DATA} yet"]


def test_a_directory_that_cannot_be_listed_is_told(installed, doctor, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied", str(DATA))

    monkeypatch.setattr(Path, "iterdir", refuse)
    assert doctor()[1]["problem", "data directory"] == [f"{DATA}: Permission denied"]


# --- keys and schema


def test_the_key_of_another_server_is_told_and_the_rest_is_still_looked_at(installed, doctor, serving, done):
    done("serve", "--port", "0", "--data-dir", "other")
    code, found = doctor("--master-key-file", "other-key/master.key")
    assert code == 1
    assert found["problem", "keyring"] == ["the master key is another data directory's: it opens no data key"]
    assert found["warning", "rows"] == ["not looked at, for want of the master key"]


def test_a_data_key_that_does_not_open_is_told(installed, doctor, sql):
    sql("UPDATE data_keys SET sealed = zeroblob(77) WHERE purpose = 'paging'")
    (told,) = doctor()[1]["problem", "keyring"]
    assert told.startswith("1 of ")


def test_a_keyring_that_is_gone_is_told(installed, doctor, sql):
    sql("DELETE FROM data_keys")
    assert doctor()[1]["problem", "keyring"] == ["there is no data key: the keyring is gone"]


def test_data_of_a_newer_version_is_told(installed, doctor, sql):
    sql("UPDATE alembic_version SET version_num = '9999'")
    assert "newer than this version of Strongroom knows" in doctor()[1]["problem", "data"][0]


def test_data_of_an_older_version_is_told(installed, doctor, sql):
    sql("UPDATE alembic_version SET version_num = '0001'")
    _, found = doctor()
    assert "older than this version: strongroom.db 0001" in found["warning", "schema"][0]


def test_missing_records_are_told(installed, doctor):
    AUDIT.unlink()
    assert "are missing: audit.db is not there" in doctor()[1]["problem", "data"][0]


def test_a_restore_that_was_broken_off_is_told(installed, doctor):
    (DATA / "restore.unfinished").touch(mode=0o600)
    assert "has not finished" in doctor()[1]["problem", "data"][0]


# --- content


def overwrite(path, page, content=b"\xff" * 4096):
    with path.open("r+b") as file:
        file.seek(4096 * page)
        file.write(content)


def test_a_database_that_is_none_is_told(installed, doctor):
    MAIN.write_bytes(b"this is no database " * 500)
    assert "file is not a database" in doctor()[1]["problem", "data"][0]


@pytest.mark.parametrize("path", [MAIN, AUDIT])
def test_a_damaged_page_is_told(installed, doctor, path):
    overwrite(path, path.stat().st_size // 4096 - 1)
    code, found = doctor()
    assert code == 1
    assert any(path.name in text or "malformed" in text for texts in found.values() for text in texts), found


def test_an_index_without_its_row_is_told(installed, doctor, sql):
    sql("PRAGMA writable_schema = ON")
    with closing(sqlite3.connect(MAIN, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'deleted, res', 'res') WHERE name = 'vaults_by_group'"
        )
    _, found = doctor()
    assert found["problem", "databases"]


EDITS = {
    "a policy": ("UPDATE vaults SET document = CAST(replace(document, '\"rbac\":false', '\"rbac\":true ') AS BLOB)",
                 "rows", "vaults dev: a row of vaults is not as it was written"),
    "an attribute": ("UPDATE versions SET document = CAST(replace(document, 'created', 'crested') AS BLOB)",
                     "rows", "a row of versions is not as it was written"),
    "a value": ("UPDATE versions SET sealed = CAST(substr(sealed, 1, 45) || x'00' || substr(sealed, 47) AS BLOB)",
                "rows", "a sealed value does not open in its place"),
    "a value under a key of nobody": ("UPDATE versions SET sealed = zeroblob(64)", "rows", "no valid header"),
    "an application": ("UPDATE applications SET mac = zeroblob(32)", "rows", "a row of applications is not as"),
    "a role": ("UPDATE assignments SET scope = '/'", "rows", "a row of assignments is not as it was written"),
    "the CA": ("UPDATE facts SET document = x'7b7d' WHERE name = 'ca.localhost'", "private CA", "a row of facts"),
    "the backup's fact": ("UPDATE facts SET mac = x'' WHERE name = 'backup.last'", "backup", "a row of facts is not"),
    "a vault's key": ("DELETE FROM data_keys WHERE purpose = 'vault'", "rows", "the keyring has no key for this vault"),
    "the key of rows": ("DELETE FROM data_keys WHERE purpose = 'rows'", "rows", "the keyring has no key for rows"),
    "text that is none": ("UPDATE vaults SET name = CAST(x'ff64' AS TEXT)", "rows", "a row of vaults is not as it was"),
    "a row that was taken away": ("DELETE FROM assignments", "history", "was taken away: no change removed it"),
    "a version that was taken away": ("DELETE FROM versions WHERE seq = 1", "history", "was taken away"),
    "a mark": ("UPDATE marks SET sequence = 1 WHERE name = 'newest'", "records", "a row of marks is not as it was"),
}  # fmt: skip


@pytest.mark.parametrize(("statement", "check", "told"), EDITS.values(), ids=EDITS)
def test_an_edit_behind_its_back_is_told(installed, doctor, sql, statement, check, told):
    sql(statement)
    _, found = doctor()
    assert any(told in text for text in found["problem", check]), found


RECORDS = {
    "changed": (
        "UPDATE records SET body = CAST(replace(body, 'Success', 'Failure') AS BLOB) WHERE seq = 3",
        "records 3:",
    ),
    "removed": ("DELETE FROM records WHERE seq = 3", "records 4:"),
    "cut off": ("DELETE FROM records WHERE seq > 3", "which was kept: its end was cut"),
    "all gone": ("DELETE FROM records", "which was kept: its end was cut"),
}


@pytest.mark.parametrize(("statement", "told"), RECORDS.values(), ids=RECORDS)
def test_records_that_were_tampered_with_are_told(installed, doctor, advice, sql, statement, told):
    sql(statement, file="audit.db")
    _, found = doctor()
    assert told in found["problem", "records"][0]
    assert advice()["records"].startswith("strongroom logs verify says which")


def test_a_row_that_was_set_back_to_an_older_state_of_itself_is_told(installed, doctor, sql):
    kept = sql("SELECT latest, document, mac FROM objects WHERE name = 'one'")[0]
    set_secret("one", "third")
    assert doctor() == (0, {})
    sql("UPDATE objects SET latest = ?, document = ?, mac = ? WHERE name = 'one'", kept)
    _, found = doctor()
    assert set(found) == {("problem", "history")}  # no other check can tell: it is authentic
    assert "edited, or set back to an older state of itself" in found["problem", "history"][0]


def test_much_of_a_kind_is_counted(installed, doctor, sql):
    sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30)"
        " INSERT INTO facts SELECT 'fact ' || i, x'', x'' FROM n")  # fmt: skip
    _, found = doctor()
    assert found["problem", "history"][-1] == "25 more like these"
    assert len(found["problem", "history"]) == 6


def test_records_that_do_not_reach_the_chain_are_told(installed, doctor):
    custodians = []

    async def take_custodian(data):
        custodians.append(data.custodian)

    on_data(load_settings({}, {}), take_custodian)
    put_late(Path(DATA), map(a_record, range(9)), custodians[0])
    assert doctor()[1] == {("warning", "late records"): ["9 records of changes are not in the chain yet"]}


def test_a_record_that_was_put_in_by_another_is_told_and_not_carried(installed, doctor, sql, done):
    sql('INSERT INTO outbox (id, time, body) VALUES (zeroblob(16), 0, CAST(\'{"operationName":"Forged"}\' AS BLOB))')
    for _ in range(2):
        _, found = doctor()
        assert found["problem", "rows"][0].endswith("a row of outbox is not as it was written")
        done("logs", "verify")
        assert sql("SELECT COUNT(*) FROM records WHERE body LIKE '%Forged%'", file="audit.db") == [(0,)]


# --- keeping


def test_a_clock_that_is_behind_is_told(installed, doctor, monkeypatch):
    monkeypatch.setattr("strongroom.clock.real_now", lambda: NOW - timedelta(days=1))
    _, found = doctor()
    assert "and the newest record is of" in found["problem", "clock"][0]


def test_a_newest_record_of_no_time_is_a_matter_of_the_chain(installed, doctor, sql):
    newest = "SELECT MAX(seq) FROM records"
    sql(f"UPDATE records SET time = {2**62} WHERE seq = ({newest})", file="audit.db")
    code, found = doctor()
    assert (code, list(found)) == (1, [("problem", "records")])


NOW = real_now()


def test_no_backup_and_an_old_one_are_told(data, doctor, done, monkeypatch):
    assert doctor()[1] == {("warning", "backup"): ["none was ever made"]}
    done("backup", "archive")
    assert doctor() == (0, {})
    monkeypatch.setattr("strongroom.clock.real_now", lambda: NOW + timedelta(days=8))
    assert " days ago: " in doctor()[1]["warning", "backup"][0]


def test_a_rehearsal_clock_is_told(installed, doctor, done):
    done("clock", "advance", "90d")
    assert doctor()[1] == {
        ("warning", "rehearsal clock"): ["vaults and secrets live 90 days, 0:00:00 ahead of real time"]
    }


@pytest.mark.parametrize(("left", "verdict"), [(timedelta(0), "problem"), (timedelta(days=89), "warning")])
def test_the_end_of_the_ca_is_told(installed, doctor, monkeypatch, done, left, verdict):
    monkeypatch.setattr("strongroom.clock.real_now", lambda: NOW + ca.CA_LIFETIME - left)
    _, found = doctor()
    assert "of localhost, until" in found[verdict, "private CA"][0]


def test_a_domain_without_a_ca_is_told(installed, doctor):
    assert doctor("--domain", "other.test")[1] == {("warning", "private CA"): ["there is none for other.test yet"]}


# --- machine and server


def test_old_libraries_are_told(installed, doctor, monkeypatch):
    monkeypatch.setattr(
        machine.metadata,
        "requires",
        lambda _: ["click>=99.1", "msgspec>=0.20", "no-such-thing>=1", "x", "not-wanted>=1; extra == 'hsm'"],
    )
    monkeypatch.setattr(machine.sqlite3, "sqlite_version_info", (3, 36, 0))
    (told,) = doctor()[1]["problem", "libraries"]
    assert "click is " in told
    assert "at least 99.1 is needed" in told
    assert "no-such-thing is not installed" in told
    assert "SQLite is" in told
    assert "not-wanted" not in told, "only an extra asks for it"


def test_few_descriptors_are_told(installed, doctor, monkeypatch):
    monkeypatch.setattr(machine.resource, "getrlimit", lambda _: (256, 1024))
    assert doctor()[1] == {("warning", "open files"): ["a process here may open 1,024"]}


@pytest.mark.parametrize(("flags", "expected"), [((), {}), (("--proxy-port", "off"), ("warning", "names"))])
def test_names_that_do_not_resolve_are_told_where_no_proxy_helps(installed, doctor, monkeypatch, flags, expected):
    monkeypatch.setattr(machine, "names_resolve", lambda _: False)
    _, found = doctor(*flags)
    assert set(found) == ({expected} if expected else set())


def test_a_port_that_is_taken_is_told(installed, strongroom):
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        code, out, _ = strongroom("doctor", "--quick", "--listen", "127.0.0.1", "--port", taken.getsockname()[1])
    assert code == 1
    assert "none runs, and none could start: 127.0.0.1:" in out


def test_a_server_that_does_not_answer_is_told(running, doctor, monkeypatch, installed):
    monkeypatch.setattr(serving, "PATIENCE_SECONDS", 0.2)
    seen = []
    running(meanwhile=lambda: seen.append(doctor("--quick")[1]))
    assert f"process {os.getpid()} does not answer at 127.0.0.1 port" in seen[0]["problem", "server"][0]


def test_a_server_that_does_not_say_where_it_is_is_told(running, doctor, installed):
    seen = []

    def meanwhile():
        (DATA / "server.json").unlink()
        seen.append(doctor("--quick")[1])

    running(meanwhile=meanwhile)
    assert seen[0]["problem", "server"] == [f"the server on {DATA.resolve()} does not answer yet"]


@pytest.mark.parametrize(
    ("status", "verdict", "told"), [(200, "ok", "is ready"), (503, "problem", "is not ready (503)")]
)
def test_a_server_that_cannot_write_is_told(status, verdict, told):
    found = serving.judged(SimpleNamespace(pid=7), "127.0.0.1 port 8443", status)
    assert (found.verdict, found.text) == (verdict, f"process 7 answers at 127.0.0.1 port 8443 and {told}")


def certificate_files(ends):
    authority = ca.new_authority("localhost", ends - ca.LEAF_LIFETIME)
    leaf = authority.mint(ends - ca.LEAF_LIFETIME)
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_der_private_key

    key = load_der_private_key(leaf.key.reveal(), None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    Path("chain.pem").write_bytes(leaf.certificate.public_bytes(Encoding.PEM))
    Path("key.pem").write_bytes(key)
    return "--tls-certificate", "chain.pem", "--tls-key", "key.pem"


@pytest.mark.parametrize(
    ("days", "verdict"), [(-1, "problem"), (10, "warning"), (100, None)], ids=["over", "soon", "later"]
)
def test_the_end_of_an_own_certificate_is_told(installed, doctor, days, verdict):
    _, found = doctor(*certificate_files(real_now() + timedelta(days=days)))
    assert [kind for kind, check in found if check == "own certificate"] == ([verdict] if verdict else [])


def test_an_own_certificate_that_cannot_be_served_is_told(installed, doctor):
    flags = certificate_files(real_now() + timedelta(days=100))
    Path("key.pem").write_text("nonsense")
    assert "cannot be served" in doctor(*flags)[1]["problem", "own certificate"][0]


def test_what_stood_in_a_file_does_not_reach_the_terminal_as_it_is(installed, strongroom, sql):
    sql("UPDATE vaults SET name = 'a\x1b[31mb'")
    code, out, _ = strongroom("doctor", "--port", "0")
    assert code == 1
    assert "\x1b" not in out
    assert "vaults a\N{REPLACEMENT CHARACTER}[31mb" in out
    assert out.splitlines()[-1].endswith(" problems")
