"""Requests that reach every documented answer of the Graph plane."""

import json

from clients.direct import unique
from soak.recipes import NOWHERE, Recipes


class GraphRecipes(Recipes):
    """A directory with a user in a group in a group. elsewhere: a strict server, asked directly."""

    service = "graph"

    def __init__(self, server, direct, reach, elsewhere):
        names = {"user": f"{unique('u')}@example.com", "inner": unique("inner"), "outer": unique("outer")}
        made = furnish(server, names)
        own = direct.owner_id
        places = {
            "user": names["user"],
            "group": made["outer"],
            "servicePrincipal": own,
            "application": own,
            "object": made["user"],
            "entity": f"servicePrincipals(appId='{direct.facts.clientId}')",
        }
        super().__init__(direct, reach, places)
        self.base = direct.facts.managementUrl.replace("management.", "graph.", 1)
        self.elsewhere = elsewhere

    def follow(self):
        """Reach every documented answer."""
        bodies = {"ids": [self.places["group"], NOWHERE], "groupIds": [self.places["group"]]}
        for name, operation in self.reach.operations.items():
            self.ask(name, body=bodies if operation.method == "POST" else None)
            self.ask(name, query={"a": 1, "A": 2}, body=bodies if operation.method == "POST" else None)
            self.ask(name, token=None)
            if "404" in operation.responses:
                nowhere = dict.fromkeys(self.places, NOWHERE) | {"entity": f"applications(appId='{NOWHERE}')"}
                self.ask(name, body=bodies if operation.method == "POST" else None, **nowhere)
        self.ask("listGroups", query={"$top": 1, "$count": "true", "$select": "id"})
        self.refuse_too_large()
        self.refuse_strangers(self.elsewhere)


def furnish(server, names):
    """Make a user and two groups with these names, one in the other, with the commands; return their object ids."""

    def run(*arguments):
        return json.loads(server.strongroom("directory", *arguments, "--json").stdout)["objectId"]

    made = {"user": run("user", "create", names["user"])}
    made |= {name: run("group", "create", names[name]) for name in ("inner", "outer")}
    for group, member in (("outer", "inner"), ("inner", "user")):
        server.strongroom("directory", "group", "member", "add", made[group], made[member])
    server.strongroom("directory", "group", "owner", "add", made["outer"], made["user"])
    return made
