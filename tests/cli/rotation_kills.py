"""Rotations that are killed: each step of one is the last of some process, and the data must open after it.

Run as a program with a scenario and an empty folder: it makes data there, and for each step of the scenario's rotation
forks a process that is killed with SIGKILL at that step, then one that starts a server on what is left, reads all that
was ever kept, rotates again to the end, and reads it again. It prints how many were killed.

A step is a durable write of a file, a change of a name, and each transaction just before and just after it commits.
"""

import contextlib
import functools
import os
import shutil
import signal
import sys
import traceback
from pathlib import Path

import strongroom.cli.resealing
import strongroom.storage.sqlite
from storage_doubles import discrepancies
from strongroom.access.identity.signing import SigningKeys
from strongroom.audit.local import local_record
from strongroom.cli import main, succeeding
from strongroom.cli.beginning import begin_server, make_data_folder, require_usable
from strongroom.cli.data import on_data
from strongroom.clock import real_now
from strongroom.custody import passphrase
from strongroom.custody.files import staged
from strongroom.objects.secrets.backup import back_up, restore
from strongroom.objects.secrets.model import SecretEdit
from strongroom.objects.secrets.service import Secrets
from strongroom.sensitive import Sensitive
from strongroom.settings import load_settings
from strongroom.storage.connection import Writer
from strongroom.storage.master import find_description

OLD, NEW, THIRD = "the old horse battery staple", "another horse battery staple", "the third horse battery staple"
SCENARIOS = {
    "file to file": ("file", ["master-key"]),
    "file to passphrase": ("file", ["master-key", "--new-passphrase-file", "new"]),
    "file to another file": ("file", ["master-key", "--new-file", "other/master.key"]),
    "passphrase to file": ("passphrase", ["master-key", "--to", "file"]),
    "passphrase to passphrase": ("passphrase", ["master-key", "--new-passphrase-file", "new"]),
    "vault": ("file", ["vault", "--all"]),
    "signing key": ("file", ["signing-key", "--now"]),
}
NAMES, VERSIONS, BATCH = 4, 3, 5


def be_quick():
    """Derive keys at a price that a test can pay, and take many steps over few values."""
    passphrase.MEMORY_KIB, passphrase.ITERATIONS = 8 * 1024, 1
    strongroom.cli.resealing.reseal = functools.partial(strongroom.cli.resealing.reseal, limit=BATCH)
    succeeding.FOLLOW_SECONDS = 5
    strongroom.storage.sqlite.MANY_LATE = 1  # a record of a change goes to the log in a step of its own


def settings_of(home, given="passphrase", key="data-key/master.key"):
    """Return the settings of an operator who names these files, the passphrase's only if there is one."""
    flags = {"data-dir": home / "data", "dev": True, "master-key-file": home / key}
    if (home / given).exists():
        flags["master-key-passphrase-file"] = home / given
    return load_settings(flags, {})


def private(path, text):
    path.write_text(text)
    path.chmod(0o600)


def start(settings):
    """Begin as `strongroom serve` does."""
    known = require_usable(settings)
    make_data_folder(settings.data_dir)
    return begin_server(settings, known, real_now())


async def vault_of(data, stores):
    return Secrets(
        stores.secrets, stores.keyring, data.custodian, vault=await stores.vaults.find("dev"), now=real_now()
    )


def changing(data, work):
    async def unit(stores):
        return await work(await vault_of(data, stores)), local_record("Test", now=real_now(), properties={})

    return data.storage.change(unit)


def build(home, kind):
    private(home / "new", NEW)
    private(home / "third", THIRD)
    (home / "other").mkdir()
    if kind == "passphrase":
        private(home / "passphrase", OLD)
    settings = settings_of(home)
    start(settings)
    (home / "first").write_text(OLD if kind == "passphrase" else settings.master_key_file.read_text().strip())

    async def fill(data):
        for name in range(NAMES):
            for version in range(VERSIONS):
                value = Sensitive(f"value {name}.{version}".encode())
                await changing(data, lambda secrets, n=name, v=value: secrets.set(f"s{n}", v, SecretEdit()))
        await changing(data, lambda secrets: secrets.delete("s0"))
        (home / "backup").write_text(await changing(data, lambda secrets: back_up(secrets, "s1")))

    on_data(settings, fill)


def require_all(home, settings):
    """Raise unless every value opens, the backup restores, tokens can be signed, and each row is as it was noted."""

    async def check(data):
        stores = data.storage.read()
        secrets = await vault_of(data, stores)
        for name in range(NAMES):
            state = await stores.secrets.find_state(secrets.vault.vault_id, f"s{name}")
            versions = await stores.secrets.list_versions(secrets.vault.vault_id, f"s{name}", after=None, limit=9)
            found = [await stores.secrets.find(secrets.vault.vault_id, f"s{name}", one.version) for one in versions]
            values = [(await secrets.open(one)).reveal().decode() for one in found]
            assert values == [f"value {name}.{version}" for version in range(VERSIONS)], values
            assert state.is_deleted() == (name == 0)
        await SigningKeys(data.custodian).current(stores.identity, stores.keyring, real_now())
        with contextlib.suppress(_Enough):
            await changing(data, lambda secrets: _restored(secrets, (home / "backup").read_text()))

    on_data(settings, check)
    assert discrepancies(settings.data_dir) == []


class _Enough(Exception):
    pass


async def _restored(secrets, blob):
    """Restore a backup and undo it."""
    await secrets.delete("s1")
    await secrets.store.purge(secrets.vault.vault_id, "s1")
    assert (await restore(secrets, blob)).state.name == "s1"
    raise _Enough


def rotate(settings, arguments):
    flags = ["--data-dir", settings.data_dir, "--master-key-file", settings.master_key_file]
    if settings.master_key_passphrase_file:
        flags += ["--master-key-passphrase-file", settings.master_key_passphrase_file]
    return main.run(["rotate", *arguments, *map(str, flags)])


def die_at(number):
    """Let this process be killed at its step of that number."""
    taken = 0

    def step():
        nonlocal taken
        taken += 1
        if taken == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def stepping(function):
        def stepped(*arguments, **named):
            step()
            result = function(*arguments, **named)
            step()
            return result

        return stepped

    for name in ("fsync", "replace", "link", "unlink"):
        setattr(os, name, stepping(getattr(os, name)))
    transaction = Writer.transaction

    @contextlib.contextmanager
    def stepped(self):
        with transaction(self) as connection:
            yield connection
            step()
        step()

    Writer.transaction = stepped


def in_child(function):
    """Run a function in a process of its own; return how that ended, as `os.waitpid` tells it."""
    pid = os.fork()
    if pid == 0:
        try:
            code = function() or 0
        except BaseException:  # noqa: BLE001 - told to the parent
            traceback.print_exc()
            code = 99
        sys.stdout.flush()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_rotation(home, arguments, number):
    os.chdir(home)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115 - for the life of this process
    settings = settings_of(home)
    die_at(number)
    return rotate(settings, arguments)


def recovered(home, arguments):
    """Start on what a kill left, as an operator would who follows what the commands say; require all to be there."""
    os.chdir(home)
    settings = openable(home)
    start(settings)
    require_all(home, settings)
    for path in (settings.master_key_file, home / "passphrase"):
        assert not staged(path).exists(), path
    if settings.master_key_file.parent.name != "other":
        (home / "other/master.key").unlink(missing_ok=True)  # it was written and never counted
    assert rotate(settings, again(settings, arguments)) == 0
    require_all(home, openable(home))
    require_old_key(home)


def require_old_key(home):
    """Raise unless the key, or passphrase, of before the rotation is still in some file, for backups made before."""
    texts = [path.read_text().strip() for path in (*home.glob("data-key/*"), *home.glob("passphrase*"))]
    assert (home / "first").read_text() in texts


def openable(home):
    """Return settings that open the data: those before the rotation or, past its decision, those that it told."""
    for settings in (
        settings_of(home),
        settings_of(home, given="new"),
        settings_of(home, given="third"),
        settings_of(home, key="other/master.key"),
    ):
        try:
            require_usable(settings)
        except Exception:  # noqa: BLE001 - the next may do
            continue
        return settings
    raise AssertionError("no key on the disk opens the data")


def again(settings, arguments):
    """Return the arguments that an operator gives the second time."""
    if "--new-file" in arguments and settings.master_key_file.parent.name == "other":
        return ["master-key"]
    given = settings.master_key_passphrase_file
    if given and given.read_text().strip() == NEW and find_description(settings.data_dir).derivation:
        return ["master-key", "--new-passphrase-file", "third"]
    return arguments


def play(scenario, place):
    be_quick()
    kind, arguments = SCENARIOS[scenario]
    assert in_child(lambda: build_in(place / "first", kind)) == 0
    number = 0
    while True:
        number += 1
        home = place / str(number)
        shutil.copytree(place / "first", home)
        code = in_child(lambda home=home, number=number: killed_rotation(home, arguments, number))
        assert in_child(lambda home=home: recovered(home, arguments)) == 0, f"step {number}"
        shutil.rmtree(home)
        if code != -signal.SIGKILL:
            assert code == 0, code
            return number - 1


def build_in(home, kind):
    home.mkdir()
    build(home, kind)


if __name__ == "__main__":
    with contextlib.redirect_stderr(sys.stdout):
        count = play(sys.argv[1], Path(sys.argv[2]))
    sys.stdout.write(f"killed {count}\n")
