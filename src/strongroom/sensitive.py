"""A value that cannot leak by accident: the one word to grep for is `reveal`."""

from typing import Final, Generic, NoReturn, TypeVar

T = TypeVar("T")


class Sensitive(Generic[T]):
    """A value readable only through `reveal()`: no repr, no str, no JSON, no pickle, no copy."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value: Final = value

    def reveal(self) -> T:
        """Return the value; called only in `custody` and where a secret is rendered for its owner."""
        return self._value

    def __repr__(self) -> str:
        return "Sensitive(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Sensitive value cannot be pickled or copied")
