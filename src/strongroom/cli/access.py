"""`strongroom access`: who can reach what, and by which road. Reads the data directory, beside a server that runs."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from strongroom.cli.failure import CommandFailed
from strongroom.cli.options import PLACE, settings_from, settings_options
from strongroom.cli.previews import preview
from strongroom.cli.shown import format_option, show_one
from strongroom.cli.worlds import read_atlas, show_table, vault_named

if TYPE_CHECKING:
    from strongroom.cli.data import Data
    from strongroom.planes.management.accesswire import (
        PrincipalReachAnswer,
        ReachAnswer,
        RoadAnswer,
    )
    from strongroom.vaults.model import Vault


@click.group(name="access")
def command() -> None:
    """Say who can reach a vault, a secret or a key, by which road, and who could give itself that.

    Nothing is changed. What is said is decided by the rules that decide on requests, over all that was given up to now.

    \b
    strongroom access explain --vault pay
    strongroom access explain --vault pay --secret db-password --operation get
    strongroom access reach payments
    strongroom access preview assign payments 'Key Vault Secrets User' --vault pay
    """


command.add_command(preview)


@command.command(name="explain")
@click.option("--vault", metavar="NAME", required=True, help="The vault.")
@click.option("--secret", metavar="NAME", help="One secret of it, which need not exist.")
@click.option("--key", metavar="NAME", help="One key of it, which need not exist.")
@click.option("--operation", metavar="NAME", help="Only this: get, set, sign …, or secrets/get. [default: all]")
@format_option
@settings_options(*PLACE)
def explain(
    vault: str, *, secret: str | None, key: str | None, operation: str | None, as_json: bool, **flags: Any
) -> None:
    """List who can do what with a vault, and by which road. Then it lists who could give itself that, and how.

    What was given for single secrets or keys is told with them. Who is disabled, or not in the directory, is listed
    with what it was given, and reaches nothing.
    """
    from strongroom.access.authorization.operations import find_operations
    from strongroom.cli.data import on_data
    from strongroom.planes.management.accesswire import reach_answer

    if secret is not None and key is not None:
        raise CommandFailed("give one of --secret and --key")
    kind, name = ("secrets", secret) if secret is not None else ("keys", key)
    operations = find_operations(None if name is None else kind, operation)

    async def work(data: "Data") -> "ReachAnswer":
        atlas = await read_atlas(data)
        found = vault_named(atlas.world, vault)
        place = _object_in(found, kind, name)
        return reach_answer(atlas, found, shown_id=place or _path(found), place=place, operations=operations)

    answer = on_data(settings_from(flags), work)
    if as_json:
        _show_json(answer)
        return
    _show_explanation(answer)


@command.command(name="reach")
@click.argument("principal")
@format_option
@settings_options(*PLACE)
def reach(principal: str, *, as_json: bool, **flags: Any) -> None:
    """List what PRINCIPAL may do in which vaults, and by which road.

    PRINCIPAL is an application, a user or a group: its object id, application id, user principal name or display name.
    Of a group what its members have by it is listed.
    """
    from strongroom.access.authorization.reach import reach_of
    from strongroom.access.identity.directory import Directory
    from strongroom.cli.data import on_data
    from strongroom.planes.management.accesswire import principal_answer

    async def work(data: "Data") -> "PrincipalReachAnswer":
        atlas = await read_atlas(data)
        found = await Directory(data.storage.read().identity).get_principal(principal)
        subject = atlas.subject(found.object_id)
        return principal_answer(atlas, subject, reach_of(atlas, subject))

    answer = on_data(settings_from(flags), work)
    if as_json:
        _show_json(answer)
        return
    _show_reach(answer)


def _path(vault: "Vault") -> str:
    from strongroom.access.authorization.world import path_of

    return path_of(vault)


def _object_in(vault: "Vault", kind: str, name: str | None) -> str | None:
    from strongroom.ids import OBJECT_NAME

    if name is None:
        return None
    if not OBJECT_NAME.match(name):
        raise CommandFailed(f"'{name}' can be no name of a secret or key: 1 to 127 letters, digits and hyphens")
    return f"{_path(vault)}/{kind}/{name.lower()}"


def _show_json(answer: Any) -> None:
    import msgspec

    show_one(msgspec.to_builtins(answer), as_json=True)


def _show_explanation(answer: "ReachAnswer") -> None:
    from strongroom.planes.management.accesswire import short

    click.echo(f"{short(answer.id)[4:]}: {answer.permission_model} decide".capitalize())
    click.echo("\nWho can:")
    able = [
        [each.principal.display_name, _mark(each.principal, road), listed(road.operations), _by(road)]
        for each in answer.able
        for road in each.roads
    ]
    show_table(["who", "", "what", "by"], able)
    if answer.able_as_resource:
        click.echo("\nWho can over the resource manager, whatever decides here (values never come out there):")
        written = [[each.principal.display_name, listed(each.operations)] for each in answer.able_as_resource]
        show_table(["who", "what"], written)
    click.echo("\nWho could give itself that:")
    could = [
        [each.principal.display_name, listed(each.operations), "; then ".join(step.text for step in each.steps)]
        for each in answer.could_give_itself
    ]
    show_table(["who", "what", "how"], could)
    click.echo()
    for note in answer.notes:
        click.echo(note)


def _show_reach(answer: "PrincipalReachAnswer") -> None:
    from strongroom.planes.management.accesswire import short

    if not answer.principal.enabled:
        click.echo(f"{answer.principal.display_name} is disabled and reaches nothing; were it enabled:")
    rows = [
        [short(road.place)[4:], _mark(answer.principal, road), listed(road.operations), _by(road)]
        for vault in answer.vaults
        for road in vault.roads
    ]
    rows += [
        [short(vault.id)[4:], mark, ", ".join(actions), ""]
        for vault in answer.vaults
        for mark, actions in (("", vault.control), ("if its condition holds", vault.conditional_control))
        if actions
    ]
    show_table(["where", "", "what", "by"], sorted(rows, key=lambda row: row[0]))


def _mark(principal: Any, road: "RoadAnswer") -> str:
    """Return what keeps a road from leading anywhere, "" where nothing does."""
    if not principal.known:
        return "not in the directory"
    if not principal.enabled:
        return "disabled"
    return {"holds": "", "does not hold": "condition does not hold"}.get(road.standing, "if its condition holds")


def _by(road: "RoadAnswer") -> str:
    from strongroom.planes.management.accesswire import short

    through = "".join(f", through the group '{each.display_name}'" for each in road.through)
    if road.by == "accessPolicy":
        behalf = f", through the application {road.on_behalf_of}" if isinstance(road.on_behalf_of, str) else ""
        return f"an access policy{through}{behalf}"
    condition = f", with the condition {road.condition}" if isinstance(road.condition, str) else ""
    return f"role '{road.role_name}' at {short(str(road.scope))}{through}{condition}"


def listed(operations: Iterable[str]) -> str:
    """Return operations by their kinds: `secrets: get list`."""
    return "; ".join(_by_kind(operations))


def _by_kind(operations: Iterable[str]) -> Iterator[str]:
    from strongroom.access.authorization.operations import OPERATIONS

    kinds: dict[str, list[str]] = {}
    for operation in operations:
        kind, _, verb = operation.partition("/")
        kinds.setdefault(kind, []).append(verb)
    for kind, verbs in kinds.items():
        every = sum(name.startswith(f"{kind}/") for name in OPERATIONS)
        yield f"{kind}: {'all' if len(verbs) == every else ' '.join(verbs)}"
