"""What principals may be called.

Sources: Microsoft Graph, properties of `user` and `group`; "Property UserPrincipalName requirements" of Microsoft 365.
"""

import re
import unicodedata

from strongroom.errors import BadRequest

NAME_LENGTH = 256
DESCRIPTION_LENGTH = 1024

# 64 characters before the @, none of them a full stop at either end, and 48 after it.
PRINCIPAL_NAME = re.compile(r"(?!\.)[A-Za-z0-9'._!#^~-]{1,64}(?<!\.)@([A-Za-z0-9.-]{1,48})\Z", re.ASCII)
LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z", re.ASCII)


def require_display_name(text: str) -> str:
    """Return a display name without the space around it; BadRequest unless it has 1 to 256 printable characters."""
    name = text.strip()
    if not 0 < len(name) <= NAME_LENGTH or not _is_printable(name):
        raise BadRequest(f"A display name has 1 to {NAME_LENGTH} printable characters.")
    return name


def require_description(text: str) -> str:
    """Return a description without the space around it; BadRequest unless it has up to 1024 printable characters."""
    description = text.strip()
    if len(description) > DESCRIPTION_LENGTH or not _is_printable(description):
        raise BadRequest(f"A description has at most {DESCRIPTION_LENGTH} printable characters, on one line.")
    return description


def require_principal_name(text: str) -> str:
    """Return a user principal name without the space around it; BadRequest unless it is one: `alias@domain`."""
    name = text.strip()
    found = PRINCIPAL_NAME.match(name)
    if found is None or not all(LABEL.match(label) for label in found.group(1).split(".")):
        raise BadRequest(
            "A user principal name looks like anna@example.com: at most 64 letters, digits and any of ' . - _ ! # ^ ~ "
            "before the @, no full stop at either end, and a domain of at most 48 characters after it."
        )
    return name


def _is_printable(text: str) -> bool:
    return all(unicodedata.category(character)[0] != "C" for character in text)
