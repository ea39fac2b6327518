"""What the documents list is what the program has: options, errors, records, limits, and the places they name."""

import ast
import dataclasses
import re
from pathlib import Path

import click
import pytest

from strongroom.access.authorization.roles import BUILT_IN
from strongroom.audit.local import local_record
from strongroom.cli.main import COMMANDS, strongroom
from strongroom.clock import real_now
from strongroom.hosting.limits import KIB, MIB, Limits
from strongroom.options import CONFIG, OPTIONS
from strongroom.planes.data import secrets
from strongroom.planes.documents import PLANES
from strongroom.planes.identity import plane as identity
from strongroom.planes.management import vaults
from strongroom.planes.operation import SMALL_BODY
from strongroom.scheduling.rotation import OPERATION, TELLS

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "strongroom"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("benchmarks/*.md")])
TREES = {path: ast.parse(path.read_text()) for path in sorted(SOURCE.rglob("*.py"))}
CODE_WORD = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
PLACE = re.compile(r"(?:src|tests|docs|scripts|benchmarks|requirements)/[\w./-]*\w|[a-z_]+(?:/[a-z_]+)*/[a-z_]+\.py")
# Folders of the package that architecture and request path name without `src/strongroom/` before them.
PACKAGE = (
    "access",
    "audit",
    "cli",
    "custody",
    "hosting",
    "objects",
    "planes",
    "resources",
    "scheduling",
    "storage",
    "vaults",
)
# What stands in `properties` of every record of the machine itself.
LOCAL = {
    *("actor", "localUser", "reason", "key", "secret", "vault"),
    *("requests", "addresses", "address", "otherRequests"),
    *("aheadSeconds", "heldUntil"),
}


def text(name):
    return (ROOT / "docs" / name).read_text()


def rows(name, heading):
    """Return the cells of every table of a document whose first column has this heading."""
    found, inside = [], False
    for line in text(name).splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not cells:
            inside = False
        elif cells[0] == heading:
            inside = True
        elif inside and not set(cells[0]) <= {"-"}:
            found.append(cells)
    return found


def code_words(found):
    return {word for cells in found for cell in cells for word in CODE_WORD.findall(cell)}


def calls():
    return [node for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.Call)]


def constants():
    nodes = (node for tree in TREES.values() for node in ast.walk(tree))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


# --- options


def test_the_table_of_options_is_the_settings():
    listed = {cells[0]: cells[1:4] for cells in rows("operations.md", "flag")}
    assert listed == {
        f"`{option.flag}`": [f"`{option.variable}`", option.type, option.default] for option in (*OPTIONS, CONFIG)
    }


def test_every_command_is_in_the_guide():
    guide = text("operations.md") + text("audit.md")
    assert not [command for command in COMMANDS if f"strongroom {command}" not in guide]


def commands(command, name=""):
    """Return every command that does something, by the words that call it."""
    if not isinstance(command, click.Group):
        return {name: command}
    context = click.Context(command)
    below = [(each, command.get_command(context, each)) for each in command.list_commands(context)]
    return {words: leaf for each, found in below for words, leaf in commands(found, f"{name} {each}".strip()).items()}


def test_the_commands_that_do_without_the_place_of_the_data_are_those_that_the_guide_names():
    place = {"--data-dir", "--config", "--master-key-file", "--master-key-passphrase-file"}
    given = {
        name: place & {option for each in found.params for option in each.opts}
        for name, found in commands(strongroom).items()
    }
    assert {name for name, options in given.items() if options != place} == {
        *("reload", "openapi", "role definitions", "attest")
    }
    assert given["reload"] == {"--data-dir", "--config"}
    assert "`reload` takes none of the master\nkey, `openapi` and `role definitions` need no data" in text(
        "operations.md"
    )


def test_roles_that_documents_give_exist():
    known = {role.name for role in BUILT_IN}
    given = re.compile(r'role assign \S+ "([^"]+)"')
    assert {name for path in DOCUMENTS for name in given.findall(path.read_text())} <= known


# --- errors


def error_codes():
    """Return every code that the source writes: of the tree, where it is raised, and below the planes."""
    found = set()
    for node in (node for tree in TREES.values() for node in ast.walk(tree)):
        if isinstance(node, ast.ClassDef):
            assigned = [each for each in node.body if isinstance(each, ast.Assign | ast.AnnAssign)]
            found |= {
                each.value.value
                for each in assigned
                for target in (each.targets if isinstance(each, ast.Assign) else [each.target])
                if getattr(target, "id", "") in {"code", "inner"}
                and isinstance(each.value, ast.Constant)
                and each.value.value
            }
        if isinstance(node, ast.Call):
            found |= {
                word.value.value
                for word in node.keywords
                if word.arg in {"code", "inner"} and isinstance(word.value, ast.Constant)
            }
            if getattr(node.func, "id", "") == "Refusal":
                found.add(node.args[1].value)
    return (
        found
        | {"UnknownHost", "SecretNotFound", "KeyNotFound"}
        | set(re.findall(r'"((?:Invalid|Expired)Auth\w+)"', management_plane()))
    )


def management_plane():
    return (SOURCE / "planes" / "management" / "plane.py").read_text()


def test_every_error_code_is_in_the_table():
    listed = code_words(rows("errors.md", "status")) | set(CODE_WORD.findall(text("errors.md").split("## Only in")[1]))
    assert not error_codes() - listed


def test_every_code_in_the_table_is_one_of_ours():
    listed = {cells[1].strip("`") for cells in rows("errors.md", "status") if cells[1][:2] != "`_"}
    oauth = {node.args[1].value for node in sign_ins() if isinstance(node.args[1], ast.Constant)}
    assert not listed - error_codes() - oauth - {"invalid_tenant", "invalid_request"}


def test_every_number_is_in_the_table():
    written = text("errors.md")
    numbers = set(re.findall(r"AKV\d+|IDX\d+", "\n".join(constants())))
    numbers |= {f"AADSTS{node.args[0].value}" for node in sign_ins()}
    assert numbers == set(re.findall(r"AKV\d+|IDX\d+|AADSTS\d+", written))


def sign_ins():
    return [node for node in calls() if getattr(node.func, "id", "") == "SignInFailed" and len(node.args) >= 3]


def test_the_status_and_error_of_each_sign_in_refusal_are_the_table_s():
    listed = {
        (cells[2], cells[1].strip("`"), cells[0]) for cells in rows("errors.md", "status") if "AADSTS" in cells[2]
    }
    expected = set()
    for node in sign_ins():
        status = next((word.value.value for word in node.keywords if word.arg == "status"), 400)
        errors = (
            [node.args[1].value] if isinstance(node.args[1], ast.Constant) else ["invalid_tenant", "invalid_request"]
        )
        expected |= {(f"AADSTS{node.args[0].value}", error, str(status)) for error in errors}
    assert listed == expected


# --- records


def operation_names():
    named = {row.log for _, table in PLANES.values() for row in table().operations}
    replaced = {
        word.value.value
        for node in calls()
        for word in node.keywords
        if word.arg == "log" and isinstance(word.value, ast.Constant)
    }
    local = {name for name in constants() if re.fullmatch(r"Strongroom\.\w+/[\w/]+", name)}
    directory = {
        f"Microsoft.Directory/{name}"
        for name in constants()
        if re.fullmatch(r"(applications|servicePrincipals|users|groups)/[a-z/]+", name)
    }
    roles = {f"Microsoft.Authorization/roleAssignments/{verb}" for verb in ("write", "delete")}
    return (
        named
        | replaced
        | local
        | directory
        | roles
        | {OPERATION, *(operation for operation, _ in TELLS.values())}
        | {identity.IdentityPlane(None).unauthenticated, "Authentication"}
    )


def test_every_operation_name_is_listed_and_no_other():
    listed = {cells[0].strip("`") for cells in rows("audit.md", "operationName")}
    assert listed | {"Unknown"} == operation_names()
    assert "`Unknown`" in text("audit.md")


def record_fields():
    """Return the fields of a record and the names in its properties, as the source writes them."""
    local = local_record("any", now=real_now(), properties={}).body
    fields = set(re.findall(r'"(\w+)":', local.decode()))
    tree = TREES[SOURCE / "planes" / "record.py"]
    fields |= {
        key.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    }
    return fields | noted() | LOCAL


def noted():
    """Return what handlers note for a record: `call.notes[…] = …` and `call.notes |= {…}`."""
    found = set()
    for node in (node for tree in TREES.values() for node in ast.walk(tree)):
        if isinstance(node, ast.Subscript) and getattr(node.value, "attr", "") == "notes":
            found |= {each.value for each in ast.walk(node.slice) if isinstance(each, ast.Constant)}
        if isinstance(node, ast.AugAssign) and getattr(node.target, "attr", "") == "notes":
            found |= {key.value for key in node.value.keys}
    return found


def test_every_field_of_a_record_is_explained():
    explained = set(re.findall(r"\w+", " ".join(CODE_WORD.findall(text("audit.md")))))
    assert not record_fields() - explained


def test_every_property_that_is_explained_is_written():
    listed = {word for cells in rows("audit.md", "property") for word in CODE_WORD.findall(cells[0])}
    assert listed <= record_fields()


# --- limits


def test_the_limits_of_a_connection_are_the_hosting_s():
    listed = {cells[0].strip("`"): cells[1] for cells in rows("limits.md", "limit")}
    assert listed == {field.name: shown(field.name, field.default) for field in dataclasses.fields(Limits)}


def shown(name, value):
    if name.endswith("seconds"):
        return f"{value:g} s"
    if name.endswith(("bytes", "rate")):
        return f"{value // MIB} MiB" if value % MIB == 0 else f"{value // KIB} KiB"
    return f"{value:,}"


def test_the_limits_of_bodies_are_the_tables():
    listed = {cells[0]: cells[1] for cells in rows("limits.md", "what")}
    assert listed["body of setting or updating a secret"].startswith(shown("bytes", secrets.SET_LIMIT))
    assert listed["body of restoring a key or a secret"].startswith(shown("bytes", secrets.RESTORE_LIMIT))
    assert listed["body of making or changing a vault"].startswith(shown("bytes", vaults.BODY_LIMIT))
    assert listed["any other body"].startswith(shown("bytes", SMALL_BODY))


# --- places


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path):
    targets = [target for target in LINK.findall(path.read_text()) if "://" not in target]
    assert not [target for target in targets if not (path.parent / target).exists()]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_a_document_names_exist(path):
    named = {name for word in CODE_WORD.findall(path.read_text()) for name in PLACE.findall(word)}
    relative = {
        name for name in named if name.split("/")[0] in {*PACKAGE, "src", "tests", "docs", "scripts", "benchmarks"}
    }
    assert not [name for name in relative if not (ROOT / name).exists() and not (SOURCE / name).exists()]


def test_the_measured_part_has_its_place():
    assert "<!-- measured -->" in text("performance.md")
