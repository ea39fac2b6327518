"""The kinds of object that the directory has: what each is called, and which of its properties are told unasked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from strongroom.access.identity.model import Application, Group, User
from strongroom.planes.graph import wire

Found = User | Group | Application

ODATA_TYPE = "@odata.type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of object. collection: its place in contexts; word: its type's name.

    answer: makes its wire object; unasked: what is told where `$select` asks for nothing, None for everything.
    """

    collection: str
    word: str
    type: type[wire.Entity]
    answer: Callable[[Any], wire.Entity]
    unasked: frozenset[str] | None = None

    @property
    def names(self) -> Mapping[str, str]:
        """The properties that there are, by their lower-case names."""
        fields = (each.encode_name for each in msgspec.structs.fields(self.type))
        return {name.lower(): name for name in fields if not name.startswith("@")}

    def properties(self, found: Any) -> dict[str, Any]:
        """Return all properties of an object."""
        properties: dict[str, Any] = msgspec.to_builtins(self.answer(found))
        return properties

    def shown(self, properties: dict[str, Any]) -> dict[str, Any]:
        """Return what is told of an object unasked."""
        if self.unasked is None:
            return properties
        return {name: value for name, value in properties.items() if name in self.unasked}


USER = Kind(
    collection="users",
    word="user",
    type=wire.UserAnswer,
    answer=wire.user_answer,
    # Source: Microsoft Graph, "List users", default properties.
    unasked=frozenset(
        {
            *("businessPhones", "displayName", "givenName", "id", "jobTitle", "mail", "mobilePhone", "officeLocation"),
            *("preferredLanguage", "surname", "userPrincipalName"),
        }
    ),
)
GROUP = Kind(collection="groups", word="group", type=wire.GroupAnswer, answer=wire.group_answer)
SERVICE_PRINCIPAL = Kind(
    collection="servicePrincipals",
    word="servicePrincipal",
    type=wire.ServicePrincipalAnswer,
    answer=wire.service_principal_answer,
)
APPLICATION = Kind(
    collection="applications", word="application", type=wire.ApplicationAnswer, answer=wire.application_answer
)
PRINCIPALS = (USER, GROUP, SERVICE_PRINCIPAL)


class AnyKind(Kind):
    """Users, groups and service principals in one list, each with its `@odata.type`."""

    @property
    def names(self) -> Mapping[str, str]:
        """The properties of any of them."""
        return {lowered: name for kind in PRINCIPALS for lowered, name in kind.names.items()}

    def properties(self, found: Found) -> dict[str, Any]:
        """Return all properties of an object, its type first."""
        kind = kind_of(found)
        return {ODATA_TYPE: _type(kind)} | kind.properties(found)

    def shown(self, properties: dict[str, Any]) -> dict[str, Any]:
        """Return what is told of an object of its kind unasked, and its type."""
        kind = next(kind for kind in PRINCIPALS if _type(kind) == properties[ODATA_TYPE])
        return {ODATA_TYPE: properties[ODATA_TYPE]} | kind.shown(
            {name: value for name, value in properties.items() if name != ODATA_TYPE}
        )


def _type(kind: Kind) -> str:
    return f"#microsoft.graph.{kind.word}"


def kind_of(found: Found) -> Kind:
    """Return the kind of a principal."""
    if isinstance(found, User):
        return USER
    return GROUP if isinstance(found, Group) else SERVICE_PRINCIPAL


ANY = AnyKind(
    collection="directoryObjects",
    word="directoryObject",
    type=wire.DirectoryObject,
    answer=lambda found: kind_of(found).answer(found),
)
