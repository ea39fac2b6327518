import os
import signal
import subprocess
import sys

import pytest

from strongroom.cli import run
from strongroom.cli.environment import EnvironmentChange
from strongroom.cli.run import reachable_address


@pytest.fixture
def resolving(monkeypatch):
    def resolve(answer):
        monkeypatch.setattr(run, "names_resolve", lambda _domain: answer)

    return resolve


class Gone(Exception):
    """This process would be another program now."""


@pytest.fixture
def become(monkeypatch):
    seen = {}

    def stand_in(name, arguments, environ):
        seen.update(name=name, arguments=arguments, environ=environ)
        raise Gone

    monkeypatch.setattr(os, "execvpe", stand_in)
    return seen


@pytest.mark.parametrize(("resolve", "has_proxy"), [(True, False), (False, True)])
def test_the_command_takes_this_process_over(running, strongroom, resolving, become, resolve, has_proxy):
    resolving(resolve)

    def meanwhile():
        with pytest.raises(Gone):
            strongroom("run", "--", "az", "--help", "-o", "json")

    running("--dev", meanwhile=meanwhile)
    assert (become["name"], become["arguments"]) == ("az", ("az", "--help", "-o", "json"))
    assert become["environ"]["HOME"] == os.environ["HOME"]
    assert become["environ"]["AZURE_CLIENT_SECRET"]
    assert ("HTTPS_PROXY" in become["environ"]) is (has_proxy or "HTTPS_PROXY" in os.environ)


@pytest.mark.parametrize("flags", [(), ("--pass-through",)])
def test_an_application_that_is_named_whole_is_whom_the_command_signs_in_as(
    running, strongroom, resolving, monkeypatch, home, flags
):
    resolving(False)
    monkeypatch.setenv("AZURE_CLIENT_ID", "payments")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "its-secret")
    # A child in either case: it would take this process over.
    monkeypatch.setattr(os, "execvpe", lambda _, arguments, environ: subprocess.run(arguments, env=environ, check=True))

    def meanwhile():
        said = strongroom("run", *flags, "sh", "-c", "echo $AZURE_CLIENT_ID $AZURE_CLIENT_SECRET > who")[2]
        assert said == "note: clients sign in as application payments, as this environment says, not as bootstrap\n"
        assert (home / "who").read_text() == "payments its-secret\n"

    running("--dev", meanwhile=meanwhile)


def test_where_names_do_not_resolve_and_there_is_no_proxy_the_command_could_not_work(running, strongroom, resolving):
    resolving(False)

    def meanwhile():
        code, _, err = strongroom("run", "true")
        assert code == 1
        assert "runs without its proxy" in err

    running("--no-proxy", meanwhile=meanwhile)


@pytest.mark.parametrize(
    ("error", "code"), [(FileNotFoundError(2, "No such file or directory"), 127), (PermissionError(13, "denied"), 126)]
)
@pytest.mark.parametrize("flags", [(), ("--pass-through",)])
def test_a_command_that_cannot_be_started_has_the_exit_code_of_a_shell(
    running, strongroom, resolving, monkeypatch, error, code, flags
):
    resolving(False)

    def fail(*_args, **_kwargs):
        raise error

    def meanwhile():
        monkeypatch.setattr(os, "execvpe", fail)
        monkeypatch.setattr(run.subprocess, "Popen", fail)
        ended, _, err = strongroom("run", *flags, "nothing")
        assert ended == code
        assert err.splitlines()[-1] == f"strongroom: cannot run nothing: {error.strerror}"

    running(meanwhile=meanwhile)


@pytest.mark.parametrize(
    ("script", "code"), [("import sys; sys.exit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)]
)
def test_passing_through_the_exit_code_is_the_commands(running, strongroom, resolving, script, code):
    resolving(False)

    def meanwhile():
        assert strongroom("run", "--pass-through", "--", sys.executable, "-c", script)[0] == code

    running(meanwhile=meanwhile)


PROXIED = "import os; raise SystemExit('@127.0.0.1:' not in os.environ['HTTPS_PROXY'])"


def test_passing_through_the_proxy_is_our_own(running, strongroom, resolving):
    resolving(False)
    running(meanwhile=lambda: strongroom("run", "--pass-through", sys.executable, "-c", PROXIED)[0] == 0)


PATIENT = """
import os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
signal.signal(signal.SIGINT, lambda *_: sys.exit(6))
os.kill(os.getppid(), int(sys.argv[1]))
signal.pause()
"""


def test_what_would_end_us_is_handed_on():
    before = signal.getsignal(signal.SIGTERM)
    code = run._run_child((sys.executable, "-c", PATIENT, str(int(signal.SIGTERM))), EnvironmentChange({}))
    assert code == 5
    assert signal.getsignal(signal.SIGTERM) is before


INTERRUPTED = "import os, signal; os.kill(os.getppid(), signal.SIGINT)"


def test_an_interrupt_waits_for_the_command_which_has_had_it_too():
    assert run._run_child((sys.executable, "-c", INTERRUPTED), EnvironmentChange({})) == 0


@pytest.mark.parametrize(
    ("address", "reachable"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.1", "10.0.0.1")],
)
def test_a_server_on_every_address_is_reached_at_loopback(address, reachable):
    assert reachable_address((address, "::1")) == reachable
