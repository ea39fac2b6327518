from pathlib import Path

import pytest

from strongroom.options import BY_NAME, OPTIONS
from strongroom.settings import Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def config(home, text):
    path = home / "my.toml"
    path.write_text(text)
    return {"config": str(path)}


def test_every_option_is_a_field_of_the_settings_and_none_is_missing():
    assert [option.field for option in OPTIONS] == list(Settings.__dataclass_fields__)
    assert list(BY_NAME) == [option.name for option in OPTIONS]


def test_an_option_names_its_flag_and_its_variable():
    option = BY_NAME["data-dir"]
    assert (option.flag, option.variable, option.field) == ("--data-dir", "STRONGROOM_DATA_DIR", "data_dir")


def test_nothing_given_is_the_default(home):
    settings = load_settings({}, {})
    assert settings.data_dir == home / ".strongroom/data"
    assert settings.master_key_file == home / ".strongroom/data-key/master.key"
    assert (settings.port, settings.proxy_port) == (8443, 8444)
    assert settings.listen == ("127.0.0.1", "::1")
    assert settings.domain == "localhost"
    assert settings.workers >= 1
    assert settings.connection_file is None
    assert not settings.dev


def test_a_flag_wins_over_the_environment_that_over_the_file_that_over_the_default(home):
    flags = config(home, "port = 1001\nworkers = 3\ndomain = 'file.test'\n")
    environ = {"STRONGROOM_PORT": "1002", "STRONGROOM_WORKERS": "4"}
    settings = load_settings(flags | {"port": "1003"}, environ)
    assert (settings.port, settings.workers, settings.domain, settings.log_level) == (1003, 4, "file.test", "info")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://attest.example.test", "https://attest.example.test"),
        ("HTTPS://Attest.example.test:443/", "https://attest.example.test"),
        ("https://attest.example.test:8443/a/", "https://attest.example.test:8443/a"),
        ("http://127.0.0.1:9443", "http://127.0.0.1:9443"),
        ("http://localhost:80/", "http://localhost"),
        ("http://[::1]:9443", "http://[::1]:9443"),
    ],
)
def test_an_attestation_authority_is_kept_in_one_spelling(given, kept):
    found = load_settings({}, {"STRONGROOM_ATTESTATION_AUTHORITY": f"{given}, {given}"})
    assert found.attestation_authority == (kept,)
    assert load_settings({}, {}).attestation_authority == ()


@pytest.mark.parametrize(
    "given",
    ["attest.example.test", "http://attest.example.test", "http://10.0.0.1", "https://", "https://u:p@a", "https://a?b",
     "https://a#b", "ftp://a", "https://a:99999", "https://a b", "https://[::1"],
)  # fmt: skip
def test_what_is_no_address_of_an_authority_is_refused(given):
    with pytest.raises(SettingsError, match=r"'attestation-authority' \(flag .*\): .* http only on loopback"):
        load_settings({"attestation-authority": (given,)}, {})


def test_the_file_of_the_home_is_read_when_none_is_named(home):
    (home / ".strongroom").mkdir()
    (home / ".strongroom/strongroom.toml").write_text("port = 9000")
    assert load_settings({}, {}).port == 9000
    assert load_settings(config(home, "workers = 1"), {}).port == 8443


@pytest.mark.parametrize(
    ("flags", "environ"),
    [({"listen": ("10.0.0.1", "[::1]", "10.0.0.1")}, {}), ({}, {"STRONGROOM_LISTEN": "10.0.0.1, ::1"})],
)
def test_a_repeatable_option_takes_many_and_each_once(flags, environ):
    assert load_settings(flags, environ).listen == ("10.0.0.1", "::1")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("10.0.0.1:9443", "10.0.0.1:9443"),
        ("[2001:DB8::9]:9443", "[2001:db8::9]:9443"),
        ("2001:db8::9", "2001:db8::9"),
        ("[::]", "::"),
    ],
)
def test_an_address_to_listen_on_may_have_a_port_of_its_own(given, kept):
    assert load_settings({"listen": (given,)}, {}).listen == (kept,)


def test_proxies_are_trusted_by_network_or_address(home):
    assert load_settings({}, {}).trusted_proxies == ()
    environ = {
        "STRONGROOM_TRUSTED_PROXIES": "10.1.0.0/16, 192.0.2.1, 2001:DB8::/32",
        "STRONGROOM_PROXY_PROTOCOL": "true",
    }
    settings = load_settings({}, environ)
    assert settings.trusted_proxies == ("10.1.0.0/16", "192.0.2.1/32", "2001:db8::/32")
    assert settings.proxy_protocol


def test_the_file_writes_many_as_a_list_and_a_switch_as_a_boolean(home):
    settings = load_settings(config(home, 'listen = ["10.0.0.1"]\ndev = true\nproxy-port = "off"'), {})
    assert (settings.listen, settings.dev, settings.proxy_port) == (("10.0.0.1",), True, None)
    assert load_settings({"location": "westeurope", "log-level": "DEBUG"}, {}).log_level == "debug"


@pytest.mark.parametrize(
    ("given", "proxy_port"),
    [({"port": "0"}, 0), ({"port": "443"}, 444), ({"proxy-port": "off"}, None), ({"proxy-port": "0"}, 0)],
)
def test_the_proxy_is_beside_the_port_unless_told_otherwise(given, proxy_port):
    assert load_settings(given, {}).proxy_port == proxy_port


@pytest.mark.parametrize(("given", "days"), [({}, 90), ({"records-days": "7"}, 7), ({"records-days": "Forever"}, None)])
def test_records_are_kept_for_so_many_days_or_for_ever(given, days):
    assert load_settings(given, {}).records_days == days


def test_relative_paths_start_where_they_were_written(home):
    (home / "etc").mkdir()
    (home / "etc/s.toml").write_text('data-dir = "vault"\nconnection-file = "~/c.json"')
    settings = load_settings({"config": "etc/s.toml", "master-key-file": "../keys/k"}, {})
    assert settings.data_dir == home / "etc/vault"
    assert settings.connection_file == home / "c.json"
    assert settings.master_key_file == Path(home.parent, "keys/k")


WRONG = [
    ({"port": "x"}, {}, "option 'port' (flag --port): 'x' is wrong: a port is a whole number"),
    ({}, {"STRONGROOM_PORT": "65536"}, "option 'port' (environment STRONGROOM_PORT)"),
    ({}, {"STRONGROOM_PORT": "²"}, "option 'port' (environment STRONGROOM_PORT)"),
    ({"listen": ("localhost",)}, {}, "option 'listen' (flag --listen)"),
    ({"workers": "0"}, {}, "option 'workers'"),
    ({"domain": "10.0.0.1"}, {}, "option 'domain'"),
    ({"domain": "a.test:8443"}, {}, "option 'domain'"),
    ({"domain": "-a.test"}, {}, "option 'domain'"),
    ({"domain": "a" * 64 + ".test"}, {}, "option 'domain'"),
    ({"data-dir": ""}, {}, "option 'data-dir'"),
    ({"location": "West Europe"}, {}, "option 'location'"),
    ({"records-days": "0"}, {}, "it is a number of days from 1 to 36500, or forever"),
    ({"records-days": "-1"}, {}, "option 'records-days' (flag --records-days)"),
    ({"unauthenticated-per-minute": "0"}, {}, "a number of requests from 1 to 1000000, or off"),
    ({"log-level": "loud"}, {}, "one of: debug, info, warning, error"),
    ({"log-format": "xml"}, {}, "one of: console, json"),
    ({}, {"STRONGROOM_DEV": "perhaps"}, "option 'dev' (environment STRONGROOM_DEV)"),
    ({}, {"STRONGROOM_PROT": "1"}, "unknown environment variable STRONGROOM_PROT; did you mean STRONGROOM_PORT?"),
    ({"port": "8443", "proxy-port": "8443"}, {}, "option 'proxy-port' (flag --proxy-port): 8443 is the TLS port"),
    ({"port": "65535"}, {}, "option 'proxy-port' (default)"),
    ({"data-dir": "d", "master-key-file": "d/k"}, {}, "option 'master-key-file' (flag --master-key-file)"),
    ({"tls-certificate": "c"}, {}, "option 'tls-key' (default)"),
    ({"tls-key": "c"}, {}, "option 'tls-certificate' (default)"),
    ({"tls-key": "c", "tls-certificate": "c"}, {}, "there is no file"),
    ({"listen": ("10.0.0.1:0",)}, {}, "a port of an address to listen on is a whole number from 1 to 65535"),
    ({"listen": ("10.0.0.1:x",)}, {}, "option 'listen' (flag --listen)"),
    ({"listen": ("[::1]8443",)}, {}, "option 'listen' (flag --listen)"),
    ({"listen": ("a.test:8443",)}, {}, "option 'listen' (flag --listen)"),
    ({"trusted-proxies": ("10.0.0.1/8",)}, {}, "a network such as 10.1.0.0/16"),
    ({"trusted-proxies": ("proxy.test",)}, {}, "option 'trusted-proxies' (flag --trusted-proxies)"),
    ({"trusted-proxies": ("0.0.0.0/0",)}, {}, "it would let everybody say whose requests theirs are"),
    ({}, {"STRONGROOM_TRUSTED_PROXIES": "10.0.0.1, ::/0"}, "it would let everybody say whose requests theirs are"),
    (
        {"proxy-protocol": "true"},
        {},
        "option 'proxy-protocol' (flag --proxy-protocol): it is trusted proxies that begin",
    ),
    ({"config": "none.toml"}, {}, "option 'config' (flag --config): there is no file"),
]


@pytest.mark.parametrize(("flags", "environ", "message"), WRONG)
def test_what_is_wrong_is_named_with_its_origin(flags, environ, message):
    with pytest.raises(SettingsError) as raised:
        load_settings(flags, environ)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "unknown option 'prot' in"),
        ("prot = 1", "did you mean port?"),
        ("port = ", "cannot be read"),
        ("port = [1, 2]", "option 'port'"),
        ("port = []", "takes one value"),
        ("config = 'x'", "unknown option 'config'"),
    ],
)
def test_a_broken_file_is_named(home, text, message):
    with pytest.raises(SettingsError, match=r"my\.toml") as raised:
        load_settings(config(home, text), {})
    assert message in str(raised.value)


def test_a_certificate_of_ones_own_comes_with_its_key(home):
    (home / "c").touch()
    (home / "k").touch()
    settings = load_settings({"tls-certificate": "c", "tls-key": "k"}, {})
    assert (settings.tls_certificate, settings.tls_key) == (home / "c", home / "k")


@pytest.mark.parametrize("domain", ["localhost", "vault.example.test", "host1", "a1.b-2.c"])
def test_domains_are_dns_names(domain):
    assert load_settings({"domain": domain.upper()}, {}).domain == domain


def test_a_folder_is_no_file_of_options(tmp_path):
    with pytest.raises(SettingsError, match=f"^{tmp_path} is a folder; --config names the TOML file itself$"):
        load_settings({"config": str(tmp_path)}, {})


def hsm(home, **changes):
    for name in ("module.so", "pin"):
        (home / name).touch()
    return {"hsm-module": "module.so", "hsm-token": "serial:42", "hsm-pin-file": "pin"} | changes


def test_an_hsm_is_whole_and_nothing_stands_in_for_it(home):
    settings = load_settings(hsm(home, dev="true"), {})
    assert (settings.hsm_module, settings.hsm_token, settings.hsm_pin_file) == (
        home / "module.so",
        "serial:42",
        home / "pin",
    )
    assert not settings.software_hsm
    assert load_settings({"dev": "true"}, {}).software_hsm


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hsm-module": None}, "option 'hsm-module' (default): hsm-module, hsm-token, hsm-pin-file are given together"),
        ({"hsm-pin-file": None}, "option 'hsm-pin-file' (default): hsm-module, hsm-token, hsm-pin-file are given"),
        ({"hsm-token": " "}, "a token goes by its label, or by serial: and its serial number"),
        ({"hsm-token": "serial:"}, "a token goes by its label, or by serial: and its serial number"),
        ({"hsm-module": "none.so"}, "there is no file"),
        ({"hsm-pin-file": ".strongroom/data/pin"}, "what opens the data must not lie in the data directory"),
        ({"software-hsm": "true"}, "there is an HSM (hsm-module): nothing has to stand in for it"),
    ],
)
def test_half_an_hsm_is_none(home, changes, message):
    with pytest.raises(SettingsError) as raised:
        load_settings(hsm(home, **changes), {})
    assert message in str(raised.value)
