import pytest

from strongroom.access.identity.naming import require_description, require_display_name, require_principal_name
from strongroom.errors import BadRequest

NAMES = [
    "anna@example.com",
    "O'Neill.Jr_-!#^~9@localhost",
    "_a@x-y.example",
    f"{'a' * 64}@{'b' * 48}",
]
NO_NAMES = [
    "",
    "anna",
    "@example.com",
    "anna@",
    "anna@@example.com",
    "anna@b@example.com",
    ".anna@example.com",
    "anna.@example.com",
    "an na@example.com",
    "an+na@example.com",
    "änna@example.com",
    "anna@exämple.com",
    "anna@-example.com",
    "anna@example-.com",
    "anna@example..com",
    "anna@example.com.",
    "anna@exam_ple.com",
    "anna@example.com\nx",
    f"{'a' * 65}@example.com",
    f"a@{'b' * 49}",
]


@pytest.mark.parametrize("name", NAMES)
def test_principal_names(name):
    assert require_principal_name(f" {name} ") == name


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_principal_name_is_told_how_one_looks(name):
    with pytest.raises(BadRequest, match="looks like anna"):
        require_principal_name(name)


def test_display_names_and_descriptions_are_bounded_and_printable():
    assert require_display_name(" Äpfel & Co. ") == "Äpfel & Co."
    assert require_display_name("x" * 256) == "x" * 256
    assert require_description("") == ""
    assert require_description("x" * 1024) == "x" * 1024
    for check, bad in (
        (require_display_name, ["", "  ", "x" * 257, "a\nb", "a\x00b", "a\u202eb"]),
        (require_description, ["x" * 1025, "a\nb"]),
    ):
        for text in bad:
            with pytest.raises(BadRequest):
                check(text)
