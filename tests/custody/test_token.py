"""One token and the threads of a process: who is stuck, who is confused, whose PIN is refused, who was forked."""

import os
import threading

import pkcs11
import pytest

from hsm_doubles import PIN, SoftHsm
from key_doubles import EC_KEYS, OCT_KEYS, RSA_KEYS, a_place
from strongroom.custody import abilities, logins, tokenkeys
from strongroom.custody import pkcs11 as provider
from strongroom.custody import token as module
from strongroom.custody.algorithms import ALGORITHMS
from strongroom.custody.files import MasterKeyExposed
from strongroom.custody.provider import Ciphertext
from strongroom.custody.token import HsmUnavailable
from strongroom.errors import BadRequest
from strongroom.sensitive import Sensitive


@pytest.fixture
def hsm(tmp_path, monkeypatch):
    softhsm = SoftHsm(tmp_path / "hsm")
    monkeypatch.setenv("SOFTHSM2_CONF", str(softhsm.configuration))
    yield softhsm
    softhsm.close()


def fails(*errors):
    """Return a function that raises each of these errors, one a call."""
    left = list(errors)

    def fail(*_, **__):
        raise left.pop(0)

    return fail


def failing_first(function, *errors):
    """Return a function that does its work and then raises, for the first calls, one of these errors each."""
    left = list(errors)

    def wrapped(*args, **kwargs):
        found = function(*args, **kwargs)
        if left:
            raise left.pop(0)
        return found

    return wrapped


# --- who is in it when it closes


def test_a_token_that_is_closed_waits_for_who_is_in_it_and_lets_nobody_in(hsm):
    for _ in range(5):
        token, begun, said = hsm.token(), threading.Barrier(5), []

        def keep_using(token=token, begun=begun, said=said):
            token.use(lambda _opened: begun.wait())
            try:
                while True:
                    token.use(lambda opened: opened.session.generate_random(8 * 100_000))
            except HsmUnavailable as refused:
                said.append(str(refused))

        threads = [threading.Thread(target=keep_using) for _ in range(4)]
        for thread in threads:
            thread.start()
        begun.wait()
        token.close()
        for thread in threads:
            thread.join()
        assert said == ["The server ends; the HSM is not asked any more."] * 4


def test_a_token_in_which_somebody_is_stuck_is_left_open(hsm, monkeypatch):
    monkeypatch.setattr("strongroom.custody.token.LEAVING_SECONDS", 0.01)
    token, there, over = hsm.token(), threading.Event(), threading.Event()
    found = []

    def work(opened):
        there.set()
        over.wait()
        found.append(len(opened.session.generate_random(64)))

    thread = threading.Thread(target=token.use, args=(work,))
    thread.start()
    there.wait()
    token.close()
    over.set()
    thread.join()
    assert found == [8]


# --- an attempt that failed half-way


@pytest.mark.parametrize("error", [pkcs11.DeviceRemoved, pkcs11.SessionHandleInvalid])
async def test_a_key_that_is_made_again_after_the_token_was_away_is_one_key(hsm, monkeypatch, error):
    monkeypatch.setattr(provider, "generate", failing_first(provider.generate, error))
    keeper = hsm.keeper()
    kept = await keeper.make(EC_KEYS[0], a_place())
    assert len(await keeper.sign(kept, a_place(), "ES256", bytes(32))) == 64
    keeper.close()


async def test_a_key_that_could_not_be_made_whole_is_not_left_in_the_token(hsm, monkeypatch):
    monkeypatch.setattr(provider, "require_made_to_stay", fails(pkcs11.FunctionFailed, BadRequest("it could leave")))
    keeper = hsm.keeper()
    for expected in (HsmUnavailable, BadRequest):
        with pytest.raises(expected):
            await keeper.make(EC_KEYS[0], a_place())
    assert keeper._token.use(tokenkeys.list_kept) == {}
    keeper.close()


async def test_a_key_that_nobody_waits_for_any_more_is_not_left_in_the_token(hsm, monkeypatch):
    monkeypatch.setattr(provider, "DEADLINE_SECONDS", 0.2)
    given_up, done = threading.Event(), threading.Event()
    make, run = provider.generate, provider.Pkcs11Provider._run_for

    def late(*args, **kwargs):
        made = make(*args, **kwargs)
        given_up.wait()
        return made

    async def noted(self, event, work, said):
        def ended(opened):
            try:
                return work(opened)
            finally:
                done.set()

        try:
            return await run(self, event, ended, said)
        finally:
            given_up.set()

    monkeypatch.setattr(provider, "generate", late)
    monkeypatch.setattr(provider.Pkcs11Provider, "_run_for", noted)
    keeper = hsm.keeper()
    with pytest.raises(HsmUnavailable, match="does not answer"):
        await keeper.make(EC_KEYS[0], a_place())
    assert done.wait(30)
    assert keeper._token.use(tokenkeys.list_kept) == {}
    keeper.close()


async def test_an_algorithm_whose_trial_failed_once_is_not_refused(hsm, monkeypatch):
    monkeypatch.setattr(abilities, "generate", failing_first(abilities.generate, pkcs11.GeneralError()))
    keeper = hsm.keeper()
    kept = await keeper.make(OCT_KEYS[2], a_place())
    assert (await keeper.encrypt(kept, a_place(), "A256GCM", Sensitive(b"plain"))).value
    keeper.close()


def test_an_algorithm_whose_trial_fails_always_is_refused(hsm, monkeypatch):
    monkeypatch.setattr(abilities, "generate", fails(*[pkcs11.GeneralError()] * abilities.TRIALS))
    assert hsm.token().use(lambda opened: abilities.find_mechanism(opened, ALGORITHMS["A256GCM"])) is None


# --- whose fault it is that something does not decrypt


@pytest.mark.parametrize("algorithm", ["A256GCM", "RSA1_5", "RSA-OAEP"])
@pytest.mark.parametrize("error", [pkcs11.OperationActive, pkcs11.PinExpired, pkcs11.MechanismInvalid])
async def test_a_fault_of_the_token_is_not_told_as_the_caller_s(hsm, monkeypatch, algorithm, error):
    keeper, place = hsm.keeper(), a_place()
    spec = OCT_KEYS[2] if algorithm == "A256GCM" else RSA_KEYS[0]
    kept = await keeper.make(spec, place)
    sealed = await keeper.encrypt(kept, place, algorithm, Sensitive(b"plain"))
    with monkeypatch.context() as patch:
        for name in ("decrypt_aes", "decrypt_rsa"):
            patch.setattr(provider, name, fails(error))
        with pytest.raises(HsmUnavailable):
            await keeper.decrypt(kept, place, algorithm, sealed)
    assert (await keeper.decrypt(kept, place, algorithm, sealed)).reveal() == b"plain"
    if algorithm != "RSA1_5":
        with pytest.raises(BadRequest):
            await keeper.decrypt(
                kept, place, algorithm, Ciphertext(value=bytes(len(sealed.value)), iv=sealed.iv, tag=sealed.tag)
            )
    keeper.close()


def test_a_session_that_holds_something_from_before_is_given_up(hsm):
    token = hsm.token()
    first = token.use(lambda opened: opened.session)
    with pytest.raises(HsmUnavailable, match="is not ready for this"):
        token.use(fails(pkcs11.OperationActive))
    assert token.use(lambda opened: opened.session) is not first


def test_a_session_that_cannot_be_opened_leaves_nothing_to_give_up(hsm, monkeypatch):
    token = hsm.token()
    monkeypatch.setattr(token, "_opened", fails(pkcs11.OperationActive))
    with pytest.raises(HsmUnavailable, match="is not ready for this"):
        token.use(lambda opened: opened)


# --- who is stuck


async def test_whoever_is_stuck_holds_up_nobody_for_ever(hsm, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(provider, "DEADLINE_SECONDS", 0.5)
    token, there, over = hsm.token(), threading.Event(), threading.Event()

    def stay(_opened):
        there.set()
        over.wait()

    thread = threading.Thread(target=token.use, args=(stay,))
    thread.start()
    there.wait()
    with pytest.raises(HsmUnavailable, match="does not answer"):
        token.use(fails(pkcs11.DeviceRemoved, pkcs11.DeviceRemoved))
    assert token.use(lambda _opened: "served") == "served", "the token was there all the time"
    keeper = hsm.keeper()
    monkeypatch.setattr(keeper._token, "use", lambda _work: over.wait())
    with pytest.raises(HsmUnavailable, match="does not answer"):
        await keeper.make(EC_KEYS[0], a_place())
    over.set()
    thread.join()
    keeper.close()


def test_whoever_comes_while_it_is_begun_anew_waits_so_long_and_no_longer(hsm, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    token = hsm.token()
    token.use(lambda opened: opened)
    token._ending = True
    with pytest.raises(HsmUnavailable, match="does not come back"):
        token.use(lambda opened: opened)
    token._ending = False
    assert token.use(lambda _opened: 1) == 1


# --- logging in


class _Counted:
    """A token whose logins fail, counted."""

    def __init__(self, found, error):
        self.found, self.error, self.count = found, error, 0
        self.label, self.serial = found.label, found.serial

    def open(self, **_):
        self.count += 1
        raise self.error


@pytest.fixture
def refusing(hsm, monkeypatch):
    """Let logins fail with an error; gives the count of them."""

    def refuse(token, error):
        counted = []
        real = type(token)._find

        def find(self, opened_module):
            counted.append(_Counted(real(self, opened_module), error))
            return counted[-1]

        monkeypatch.setattr(type(token), "_find", find)
        return lambda: sum(each.count for each in counted)

    return refuse


@pytest.mark.parametrize("error", [pkcs11.PKCS11Error, pkcs11.GeneralError, pkcs11.FunctionFailed])
def test_a_login_that_fails_for_no_known_reason_is_not_tried_again_at_once(hsm, refusing, monkeypatch, error):
    now = [1000.0]
    monkeypatch.setattr(logins, "steady_seconds", lambda: now[0])
    token = hsm.token()
    tried = refusing(token, error("in its own words"))
    with pytest.raises(HsmUnavailable, match="does not let the server log in"):
        token.use(lambda opened: opened)
    for _ in range(5):
        with pytest.raises(HsmUnavailable, match="asked again in 5 seconds"):
            token.use(lambda opened: opened)
    assert tried() == 1
    now[0] += 5
    with pytest.raises(HsmUnavailable, match="does not let"):
        token.use(lambda opened: opened)
    with pytest.raises(HsmUnavailable, match="asked again in 10 seconds"):
        token.use(lambda opened: opened)
    assert tried() == 2
    assert not token.is_pin_refused


def test_a_login_that_succeeds_forgets_those_before(hsm, monkeypatch):
    token = hsm.token()
    token._logins.fail()
    now = logins.steady_seconds() + 6
    monkeypatch.setattr(logins, "steady_seconds", lambda: now)
    token.use(lambda opened: opened)
    assert token._logins._read() == (False, 0, 0.0)


def test_a_pin_that_cannot_be_read_is_no_error_of_whoever_asks(hsm):
    def exposed():
        raise MasterKeyExposed("PIN of the HSM", hsm.pin_file)

    token = module.Token(hsm.place(), exposed)
    with pytest.raises(HsmUnavailable, match="cannot be logged in to") as refused:
        token.use(lambda opened: opened)
    assert refused.value.status == 503
    token._read_pin = lambda: Sensitive(PIN)
    assert token.use(lambda _opened: 1) == 1
    token.close()


# --- who was forked


def test_threads_of_a_child_begin_together(hsm):
    token = hsm.token()
    token.use(lambda opened: opened)
    child = os.fork()
    if not child:
        found, begun = [], threading.Barrier(8)

        def look():
            begun.wait()
            found.append(token.use(lambda opened: bool(opened.session.token.serial)))

        threads = [threading.Thread(target=look) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os._exit(0 if found == [True] * 8 and token._generation == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert token.use(lambda opened: bool(opened.session.token.serial))
