"""What secrets need of a storage."""

from strongroom.objects.secrets.model import SecretVersion
from strongroom.objects.store import ObjectStore

SecretStore = ObjectStore[SecretVersion]
