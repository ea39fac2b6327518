"""What keys need of a storage."""

from strongroom.objects.keys.model import KeyVersion
from strongroom.objects.store import ObjectStore

KeyStore = ObjectStore[KeyVersion]
