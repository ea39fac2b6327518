"""A key that was made, or taken in, for a version that is not there yet."""

from dataclasses import dataclass

from strongroom.custody.provider import KeptKey, KeyProvider, Place
from strongroom.custody.store import DataKey
from strongroom.objects.keys.model import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A key that was made for a version that is not there yet. key: the data key that its handle lies under."""

    version: str
    key: DataKey
    kept: KeptKey
    hsm: bool
    platform: str
    exportable: bool = False


def made_of(version: str, place: Place, kept: KeptKey, provider: KeyProvider, terms: Terms, *, hsm: bool) -> Made:
    """Return what `provider` made for a version, on these terms."""
    return Made(
        version=version,
        key=place.key,
        kept=kept,
        hsm=hsm,
        platform=provider.platform,
        exportable=terms.exportable,
    )
