"""Which answers of a plane's document were met, and whether each was as documented."""

import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import chain

from jsonschema import Draft202012Validator

HEAD = "HEAD"


@dataclass(frozen=True)
class Documented:
    """An operation of a document. responses: what it says of each status, references resolved."""

    name: str
    method: str
    path: str
    responses: dict
    limit: int
    permission: bool
    anonymous: bool
    query: tuple[str, ...]


@dataclass
class Reach:
    """The operations of a plane's document, how often each answered what, and what was not as documented."""

    document: dict
    met: Counter = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.operations = {found.name: found for found in self._read()}
        self._validators = {}

    def _read(self):
        for path, verbs in self.document["paths"].items():
            for verb, found in verbs.items():
                yield Documented(
                    found["operationId"],
                    verb.upper(),
                    path,
                    {status: self._resolve(response) for status, response in found["responses"].items()},
                    found["x-strongroom-body-limit"],
                    "x-strongroom-permission" in found,
                    not found["security"],
                    tuple(self._resolve(each)["name"] for each in found["parameters"]),
                )

    def _resolve(self, part):
        if "$ref" not in part:
            return part
        _, _, kind, name = part["$ref"].split("/")
        return self.document["components"][kind][name]

    def meet(self, name, answer):
        """Count an answer and hold it against the document; return it."""
        self.met[name, answer.status] += 1
        wrong = self._unlike(self.operations[name], answer)
        if wrong:
            self.wrong.append(f"{name}: {wrong}: {answer}")
        return answer

    def _unlike(self, operation, answer):
        response = operation.responses.get(str(answer.status))
        if response is None:
            return "an undocumented status"
        told = {name.lower() for name, header in response.get("headers", {}).items() if header["required"]}
        missing = sorted(told - answer.headers.keys())
        if missing:
            return f"headers missing: {missing}"
        content = response.get("content")
        if content is None or operation.method == HEAD:
            return f"a body of {len(answer.raw)} bytes where there is none" if answer.raw else ""
        kind, schema = next(iter(content.items()))
        if answer.headers.get("content-type", "").partition(";")[0] != kind:
            return "another content type"
        return "; ".join(error.message for error in self._validator(schema).iter_errors(json.loads(answer.raw)))

    def _validator(self, schema):
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            self._validators[key] = Draft202012Validator(schema | {"components": self.document["components"]})
        return self._validators[key]

    @property
    def missing(self):
        """Every documented answer that was not met."""
        return [
            f"{found.name} {status}"
            for found in self.operations.values()
            for status in found.responses
            if not self.met[found.name, int(status)]
        ]

    @property
    def undocumented(self):
        """Every answer that was met and is not documented."""
        return sorted(
            f"{name} {status}" for name, status in self.met if str(status) not in self.operations[name].responses
        )

    @property
    def unreached(self):
        """Every operation that was not asked for at all."""
        return sorted(set(self.operations) - {name for name, _ in self.met})

    def counts(self):
        """Return the counts as lines, an operation each."""
        lines = (
            (name, sorted((status, count) for (met, status), count in self.met.items() if met == name))
            for name in self.operations
        )
        return [f"{name}: " + ", ".join(f"{status} × {count}" for status, count in found) for name, found in lines]

    def table(self):
        """Return the counts as lines: an operation each, a column for each status; `·` where none is documented."""
        statuses = sorted(
            {int(s) for found in self.operations.values() for s in found.responses} | {s for _, s in self.met}
        )
        width = max(map(len, self.operations))
        head = " ".join(f"{status:>6}" for status in statuses)
        lines = [f"{'operation':{width}} {head}"]
        for name, found in self.operations.items():
            cells = (
                f"{self.met[name, status] or ('MISSING' if str(status) in found.responses else '·'):>6}"
                for status in statuses
            )
            lines.append(f"{name:{width}} {' '.join(cells)}")
        cells = len(list(chain.from_iterable(found.responses for found in self.operations.values())))
        lines.append(f"{len(self.operations)} operations, {cells} documented answers, {self.met.total()} requests")
        return lines
