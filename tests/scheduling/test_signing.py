from dataclasses import replace
from datetime import UTC, datetime, timedelta

from doubles import MemoryStorage, a_signing_key
from strongroom.access.identity.signing import TOKEN_LIFETIME
from strongroom.scheduling.signing import sweep_signing_keys

RETIRED = datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_key_goes_when_its_last_token_has_expired_and_not_before():
    storage = MemoryStorage()
    old, new = replace(a_signing_key(), retired=RETIRED), replace(a_signing_key(2), begins=RETIRED)
    storage.stores.identity.signing_keys[:] = [old, new]
    end = RETIRED + TOKEN_LIFETIME
    assert await sweep_signing_keys(storage, end - timedelta(seconds=1)) == 0
    assert storage.records == []
    assert await sweep_signing_keys(storage, end) == 1
    assert storage.stores.identity.signing_keys == [new]
    body = storage.bodies()[0]
    assert body["operationName"] == "Strongroom.SigningKey/delete"
    assert body["properties"]["keyIds"] == [old.kid]
    assert body["properties"]["actor"] == "server"
