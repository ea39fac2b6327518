"""Real tokens of SoftHSM2 to test with: each in a folder of its own, which can be taken away and brought back."""

import os
import subprocess
from pathlib import Path

from doubles import a_custodian
from strongroom.custody.pkcs11 import Pkcs11Provider
from strongroom.custody.token import Token, TokenPlace
from strongroom.sensitive import Sensitive

PIN, SO_PIN = "4711-user", "0815-officer"
MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
CONFIGURATION = """directories.tokendir = {tokens}
objectstore.backend = file
log.level = ERROR
slots.removable = true
"""


def module():
    """Return the module of SoftHSM2, which `scripts/test` installs; another build of it that SOFTHSM_MODULE names."""
    if named := os.environ.get("SOFTHSM_MODULE"):
        return Path(named)
    return next(path for path in map(Path, MODULES) if path.exists())


class SoftHsm:
    """Tokens in a folder. variables: what a process needs to find them."""

    def __init__(self, folder, label="strongroom"):
        self.folder, self.label = folder, label
        self.tokens = folder / "tokens"
        self.tokens.mkdir(parents=True)
        self.configuration = folder / "softhsm2.conf"
        self.configuration.write_text(CONFIGURATION.format(tokens=self.tokens))
        self.pin_file = folder / "pin"
        self.pin_file.touch(0o600)
        self.pin_file.write_text(PIN + "\n")
        self.variables = {"SOFTHSM2_CONF": str(self.configuration)}
        self.opened = []
        self.initialise(label)

    def initialise(self, label):
        given = ["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", SO_PIN]
        subprocess.run(["softhsm2-util", *given], env=self.variables, check=True, capture_output=True)

    def take_away(self):
        self.tokens.rename(self.folder / "away")
        self.tokens.mkdir()

    def bring_back(self):
        self.tokens.rmdir()
        (self.folder / "away").rename(self.tokens)

    def place(self, name=None):
        return TokenPlace(module(), name or self.label)

    def token(self, name=None, pin=PIN):
        self.opened.append(Token(self.place(name), lambda: Sensitive(pin)))
        return self.opened[-1]

    def close(self):
        """Close every token that was made: one that is in use must not be left to whoever takes the module next."""
        for token in self.opened:
            token.close()

    def keeper(self, **said):
        return Pkcs11Provider(a_custodian(), self.token(**said))
