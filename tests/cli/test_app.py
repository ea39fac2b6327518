import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from strongroom.storage.directory import HEADS, prepare


def operations(records):
    return [body["operationName"] for body in records()]


def test_an_application_is_made_with_a_secret_and_a_record_without_it(data, done, records):
    made = done("app", "create", "payments", "--json")
    assert set(made) == {"displayName", "clientId", "objectId", "tenantId", "clientSecret"}
    assert made["tenantId"] == data["tenantId"]
    body = records()[-1]
    assert body["operationName"] == "Microsoft.Directory/applications/create"
    assert body["category"] == "Administrative"
    assert body["properties"]["appId"] == made["clientId"]
    assert body["properties"]["actor"] == "operator"
    assert made["clientSecret"] not in json.dumps(records())


def test_a_second_one_of_a_name_is_refused_and_the_first_is_told(data, done, strongroom):
    made = done("app", "create", "payments", "--json")
    code, out, err = strongroom("app", "create", " Payments")
    assert (code, out) == (1, "")
    assert err == (
        f"strongroom: An application is called 'payments' already: {made['clientId']}. Choose another name.\n"
    )
    assert len(done("app", "list", "--json")) == 2


def test_a_person_sees_lines(data, done):
    assert re.search(r"clientSecret +[\w-]{43}\n", done("app", "create", "payments"))
    listed = done("app", "list").splitlines()
    assert listed[0].split() == ["displayName", "clientId", "objectId", "enabled", "credentials", "validUntil"]
    assert [line.split()[0] for line in listed[1:]] == ["bootstrap", "payments"]


def test_the_lifetime_of_a_secret_is_chosen(data, done):
    done("app", "create", "payments", "--days", "1")
    by_name = {each["displayName"]: each for each in done("app", "list", "--json")}
    assert by_name["payments"]["validUntil"] < by_name["bootstrap"]["validUntil"]


@pytest.mark.parametrize("by", ["displayName", "clientId", "objectId"])
def test_an_application_is_disabled_enabled_and_deleted_by_any_of_its_names(data, done, records, by):
    made = done("app", "create", "payments", "--json")
    assert done("app", "disable", made[by]).startswith("disable: payments")
    assert [each["enabled"] for each in done("app", "list", "--json")] == [True, False]
    done("app", "enable", made[by])
    assert [each["enabled"] for each in done("app", "list", "--json")] == [True, True]
    done("role", "assign", "payments", "Reader")
    done("app", "delete", made[by])
    assert [each["displayName"] for each in done("app", "list", "--json")] == ["bootstrap"]
    assert [each["principal"] for each in done("role", "list", "--json")] == ["bootstrap"]
    assert [name.partition("/")[2] for name in operations(records)[-5:]] == [
        "applications/create",
        "servicePrincipals/disable",
        "servicePrincipals/enable",
        "roleAssignments/write",
        "applications/delete",
    ]


@pytest.mark.parametrize("command", ["disable", "enable", "delete", "reset-secret"])
def test_an_unknown_application_is_named(data, strongroom, command):
    code, out, err = strongroom("app", command, "nobody")
    assert (code, out, err) == (1, "", "strongroom: There is no application 'nobody'.\n")


def test_a_certificate_is_added(data, done, strongroom, records, home):
    (home / "broken.pem").write_text("nonsense")
    code, _, err = strongroom("app", "add-certificate", "bootstrap", "broken.pem")
    assert (code, err) == (1, "strongroom: It is no certificate in PEM.\n")
    (home / "good.pem").write_bytes(certificate())
    done("app", "add-certificate", "bootstrap", "good.pem")
    assert done("app", "list", "--json")[0]["credentials"] == 2
    assert operations(records)[-1] == "Microsoft.Directory/applications/credentials/update"


def certificate():
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    key = rsa.generate_private_key(65537, 2048)
    name, now = x509.Name([]), datetime.now(UTC)
    builder = x509.CertificateBuilder().issuer_name(name).subject_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def test_a_new_secret_replaces_the_old_one_and_a_rehearsal_server_shows_it_again(data, done, serving):
    shown = done("app", "reset-secret", "bootstrap", "--json")
    assert shown["clientSecret"] != data["clientSecret"]
    done("serve", "--dev", "--port", "0", "--connection-file", "again.json")
    assert json.loads(Path("again.json").read_text())["clientSecret"] == shown["clientSecret"]


def test_a_new_secret_goes_into_the_connection_file_of_the_server_that_runs(running, done):
    path, shown = Path("c.json"), []
    running(
        "--connection-file",
        "c.json",
        meanwhile=lambda: shown.append(done("app", "reset-secret", "bootstrap", "--json")),
    )
    assert json.loads(path.read_text())["clientSecret"] == shown[0]["clientSecret"]


@pytest.mark.parametrize("content", ['{"pid": 1, "clientSecret": "x"}', "no JSON"])
def test_a_connection_file_of_somebody_else_is_left_alone(running, done, content):
    path = Path("c.json")

    def meanwhile():
        path.write_text(content)
        done("app", "reset-secret", "bootstrap")
        assert path.read_text() == content

    running("--connection-file", "c.json", meanwhile=meanwhile)


def test_the_secret_of_another_application_is_no_business_of_the_connection_file(running, done):
    path = Path("c.json")

    def meanwhile():
        done("app", "create", "payments")
        before = path.read_text()
        done("app", "reset-secret", "payments")
        assert path.read_text() == before

    running("--connection-file", "c.json", meanwhile=meanwhile)


def test_without_data_there_is_nothing_to_work_on(strongroom, home):
    code, _, err = strongroom("app", "list")
    assert code == 1
    assert err == f"strongroom: there is no data in {home}/.strongroom/data; start the server first: strongroom serve\n"


@pytest.mark.parametrize("name", HEADS)
def test_data_of_an_older_version_waits_for_a_start(strongroom, home, name):
    prepare(home / ".strongroom/data")
    with closing(sqlite3.connect(home / ".strongroom/data" / name)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    code, _, err = strongroom("app", "list")
    assert code == 1
    assert "was written by an older version; stop the server and start it anew" in err


def test_data_that_no_server_began_on_has_no_applications_to_make(strongroom, home):
    from strongroom.custody.master import make_master_key
    from strongroom.storage.directory import prepare

    prepare(home / "data")
    make_master_key(home / "data-key/master.key")
    code, _, err = strongroom("app", "create", "payments", "--data-dir", "data")
    assert code == 1
    assert "has not been started on this data directory yet" in err


def test_without_its_master_key_the_data_is_not_opened(data, strongroom, home):
    (home / ".strongroom/data-key/master.key").unlink()
    code, _, err = strongroom("app", "list")
    assert code == 1
    assert "is missing" in err
