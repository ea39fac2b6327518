from datetime import UTC, datetime, timedelta

import pytest

from strongroom.errors import BadRequest
from strongroom.objects.lifecycle import (
    Kind,
    ObjectState,
    already_exists,
    deleted_but_recoverable,
    deleted_not_found,
    not_found,
    purge_protected,
    recovery_level,
    require_name,
    scheduled_purge,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "protected", "level"),
    [
        (90, False, "Recoverable+Purgeable"),
        (90, True, "Recoverable"),
        (7, False, "CustomizedRecoverable+Purgeable"),
        (89, True, "CustomizedRecoverable"),
    ],
)
def test_the_recovery_level_tells_retention_and_protection(days, protected, level):
    assert recovery_level(days, purge_protection=protected) == level


def test_retention_ends_at_the_scheduled_second():
    state = ObjectState(
        vault_id="v",
        kind=Kind.SECRET,
        name="s",
        latest="1",
        deleted=NOON,
        scheduled_purge=scheduled_purge(NOON, 7),
    )
    end = NOON + timedelta(days=7)
    assert state.is_deleted()
    assert not state.is_expired(end - timedelta(microseconds=1))
    assert state.is_expired(end)


@pytest.mark.parametrize("name", ["a", "A-1", "-", "0", "x" * 127])
def test_names_are_letters_digits_and_hyphens(name):
    require_name(name)


@pytest.mark.parametrize("name", ["", "a_b", "a b", "x" * 128, "ä", "a/b", "a\n", "a\x00", "..", "a.b"])
def test_other_names_are_refused_in_the_words_of_the_service(name):
    with pytest.raises(BadRequest) as caught:
        require_name(name)
    assert caught.value.message == f"The request URI contains an invalid name: {name}"
    assert caught.value.code == "BadParameter"


@pytest.mark.parametrize(
    ("error", "status", "code", "inner", "text"),
    [
        (
            not_found(Kind.SECRET, "s"),
            404,
            "SecretNotFound",
            None,
            (
                "A secret with (name/id) s was not found in this key vault. If you recently deleted this secret you "
                "may be able to recover it using the correct recovery command. For help resolving this issue, please "
                "see https://go.microsoft.com/fwlink/?linkid=2125182"
            ),
        ),
        (
            not_found(Kind.KEY, "k", "1"),
            404,
            "KeyNotFound",
            None,
            (
                "A key with (name/id) k/1 was not found in this key vault. If you recently deleted this key you may be "
                "able to recover it using the correct recovery command. For help resolving this issue, please see "
                "https://go.microsoft.com/fwlink/?linkid=2125182"
            ),
        ),
        (deleted_not_found(Kind.SECRET, "s"), 404, "SecretNotFound", None, "Deleted Secret not found: s"),
        (
            deleted_but_recoverable(Kind.SECRET, "s"),
            409,
            "Conflict",
            "ObjectIsDeletedButRecoverable",
            (
                "Secret s is currently in a deleted but recoverable state, and its name cannot be reused; in this "
                "state, the secret can only be recovered or purged."
            ),
        ),
        (
            already_exists(Kind.SECRET, "s"),
            409,
            "Conflict",
            None,
            ("A secret with the name s already exists in this key vault; restore never overwrites."),
        ),
        (
            purge_protected("kv", "local"),
            403,
            "Forbidden",
            None,
            (
                'Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault '
                "service will automatically purge it after the retention period has passed.\r\nVault: kv;location=local"
            ),
        ),
    ],
)
def test_errors_are_the_services_own(error, status, code, inner, text):
    assert (error.status, error.code, error.inner, error.message) == (status, code, inner, text)
