"""All that decides access at one moment, as data: what explanations and previews are made from.

Nothing here decides anything; `evaluation` does, for these as for requests.
"""

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from strongroom.access.authorization.evaluation import Holdings, Roles
from strongroom.access.authorization.model import RoleAssignment
from strongroom.access.authorization.store import Places
from strongroom.access.identity.model import Application, Group, Membership, PrincipalType, Relation, User
from strongroom.access.identity.store import IdentityStore
from strongroom.vaults.census import list_living
from strongroom.vaults.model import Vault, id_of_vault

VAULT_DEPTH = 9
"""How many segments the resource id of a vault has, the empty one before its first slash counted."""

Chain = tuple[str, ...]
"""The groups through which somebody has what another was given: the one that he is in first, the holder last."""


class Everything(Places, Protocol):
    """The stores that a world is read from."""

    @property
    def identity(self) -> IdentityStore: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Somebody of whom it is asked what he may do.

    name: what tells it from others of its kind. app_id: the application that it comes through, "" for none.
    known: whether the directory has it; of others a grant may still name the id. principals: every id whose grants
    count for it.
    """

    object_id: str
    type: PrincipalType
    tenant_id: str
    display_name: str
    name: str
    app_id: str = ""
    enabled: bool = True
    known: bool = True
    principals: frozenset[str] = frozenset()

    @property
    def acts(self) -> bool:
        """Whether it can send a request at all: groups do not, nor does who is disabled or not there."""
        return self.enabled and self.known and self.type is not PrincipalType.GROUP


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that decides access, at one moment. principals: of every kind; vaults: the living ones."""

    now: datetime
    roles: Roles
    principals: tuple[User | Group | Application, ...] = ()
    memberships: tuple[Membership, ...] = ()
    assignments: tuple[RoleAssignment, ...] = ()
    vaults: tuple[Vault, ...] = ()


@dataclass(frozen=True, slots=True)
class _Index:
    """What of a world is looked up again and again."""

    subjects: dict[str, Subject] = field(default_factory=dict)
    above: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    below: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    owned: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    held: defaultdict[str, list[RoleAssignment]] = field(default_factory=lambda: defaultdict(list))
    at: defaultdict[str, list[RoleAssignment]] = field(default_factory=lambda: defaultdict(list))
    inside: defaultdict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))


class Atlas:
    """A world with its indices: who is in which group, what is held by whom, and where.

    remembered: what single grants were found to allow, for who asks of it again.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self._index = index = _Index()
        for membership in world.memberships:
            if membership.relation is Relation.OWNER:
                index.owned[membership.member_id].append(membership.group_id)
            else:
                index.above[membership.member_id].append(membership.group_id)
                index.below[membership.group_id].append(membership.member_id)
        for assignment in world.assignments:
            index.held[assignment.principal_id].append(assignment)
            index.at[assignment.scope].append(assignment)
            segments = assignment.scope.split("/")
            if len(segments) > VAULT_DEPTH:
                index.inside["/".join(segments[:VAULT_DEPTH])][assignment.scope] = None
        for principal in world.principals:
            index.subjects[principal.object_id] = _subject(principal, self.all_above(principal.object_id))
        self._members: dict[str, dict[str, Chain]] = {}
        self._holdings: dict[str, Holdings] = {}
        self.remembered: dict[Hashable, Mapping[str, tuple[str, ...]]] = {}

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """Everybody whom the directory has, groups too."""
        return tuple(self._index.subjects.values())

    def subject(self, object_id: str) -> Subject:
        """Return who has an object id; nobody that is known where the directory has none."""
        return self._index.subjects.get(object_id) or Subject(
            object_id=object_id,
            type=PrincipalType.SERVICE_PRINCIPAL,
            tenant_id="",
            display_name=object_id,
            name=object_id,
            known=False,
            principals=frozenset({object_id}),
        )

    def all_above(self, object_id: str) -> frozenset[str]:
        """Return an id and those of all groups that it is in, through others too."""
        return frozenset(_reached(object_id, self._index.above))

    def members(self, holder: str) -> Mapping[str, Chain]:
        """Return every id for which counts what a holder was given, with the shortest way from it to the holder."""
        found = self._members.get(holder)
        if found is None:
            down = _reached(holder, self._index.below)
            found = {each: (*reversed(chain[:-1]), holder) if chain else () for each, chain in down.items()}
            self._members[holder] = found
        return found

    def owned_by(self, object_id: str) -> tuple[str, ...]:
        """Return the groups that a principal is an owner of."""
        return tuple(dict.fromkeys(self._index.owned.get(object_id, ())))

    def held_by(self, object_id: str) -> tuple[RoleAssignment, ...]:
        """Return what a principal was given itself."""
        return tuple(self._index.held.get(object_id, ()))

    def holdings(self, object_ids: Iterable[str]) -> list[Holdings]:
        """Return what these hold, for decisions."""
        return [self._holding(each) for each in sorted(object_ids) if each in self._index.held]

    def assigned_at(self, scope: str, subject: Subject | None = None) -> Iterable[RoleAssignment]:
        """Return the assignments at a scope itself, of everybody or those that count for one principal."""
        if subject is None:
            return self._index.at.get(scope, ())
        held = (self._holding(each) for each in sorted(subject.principals) if each in self._index.held)
        return [assignment for each in held for assignment in each.by_scope.get(scope, ())]

    def scopes_in(self, vault_path: str) -> tuple[str, ...]:
        """Return the scopes inside a vault at which roles were given."""
        return tuple(self._index.inside.get(vault_path, ()))

    def _holding(self, object_id: str) -> Holdings:
        found = self._holdings.get(object_id)
        if found is None:
            found = self._holdings[object_id] = Holdings(self._index.held[object_id])
        return found


def path_of(vault: Vault) -> str:
    """Return the resource id of a vault as scopes compare."""
    return id_of_vault(vault).lower()


async def read_world(stores: Everything, *, now: datetime) -> World:
    """Return all that decides access, as the stores have it."""
    groups = await stores.identity.list_groups()
    applications, users = await stores.identity.list_applications(), await stores.identity.list_users()
    memberships = [
        membership
        for group in groups
        for relation in Relation
        for membership in await stores.identity.list_memberships(group.object_id, relation)
    ]
    vaults = await list_living(stores)
    return World(
        now=now,
        roles=await stores.roles.roles(),
        principals=(*users, *applications, *groups),
        memberships=tuple(memberships),
        assignments=await stores.assignments.list_all(),
        vaults=tuple(vaults),
    )


def _subject(found: User | Group | Application, principals: frozenset[str]) -> Subject:
    fresh = Subject(
        object_id=found.object_id,
        type=PrincipalType.GROUP,
        tenant_id=found.tenant_id,
        display_name=found.display_name,
        name=found.object_id,
        principals=principals,
    )
    if isinstance(found, User):
        return replace(fresh, type=PrincipalType.USER, name=found.user_principal_name, enabled=found.enabled)
    if isinstance(found, Application):
        kind = PrincipalType.SERVICE_PRINCIPAL
        return replace(fresh, type=kind, name=found.app_id, app_id=found.app_id, enabled=found.enabled)
    return fresh


def _reached(start: str, following: Mapping[str, list[str]]) -> dict[str, Chain]:
    """Return every id that is reached, with the shortest way to it; circles end where they began."""
    found: dict[str, Chain] = {start: ()}
    due = deque([start])
    while due:
        here = due.popleft()
        for there in following.get(here, ()):
            if there not in found:
                found[there] = (*found[here], there)
                due.append(there)
    return found
