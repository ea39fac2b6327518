"""What the lives of secrets, keys and vaults may answer: pure models, judges of what a server says under stress.

An outcome is what an answer tells: its status, and what it says of the thing (None where it says nothing). A mark is a
text that every writing carries and every later answer shows, so that writings can be told apart.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Act:
    """What a client asks for. value, mark: what a writing writes."""

    kind: str
    value: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Life:
    """versions: values and marks, oldest first; none of them: the name is free. A vault has one, without a value.

    The value of a key says what it is, such as P-384, and whether it was brought or made there.
    """

    versions: tuple[tuple[str, str], ...] = ()
    deleted: bool = False

    @property
    def is_living(self):
        return bool(self.versions) and not self.deleted

    @property
    def newest(self):
        return self.versions[-1]

    def marked(self, mark):
        """Return this life with another mark on its newest version."""
        return replace(self, versions=(*self.versions[:-1], (self.newest[0], mark)))


FREE = Life()
WRITES = frozenset({"set", "create", "import", "rotate", "update", "delete", "recover", "purge", "put", "patch"})
BROUGHT = "brought "
"""How the value of a key begins that was imported."""


def secret_outcome(life, act):
    """Return the outcome of an act on a secret, and its life after it."""
    return _SECRET[act.kind](life, act)


def key_outcome(life, act):
    """Return the outcome of an act on a key, and its life after it."""
    return _KEY[act.kind](life, act)


def vault_outcome(life, act):
    """Return the outcome of an act on a vault, and its life after it."""
    return _VAULT[act.kind](life, act)


def _set(life, act):
    if life.deleted:
        return (409, None), life
    return (200, (act.value, act.mark)), replace(life, versions=(*life.versions, (act.value, act.mark)))


def _update(life, act):
    return ((200, act.mark), life.marked(act.mark)) if life.is_living else ((404, None), life)


def _get(life, _):
    return ((200, life.newest) if life.is_living else (404, None)), life


def _list_versions(life, _):
    return (200, tuple(mark for _, mark in life.versions) if life.is_living else ()), life


def _delete(life, _):
    return ((200, life.newest[1]), replace(life, deleted=True)) if life.is_living else ((404, None), life)


def _get_deleted(life, _):
    return ((200, life.newest[1]) if life.deleted else (404, None)), life


def _recover(life, _):
    return ((200, life.newest[1]), replace(life, deleted=False)) if life.deleted else ((404, None), life)


def _purge(life, _):
    return ((204, None), FREE) if life.deleted else ((404, None), life)


def _rotate_key(life, _):
    if not life.is_living:
        return (404, None), life
    value, mark = life.newest
    return _set(life, Act("rotate", value.removeprefix(BROUGHT), mark))


def _sign_with_key(life, _):
    return ((200, life.newest[0]) if life.is_living else (404, None)), life


def _put_vault(life, act):
    return ((409, None), life) if life.deleted else ((200, act.mark), Life((("", act.mark),)))


def _get_vault(life, _):
    return ((200, life.newest[1]) if life.is_living else (404, None)), life


def _delete_vault(life, _):
    return ((200, None), replace(life, deleted=True)) if life.is_living else ((204, None), life)


def _recover_vault(life, _):
    if life.is_living:
        return (409, None), life
    return _recover(life, _)


def _purge_vault(life, _):
    return ((202, None), FREE) if life.deleted else ((404, None), life)


_SECRET = {
    "set": _set,
    "update": _update,
    "get": _get,
    "versions": _list_versions,
    "delete": _delete,
    "get-deleted": _get_deleted,
    "recover": _recover,
    "purge": _purge,
}
_KEY = {
    "create": _set,
    "import": _set,
    "rotate": _rotate_key,
    "sign": _sign_with_key,
    "update": _update,
    "get": _get,
    "versions": _list_versions,
    "delete": _delete,
    "get-deleted": _get_deleted,
    "recover": _recover,
    "purge": _purge,
}
_VAULT = {
    "put": _put_vault,
    "patch": _update,
    "get": _get_vault,
    "delete": _delete_vault,
    "get-deleted": _get_deleted,
    "recover": _recover_vault,
    "purge": _purge_vault,
}
SECRET_ACTS = tuple(_SECRET)
KEY_ACTS = tuple(_KEY)
VAULT_ACTS = tuple(_VAULT)
OUTCOMES = {"secrets": secret_outcome, "keys": key_outcome, "vaults": vault_outcome}
