"""Official test vectors: Wycheproof's files, which lie beside the checkout, and NIST's, from `cryptography-vectors`.

Neither is part of the project. A test whose vectors are absent is skipped and says why; where CI is set it fails.
"""

import base64
import json
import os
from functools import cache
from pathlib import Path

from absences import missing
from strongroom.custody.provider import KeyType, PrivateParts
from strongroom.sensitive import Sensitive

ROOT = Path(__file__).parents[1]
PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "k")
PUBLIC = ("n", "e", "x", "y")


def wycheproof_folder():
    """Return where Wycheproof's files are looked for."""
    return Path(os.environ.get("WYCHEPROOF_DIR") or ROOT.parent / "shared" / "vectors" / "wycheproof")


def wycheproof(name):
    """Return a file of Wycheproof."""
    if not wycheproof_folder().is_dir():
        missing(f"no Wycheproof vectors: {wycheproof_folder()} is no folder; WYCHEPROOF_DIR names another")
    return _read_json(wycheproof_folder() / f"{name}.json")


@cache
def _read_json(path):
    return json.loads(path.read_text())


def wycheproof_cases(name):
    """Return every group of a file of Wycheproof with each of its tests."""
    return [(group, case) for group in wycheproof(name)["testGroups"] for case in group["tests"]]


def packaged_lines(path):
    """Return the lines of a file of `cryptography-vectors`."""
    try:
        import cryptography_vectors
    except ImportError:
        missing("no NIST vectors: the package cryptography-vectors is not installed (requirements/dev.txt has it)")
    with cryptography_vectors.open_vector_file(path, "r") as file:
        return [line.strip() for line in file]


def nist(path, field):
    """Return the cases of a file in NIST's form: blocks of `name = value` under `[headings]`.

    A block without `field` is not a case: its values hold for the cases below it, as those of a heading do.
    """
    cases, shared, block, heading = [], {}, {}, False
    for line in [*packaged_lines(path), ""]:
        if line.startswith("#"):
            continue
        if line.startswith("["):
            shared = shared if heading else {}
            name, _, value = line.strip("[]").partition("=")
            shared[name.strip().lower()] = value.strip()
            heading = True
        elif line:
            name, _, value = line.partition("=")
            name, heading = name.strip().lower(), False
            if name in block:  # blocks that nothing separates
                cases.append(shared | block)
                block = {}
            block[name] = value.strip()
        elif block:
            if field in block:
                cases.append(shared | block)
            else:
                shared = shared | block
            block = {}
    return cases


def rsa_laboratories(path):
    """Return the keys of a file in RSA Laboratories' form, by the names of their numbers, each with its examples.

    A number is some lines of hexadecimal digits below its name; an example is a message and its encryption.
    """
    keys, name, numbers = [], None, {}
    for line in [*packaged_lines(path), "# end:"]:
        if line.startswith("# ") and line.endswith(":"):
            if name == "encryption":
                keys[-1][1].append((bytes.fromhex(numbers["message"]), bytes.fromhex(numbers["encryption"])))
            if name == "coefficient":
                keys.append(({each: int(digits, 16) for each, digits in numbers.items()}, []))
            if line == "# Modulus:" and "coefficient" in numbers:
                numbers = {}
            name = line.strip("# :").lower()
            numbers[name] = ""
        elif name and not line.startswith("#"):
            numbers[name] += line.replace(" ", "")
    return keys


def unpadded(text):
    """Return what base64url without padding stands for."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parts_of(jwk):
    """Return a JSON Web Key as one that a caller brings."""
    members = {name: unpadded(jwk[name]) for name in PUBLIC if name in jwk}
    members |= {name: Sensitive(unpadded(jwk[name])) for name in PRIVATE if name in jwk}
    curve = {"secp256k1": "P-256K"}.get(jwk.get("crv"), jwk.get("crv"))
    return PrivateParts(type=KeyType(jwk["kty"]), curve=curve, **members)
