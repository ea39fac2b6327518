"""What is kept of keys after the server was killed: does every version sign, by the public part that was told of it?"""

from dataclasses import dataclass, field

from jwk_doubles import encoded
from key_proofs import ALGORITHMS, digest_for, is_signed_by, kind_of, public_of, value_of
from lives import FREE, Life
from strongroom.custody.provider import Place
from strongroom.errors import StrongroomError
from strongroom.objects.model import Held

VERSIONS = 10_000


@dataclass(frozen=True, slots=True)
class KeptKey:
    """A key as it lies there. versions: {id: JSON Web Key}, oldest first; wrong: what is wrong with it, in words."""

    life: Life = FREE
    versions: dict = field(default_factory=dict)
    wrong: tuple = ()


async def read_key(keys, name):
    """Return what is kept of a key, each version of which has signed and was judged; keys: those of its vault."""
    state = await keys.store.find_state(keys.vault.vault_id, name)
    if state is None:
        return KeptKey()
    versions = await keys.store.list_versions(keys.vault.vault_id, name, after=None, limit=VERSIONS)
    found = {version.version: web_key(version) for version in versions}
    wrong = [await _fault_of(keys, Held(state, version), found[version.version]) for version in versions]
    if [state.latest] != list(found)[-1:]:
        wrong.append("its newest version is not the last of its versions")
    marks = [dict(version.tags).get("mark") for version in versions]
    life = Life(tuple(zip(map(value_of, found.values()), marks, strict=True)), state.is_deleted())
    return KeptKey(life, found, tuple(f"key {name}: {text}" for text in wrong if text))


def web_key(version):
    """Return the public part of a kept version as a JSON Web Key."""
    public = {member: getattr(version.public, member) for member in ("x", "y", "n", "e")}
    found = {"kty": version.spec.type.value} | {name: encoded(octets) for name, octets in public.items() if octets}
    return found | ({"crv": version.spec.curve} if version.spec.curve else {})


async def _fault_of(keys, held, key):
    """Return why what is private of a version does not belong to its public part, "" when it does. Deleted ones too."""
    version, kind = held.version, kind_of(key)
    try:
        lies_under, handle = await keys.sealing_key(held)
        place = Place(lies_under, keys.place(held.state.name, version.version))
        provider = keys.keepers.of(version)
        signed = await provider.sign(version.kept(handle), place, ALGORITHMS[kind], digest_for(kind))
    except StrongroomError as error:
        return f"version {version.version} does not sign: {error!r}"
    return "" if is_signed_by(key, encoded(signed)) else f"version {version.version} signs for another public part"


class ToldVersions:
    """The versions that a key must have by its answers, each as it was told, None when it was not answered."""

    def __init__(self):
        self._versions = []

    def follow(self, entry, before, after):
        """Take in what one entry did: it made a version, or purged all of them, or neither."""
        if len(after.versions) > len(before.versions):
            self._versions.append(entry.key if entry.status is not None else None)
        elif after == FREE:
            self._versions = []

    def compare(self, name, kept):
        """Return what is wrong with what is kept."""
        wrong = list(kept.wrong)
        if len(self._versions) != len(kept.versions):
            return [*wrong, f"key {name} should have {len(self._versions)} versions and has {len(kept.versions)}"]
        for told, (version, key) in zip(self._versions, kept.versions.items(), strict=True):
            if told is not None and (version, key) != (told["kid"].rpartition("/")[2], public_of(told)):
                wrong.append(f"key {name} was told to have {told}, and has {version}: {key}")
        return wrong
