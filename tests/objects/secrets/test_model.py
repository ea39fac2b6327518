from datetime import UTC, datetime

import pytest

from strongroom.errors import BadRequest
from strongroom.objects.model import MAX_TAGS
from strongroom.objects.secrets.model import (
    MAX_VALUE_BYTES,
    SecretEdit,
    SecretVersion,
    require_value_size,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 24, 12, tzinfo=UTC)
FULL = SecretVersion(
    version="1",
    sealed=b"sealed",
    created=NOON,
    updated=NOON,
    enabled=False,
    not_before=NOON,
    expires=LATER,
    content_type="text/plain",
    tags=(("a", "b"),),
)


def test_an_edit_that_says_nothing_keeps_everything_but_the_time():
    edited = SecretEdit().applied_to(FULL, LATER)
    assert edited.updated == LATER
    assert edited == SecretVersion(
        version="1",
        sealed=b"sealed",
        created=NOON,
        updated=LATER,
        enabled=False,
        not_before=NOON,
        expires=LATER,
        content_type="text/plain",
        tags=(("a", "b"),),
    )


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("enabled", True),
        ("not_before", LATER),
        ("expires", NOON),
        ("content_type", ""),
        ("tags", ()),
        ("tags", (("c", "d"),)),
    ],
)
def test_an_edit_replaces_what_it_names_as_a_whole(change, value):
    assert getattr(SecretEdit(**{change: value}).applied_to(FULL, LATER), change) == value


@pytest.mark.parametrize(
    "edit",
    [
        SecretEdit(content_type="x" * 255),
        SecretEdit(tags=tuple((str(i), "") for i in range(MAX_TAGS))),
        SecretEdit(tags=(("x" * 512, "y" * 512),)),
        SecretEdit(not_before=LATER, expires=NOON),
    ],
)
def test_what_reaches_a_limit_is_accepted(edit):
    edit.require_within_limits()


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (SecretEdit(content_type="x" * 256), "contentType"),
        (SecretEdit(tags=tuple((str(i), "") for i in range(MAX_TAGS + 1))), "tags"),
        (SecretEdit(tags=(("x" * 513, ""),)), "tags"),
        (SecretEdit(tags=(("x", "y" * 513),)), "tags"),
    ],
)
def test_what_passes_a_limit_is_refused_by_name(edit, named):
    with pytest.raises(BadRequest, match=f"^Property {named} has invalid value") as caught:
        edit.require_within_limits()
    assert caught.value.code == "BadParameter"


def test_a_value_has_at_most_25_kilobytes():
    require_value_size(MAX_VALUE_BYTES)
    with pytest.raises(BadRequest) as caught:
        require_value_size(MAX_VALUE_BYTES + 1)
    assert caught.value.message == "Secret is beyond the maximum permitted length of 25600 characters."
    assert caught.value.inner == "SecretTooLarge"
