from datetime import timedelta

import pytest
from msgspec.structs import replace

from doubles import MemoryStorage
from strongroom.clock import whole_seconds
from strongroom.custody.sealing import SealBroken
from strongroom.custody.store import Purpose
from strongroom.errors import BadRequest, Conflict, Forbidden, NotFound, ObjectDisabled
from strongroom.objects.secrets.model import SecretEdit
from strongroom.sensitive import Sensitive
from vault_doubles import NOON, a_vault, days, put_vault, secrets_of


@pytest.fixture
def storage():
    return MemoryStorage()


@pytest.fixture
async def vault(storage):
    return await put_vault(storage, a_vault(retention_days=7))


@pytest.fixture
def secrets(storage, vault):
    return secrets_of(storage, vault)


@pytest.fixture
def later(storage, vault):
    return lambda passed: secrets_of(storage, vault, NOON + passed)


def value(text="hunter2"):
    return Sensitive(text.encode())


async def test_a_secret_is_told_as_it_was_set(secrets):
    edit = SecretEdit(enabled=True, not_before=NOON, expires=NOON, content_type="text", tags=(("a", "b"),))
    made = await secrets.set("Name", value("pässwörd"), edit)
    found, opened = await secrets.get("name")
    assert found == made
    assert opened.reveal().decode() == "pässwörd"
    assert made.version.created == made.version.updated == whole_seconds(NOON)
    assert (made.state.name, made.version.content_type, made.version.tags) == ("Name", "text", (("a", "b"),))


async def test_the_empty_value_is_a_value(secrets):
    await secrets.set("s", value(""), SecretEdit())
    _, opened = await secrets.get("s")
    assert opened.reveal() == b""


async def test_values_lie_sealed(secrets, storage):
    await secrets.set("s", value("hunter2"), SecretEdit())
    assert "hunter2" not in repr(storage.stores.secrets.versions)


async def test_a_new_version_takes_nothing_over(secrets):
    first = await secrets.set("s", value("1"), SecretEdit(enabled=False, content_type="c", tags=(("a", "b"),)))
    second = await secrets.set("S", value("2"), SecretEdit())
    newest, opened = await secrets.get("s")
    assert (newest, opened.reveal()) == (second, b"2")
    assert (second.state.name, second.version.enabled, second.version.content_type, second.version.tags) == (
        "s",
        True,
        None,
        (),
    )
    assert first.version.version != second.version.version


async def test_an_old_version_stays_readable(secrets):
    first = await secrets.set("s", value("1"), SecretEdit())
    await secrets.set("s", value("2"), SecretEdit())
    found, opened = await secrets.get("s", first.version.version.upper())
    assert (found.version, opened.reveal()) == (first.version, b"1")


async def test_versions_of_one_second_keep_their_order(secrets):
    made = [(await secrets.set("s", value(str(i)), SecretEdit())).version for i in range(5)]
    assert [secret.version for secret in await secrets.list_versions("s", None, 25)] == made
    after = made[1].version
    assert [secret.version for secret in await secrets.list_versions("s", after, 2)] == made[2:4]


@pytest.mark.parametrize("moment", [-1, 0, 400])
async def test_a_secret_is_told_before_and_after_its_window(secrets, later, moment):
    await secrets.set("s", value(), SecretEdit(not_before=NOON + days(1), expires=NOON + days(2)))
    _, opened = await later(days(moment)).get("s")
    assert opened.reveal() == b"hunter2"


async def test_a_disabled_version_is_not_told(secrets):
    made = await secrets.set("s", value(), SecretEdit(enabled=False))
    for version in (None, made.version.version):
        with pytest.raises(ObjectDisabled) as caught:
            await secrets.get("s", version)
        assert caught.value.message == "Operation get is not allowed on a disabled secret."
        assert (caught.value.status, caught.value.inner) == (403, "SecretDisabled")
    assert [one.version.enabled for one in await secrets.list(None, 25)] == [False]


async def test_an_edit_changes_attributes_and_never_the_value(secrets, later):
    made = await secrets.set("s", value(), SecretEdit(content_type="c"))
    await secrets.set("s", value("other"), SecretEdit())
    edited = await later(days(1)).update("s", made.version.version, SecretEdit(tags=(("a", "b"),)))
    found, opened = await secrets.get("s", made.version.version)
    assert found == edited
    assert opened.reveal() == b"hunter2"
    assert (found.version.content_type, found.version.tags) == ("c", (("a", "b"),))
    assert found.version.updated == whole_seconds(NOON) + days(1)
    assert found.version.created == whole_seconds(NOON)


async def test_an_edit_without_a_version_means_the_newest(secrets):
    await secrets.set("s", value("1"), SecretEdit())
    newest = await secrets.set("s", value("2"), SecretEdit())
    edited = await secrets.update("s", None, SecretEdit(enabled=False))
    assert edited.version.version == newest.version.version
    enabled = await secrets.update("s", None, SecretEdit(enabled=True))
    assert enabled.version.enabled


@pytest.mark.parametrize("name", ["a_b", "", "x" * 128])
async def test_no_operation_takes_a_name_that_no_secret_can_have(secrets, name):
    for operation in (
        secrets.get(name),
        secrets.set(name, value(), SecretEdit()),
        secrets.update(name, None, SecretEdit()),
        secrets.delete(name),
        secrets.list_versions(name, None, 25),
        secrets.get_deleted(name),
        secrets.recover(name),
        secrets.purge(name),
    ):
        with pytest.raises(BadRequest, match="invalid name"):
            await operation


async def test_what_is_not_there_is_not_found(secrets):
    for operation in (secrets.get("s"), secrets.update("s", None, SecretEdit()), secrets.delete("s")):
        with pytest.raises(NotFound, match=r"A secret with \(name/id\) s was not found"):
            await operation
    for operation in (secrets.get_deleted("s"), secrets.recover("s"), secrets.purge("s")):
        with pytest.raises(NotFound, match=r"^Deleted Secret not found: s$"):
            await operation
    assert await secrets.list_versions("s", None, 25) == ()


async def test_a_version_that_is_not_there_is_not_found(secrets):
    await secrets.set("s", value(), SecretEdit())
    with pytest.raises(NotFound, match=r"\(name/id\) s/abc was"):
        await secrets.get("s", "abc")
    with pytest.raises(NotFound):
        await secrets.update("s", "abc", SecretEdit())


async def test_limits_hold_where_secrets_are_set_and_edited(secrets):
    long = SecretEdit(content_type="x" * 256)
    with pytest.raises(BadRequest):
        await secrets.set("s", value(), long)
    with pytest.raises(BadRequest):
        await secrets.set("s", value("ä" * 12_801), SecretEdit())
    await secrets.set("s", value("ä" * 12_800), SecretEdit())
    with pytest.raises(BadRequest):
        await secrets.update("s", None, long)


async def test_a_deleted_secret_is_gone_from_the_living_and_comes_back_whole(secrets):
    made = [await secrets.set("s", value(str(i)), SecretEdit()) for i in range(3)]
    deleted = await secrets.delete("S")
    assert deleted.version == made[-1].version
    assert deleted.state.deleted == whole_seconds(NOON)
    assert deleted.state.scheduled_purge == whole_seconds(NOON) + days(7)
    for operation in (secrets.get("s"), secrets.update("s", None, SecretEdit()), secrets.delete("s")):
        with pytest.raises(NotFound):
            await operation
    assert await secrets.list(None, 25) == ()
    assert await secrets.list_versions("s", None, 25) == ()
    assert await secrets.list_deleted(None, 25) == (deleted,)
    assert await secrets.get_deleted("s") == deleted

    recovered = await secrets.recover("s")
    assert recovered == made[-1]
    assert await secrets.list_deleted(None, 25) == ()
    assert [one.version for one in await secrets.list_versions("s", None, 25)] == [one.version for one in made]
    _, opened = await secrets.get("s", made[0].version.version)
    assert opened.reveal() == b"0"


async def test_the_name_of_a_deleted_secret_is_held(secrets):
    await secrets.set("Held", value(), SecretEdit())
    await secrets.delete("held")
    with pytest.raises(Conflict, match=r"^Secret Held is currently in a deleted but recoverable state") as caught:
        await secrets.set("held", value(), SecretEdit())
    assert caught.value.inner == "ObjectIsDeletedButRecoverable"


async def test_recovery_is_for_the_deleted(secrets):
    await secrets.set("s", value(), SecretEdit())
    with pytest.raises(NotFound):
        await secrets.recover("s")
    with pytest.raises(NotFound):
        await secrets.purge("s")


async def test_a_purged_secret_is_gone_and_frees_its_name(secrets):
    old = await secrets.set("s", value("old"), SecretEdit())
    await secrets.delete("s")
    await secrets.purge("S")
    with pytest.raises(NotFound):
        await secrets.recover("s")
    await secrets.set("s", value("new"), SecretEdit())
    with pytest.raises(NotFound):
        await secrets.get("s", old.version.version)


async def test_purge_protection_holds_until_the_time_has_come(storage):
    vault = await put_vault(storage, a_vault("protected", purge_protection=True, retention_days=7))
    secrets = secrets_of(storage, vault)
    await secrets.set("s", value(), SecretEdit())
    await secrets.delete("s")
    with pytest.raises(Forbidden, match=r'^Operation "purge" is not allowed because purge protection'):
        await secrets.purge("s")
    almost = secrets_of(storage, vault, NOON + days(7) - timedelta(seconds=1))
    with pytest.raises(Forbidden):
        await almost.purge("s")


async def test_after_its_retention_a_secret_is_gone_though_nobody_swept(secrets, later, storage):
    await secrets.set("s", value("old"), SecretEdit())
    await secrets.delete("s")
    after = later(days(7))
    for operation in (after.get_deleted("s"), after.recover("s"), after.purge("s"), after.get("s")):
        with pytest.raises(NotFound):
            await operation
    assert await after.list_deleted(None, 25) == ()
    made = await after.set("s", value("new"), SecretEdit())
    assert [one.version for one in await after.list_versions("s", None, 25)] == [made.version]
    assert "old" not in repr(storage.stores.secrets.versions)


async def test_lists_go_by_name_page_by_page(secrets):
    for name in ("b", "A", "c", "D"):
        await secrets.set(name, value(), SecretEdit())
    page = await secrets.list(None, 2)
    assert [one.state.name for one in page] == ["A", "b"]
    assert [one.state.name for one in await secrets.list("b", 25)] == ["c", "D"]


async def test_a_secret_moved_to_another_place_does_not_open(secrets, storage, vault):
    await secrets.set("a", value("1"), SecretEdit())
    await secrets.set("b", value("2"), SecretEdit())
    versions = storage.stores.secrets.versions
    (of_a,), (of_b,) = versions[vault.vault_id, "a"].values(), versions[vault.vault_id, "b"].values()
    versions[vault.vault_id, "a"] = {of_a.version: replace(of_a, sealed=of_b.sealed)}
    with pytest.raises(SealBroken):
        await secrets.get("a")


async def test_a_vault_without_its_key_seals_and_opens_nothing(secrets, storage, vault):
    await secrets.set("s", value(), SecretEdit())
    await storage.stores.keyring.remove_scope(Purpose.VAULT, vault.vault_id)
    with pytest.raises(SealBroken):
        await secrets.get("s")
    with pytest.raises(SealBroken):
        await secrets.set("s", value(), SecretEdit())


async def test_a_value_under_another_vaults_key_does_not_open(secrets, storage, vault):
    other = await put_vault(storage, a_vault("kv2"))
    made = await secrets_of(storage, other).set("s", value(), SecretEdit())
    await storage.stores.secrets.add_version(
        type(made.state)(vault_id=vault.vault_id, kind=made.state.kind, name="s", latest=made.version.version),
        made.version,
    )
    with pytest.raises(SealBroken):
        await secrets.get("s")


async def test_a_revision_says_what_the_newest_version_said_but_for_what_is_edited(secrets):
    said = SecretEdit(enabled=False, not_before=NOON, expires=NOON, content_type="c", tags=(("a", "b"),))
    first = await secrets.set("s", value("1"), said)
    second = await secrets.revise("S", value("2"), SecretEdit(content_type="d"))
    assert second.version == replace(
        first.version, version=second.version.version, sealed=second.version.sealed, content_type="d"
    )
    assert (await secrets.open(second)).reveal() == b"2"
    assert (await secrets.open(first)).reveal() == b"1"
    third = await secrets.revise("s", value("3"), SecretEdit(enabled=True, tags=()))
    assert (third.version.enabled, third.version.tags, third.version.content_type) == (True, (), "d")
    for name in ("none", "s"):
        if name == "s":
            await secrets.delete("s")
        with pytest.raises(NotFound):
            await secrets.revise(name, value("4"), SecretEdit())


async def test_what_is_looked_for_among_the_living_may_not_be_there(secrets):
    assert await secrets.find_living("s") is None
    made = await secrets.set("s", value("1"), SecretEdit(enabled=False))
    assert await secrets.find_living("S") == made
    assert await secrets.find_living("s", "0" * 32) is None
    await secrets.delete("s")
    assert await secrets.find_living("s") is None
    with pytest.raises(BadRequest):
        await secrets.find_living("no_name")
