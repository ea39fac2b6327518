from dataclasses import dataclass

import msgspec
import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from strongroom.custody import passphrase
from strongroom.custody.passphrase import (
    Derivation,
    DerivationExcessive,
    DerivationUnavailable,
    PassphraseUnfit,
    derive,
    new_derivation,
    require_strong,
)
from strongroom.sensitive import Sensitive

CHEAP = Derivation(salt=bytes(16), memory_kib=8192, iterations=1, lanes=1)
WORDS = Sensitive("correct horse battery staple")


def test_a_passphrase_makes_one_key_with_one_salt_at_one_price():
    key = derive(WORDS, CHEAP).reveal()
    assert len(key) == 32
    assert derive(WORDS, CHEAP).reveal() == key
    others = [
        derive(Sensitive("correct horse battery stable"), CHEAP),
        derive(WORDS, msgspec.structs.replace(CHEAP, salt=b"another salt, 16")),
        derive(WORDS, msgspec.structs.replace(CHEAP, iterations=2)),
    ]
    assert key not in [other.reveal() for other in others]


def test_it_is_the_same_passphrase_however_a_keyboard_writes_it():
    composed, decomposed = "l'été à Besançon", "l'e\u0301te\u0301 a\u0300 Besanc\u0327on"
    assert derive(Sensitive(composed), CHEAP).reveal() == derive(Sensitive(decomposed), CHEAP).reveal()


def test_each_derivation_has_a_salt_of_its_own_and_a_price_above_the_recommendation():
    one, other = new_derivation(), new_derivation()
    assert one.salt != other.salt
    assert one.memory_kib >= 64 * 1024
    assert one.iterations >= 3


@pytest.mark.parametrize(
    "edit",
    [{"memory_kib": 1 << 40}, {"memory_kib": 8}, {"iterations": 0}, {"salt": b""}, {"lanes": 0}, {"algorithm": "md5"}],
)
def test_an_edited_derivation_is_refused_before_it_costs_anything(edit):
    kept = msgspec.to_builtins(CHEAP) | {name: msgspec.to_builtins(value) for name, value in edit.items()}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(kept, Derivation)


@pytest.mark.parametrize("edit", [{"memory_kib": 512 * 1024 + 1}, {"iterations": 9}, {"lanes": 17}])
def test_a_derivation_that_asks_for_too_much_is_refused_before_it_costs_anything(monkeypatch, edit):
    monkeypatch.setattr(passphrase, "Argon2id", None)
    with pytest.raises(DerivationExcessive, match="at most 512 MiB, 8 and 16 are granted"):
        derive(WORDS, msgspec.structs.replace(CHEAP, **edit))


def test_todays_costs_are_granted():
    derive(WORDS, new_derivation())


@pytest.mark.parametrize("text", ["", "short", "a" * 40, "abcabcabcabcabcabc", "x" * 1025])
def test_a_weak_passphrase_is_refused(text):
    with pytest.raises(PassphraseUnfit):
        require_strong(Sensitive(text))


def test_a_strong_one_is_not():
    require_strong(WORDS)


@pytest.mark.parametrize("error", [UnsupportedAlgorithm("no"), MemoryError()], ids=repr)
def test_a_machine_that_cannot_derive_says_so(monkeypatch, error):
    @dataclass
    class Broken:
        salt: bytes
        length: int
        iterations: int
        lanes: int
        memory_cost: int

        def derive(self, _):
            raise error

    monkeypatch.setattr(passphrase, "Argon2id", Broken)
    with pytest.raises(DerivationUnavailable):
        derive(WORDS, CHEAP)
