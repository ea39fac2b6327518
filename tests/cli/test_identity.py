import pytest

from strongroom.cli.identity import Credentials, identity_in

ID, SECRET, CERTIFICATE, TENANT = (
    *("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH"),
    "AZURE_TENANT_ID",
)


def after(environ, known="known"):
    """Return who signs in and with what in `environ` once it is changed, and what was said of it."""
    found = identity_in(environ, Credentials(client_id="bootstrap", client_secret=known), "tenant")
    changed = {name: value for name, value in environ.items() if name not in found.unset} | dict(found.set)
    return tuple(changed.get(name) for name in (ID, SECRET, CERTIFICATE)), " / ".join(found.notes)


def test_an_environment_that_says_nothing_is_bootstrap_s():
    assert after({}) == (("bootstrap", "known", None), "")


@pytest.mark.parametrize("known", ["known", None])
@pytest.mark.parametrize("proof", [SECRET, CERTIFICATE])
@pytest.mark.parametrize("tenant", [{}, {TENANT: "tenant"}])
def test_an_application_that_is_named_whole_is_kept_and_said(known, proof, tenant):
    environ = {ID: "payments", proof: "its-own"} | tenant
    who, said = after(environ, known)
    assert who == ("payments", environ.get(SECRET), environ.get(CERTIFICATE))
    assert said == "clients sign in as application payments, as this environment says, not as bootstrap"


@pytest.mark.parametrize("known", ["known", None])
def test_an_id_alone_names_nobody(known):
    who, said = after({ID: "payments", SECRET: ""}, known)
    assert who[0] == "bootstrap"
    assert who[1] in {known, ""}
    assert said.startswith("AZURE_CLIENT_ID of this environment does not count, for there is neither a secret")
    assert ("export AZURE_CLIENT_SECRET=" in said) is (known is None)


@pytest.mark.parametrize("known", ["known", None])
@pytest.mark.parametrize("proof", [SECRET, CERTIFICATE])
def test_what_is_of_another_tenant_is_not_sent_here(known, proof):
    who, said = after({ID: "cloud", proof: "of the cloud", TENANT: "another"}, known)
    assert who == ("bootstrap", known, None)
    assert "AZURE_TENANT_ID is another server's" in said


def test_a_run_within_a_run_changes_nothing_and_says_nothing():
    outer = {ID: "bootstrap", SECRET: "known", TENANT: "tenant"}
    assert after(outer) == after(outer, None) == (("bootstrap", "known", None), "")


def test_a_secret_of_an_outer_run_that_was_reset_since_is_renewed():
    assert after({ID: "bootstrap", SECRET: "earlier", TENANT: "tenant"}) == (("bootstrap", "known", None), "")


def test_a_secret_alone_is_bootstrap_s_where_none_is_known():
    assert after({SECRET: "shown once"}, None) == (("bootstrap", "shown once", None), "")


@pytest.mark.parametrize("known", ["known", None])
def test_bootstrap_signs_in_with_its_certificate_where_that_is_named(known):
    assert after({ID: "bootstrap", CERTIFICATE: "key.pem"}, known) == (("bootstrap", None, "key.pem"), "")


def test_where_no_secret_is_known_what_to_do_is_said():
    who, said = after({}, None)
    assert who == ("bootstrap", None, None)
    assert said.startswith("bootstrap's secret is not known here")
    assert "export AZURE_CLIENT_SECRET=" in said


def test_secrets_stay_out_of_sight():
    assert "known" not in repr(identity_in({}, Credentials(client_id="bootstrap", client_secret="known"), "tenant"))
