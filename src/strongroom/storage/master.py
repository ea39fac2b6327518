"""What a data directory says of its master key, read before that key is there to authenticate it.

An edit of it opens nothing: a wrong description names a key that does not open the data, and a handover is sealed.
"""

from pathlib import Path

import msgspec

from strongroom.custody.master import Description, decode_description
from strongroom.custody.sealing import SealBroken
from strongroom.custody.succession import HANDOVER_FACT, MASTER_FACT
from strongroom.storage.connection import MAIN_FILE
from strongroom.storage.directory import peek
from strongroom.storage.resources import Fact

FACT = "SELECT document FROM facts WHERE name = ?"


def find_description(data_dir: Path) -> Description | None:
    """Return what the data say of their master key, None when there are no data or they say nothing."""
    kept = _fact(data_dir / MAIN_FILE, MASTER_FACT)
    return decode_description(kept) if kept else None


def find_handover(main: Path) -> bytes | None:
    """Return the next master key as it was left for those who hold the one before, None when it was not."""
    return _fact(main, HANDOVER_FACT) or None


def has_keys(data_dir: Path) -> bool:
    """Answer whether a data directory has a keyring, so that there is a master key that it lies under."""
    return peek(data_dir / MAIN_FILE, "data_keys", "SELECT 1 FROM data_keys LIMIT 1") is not None


def _fact(main: Path, name: str) -> bytes | None:
    document = peek(main, "facts", FACT, (name,))
    if document is None:
        return None
    try:
        return msgspec.json.decode(document, type=Fact).value
    except (msgspec.MsgspecError, TypeError):
        raise SealBroken("a row of facts is not as it was written") from None
