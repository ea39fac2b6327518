"""Mutants of a module: the same source with one small thing wrong, each with a name that outlives other changes.

What is changed: comparisons, joints, negations, constants, conditions, results, jumps, elements of literals, and calls
that only shape what they are given. Left alone: annotations, names of types, docstrings, decorators, imports, texts of
messages.
"""

import ast
import copy
from dataclasses import dataclass

COMPARED = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
JOINED = {ast.And: ast.Or, ast.Or: ast.And}
COUNTED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr}
NAMED = {"any": "all", "all": "any", "min": "max", "max": "min"}
CALLED = {"fullmatch": "match", "startswith": "endswith", "removeprefix": "removesuffix", "partition": "rpartition"}
CALLED |= {theirs: ours for ours, theirs in CALLED.items() if theirs != "match"}
SHAPING = {"lower", "upper", "strip", "rstrip", "lstrip"}
PLACES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Mutant:
    """A module with one thing wrong. name: where and what, by which it is listed."""

    module: str
    name: str
    line: int
    tree: ast.AST
    node: ast.AST
    changed: ast.AST

    @property
    def source(self):
        """The whole module."""
        return ast.unparse(ast.fix_missing_locations(_exchanged(self.tree, self.node, self.changed)))


def mutants_of(module, source):
    """Return every mutant of a module's source."""
    tree = ast.parse(source)
    found, names = [], {}
    for place, node, holder in _changeable(tree, "module", None):
        for changed in _changes(node, holder):
            told = f"{place}: `{_text(node)}` → `{_text(changed)}`"
            names[told] = names.get(told, 0) + 1
            name = told if names[told] == 1 else f"{told} ({names[told]})"
            line = getattr(node, "lineno", getattr(holder, "lineno", 0))
            found.append(Mutant(module, name, line, tree, node, changed))
    return found


def _changeable(node, place, holder):
    """Yield what may be changed: where it stands, the node, and the one that holds it."""
    for child in _children(node):
        inner = f"{place}.{child.name}".removeprefix("module.") if isinstance(child, PLACES) else place
        if not isinstance(child, PLACES):
            yield place, child, node
        yield from _changeable(child, inner, child)


def _children(node):
    left_out = {"annotation", "returns", "decorator_list", "type_comment", "type_params", "bases"}
    for name, value in ast.iter_fields(node):
        if name in left_out or isinstance(node, ast.Import | ast.ImportFrom):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr) and not _is_for_readers(child):
                yield child


def _is_for_readers(node):
    """Answer whether a statement is a docstring, or a name for a type: those are written like classes."""
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        name = node.targets[0].id
        return name[0].isupper() and not name.isupper()
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _changes(node, holder):
    """Yield what a node is exchanged for."""
    for kind, change in CHANGES.items():
        if isinstance(node, kind):
            yield from change(node, holder)


def _comparison(node, _):
    if len(node.ops) == 1:
        for operator in COMPARED.get(type(node.ops[0]), ()):
            yield _like(node, ops=[operator()])


def _joint(node, _):
    yield _like(node, op=JOINED[type(node.op)]())
    for number in range(len(node.values)):
        left = node.values[:number] + node.values[number + 1 :]
        yield left[0] if len(left) == 1 else _like(node, values=left)


def _negation(node, _):
    if isinstance(node.op, ast.Not):
        yield node.operand


def _sum(node, _):
    if type(node.op) in COUNTED:
        yield _like(node, op=COUNTED[type(node.op)]())
        yield node.left
        yield node.right


def _constant(node, holder):
    if isinstance(holder, ast.Raise) or (isinstance(holder, ast.Call) and _is_error(holder)):
        return
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
        if value > 1:
            yield ast.Constant(value - 1)
    elif isinstance(value, str):
        yield ast.Constant(value + "x")


def _is_error(call):
    return isinstance(call.func, ast.Name) and (call.func.id == "_bad" or call.func.id[:1].isupper())


def _condition(node, _):
    for truth in (True, False):
        yield _like(node, test=ast.Constant(truth))


def _loop(node, _):
    yield _like(node, test=ast.Constant(False))


def _result(node, _):
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield _like(node, value=ast.Constant(None))


def _function(node, _):
    yield _like(node, body=ast.Constant(None))


def _jump(node, _):
    yield ast.Pass()


def _statement(node, _):
    if isinstance(node.value, ast.Call | ast.Await):
        yield ast.Pass()


def _assignment(node, _):
    named = isinstance(node, ast.Assign) and all(isinstance(target, ast.Name | ast.Tuple) for target in node.targets)
    if not named:  # without a name that is used below it ends with the first test
        yield ast.Pass()


def _kept(node, _):
    for number in range(len(node.ifs)):
        yield _like(node, ifs=node.ifs[:number] + node.ifs[number + 1 :])


def _elements(node, _):
    if isinstance(getattr(node, "ctx", ast.Load()), ast.Load) and len(node.elts) > 1:
        for number in range(len(node.elts)):
            yield _like(node, elts=node.elts[:number] + node.elts[number + 1 :])


def _entries(node, _):
    for number in range(len(node.keys)):
        keys, values = node.keys[:number] + node.keys[number + 1 :], node.values[:number] + node.values[number + 1 :]
        yield _like(node, keys=keys, values=values)


def _call(node, _):
    if isinstance(node.func, ast.Name) and node.func.id in NAMED:
        yield _like(node, func=ast.Name(NAMED[node.func.id], ast.Load()))
    if isinstance(node.func, ast.Attribute) and node.func.attr in CALLED:
        yield _like(node, func=_like(node.func, attr=CALLED[node.func.attr]))
    if isinstance(node.func, ast.Attribute) and node.func.attr in SHAPING:
        yield node.func.value
    for number, keyword in enumerate(node.keywords):
        if keyword.arg is not None:
            yield _like(node, keywords=node.keywords[:number] + node.keywords[number + 1 :])


CHANGES = {
    ast.Compare: _comparison,
    ast.BoolOp: _joint,
    ast.UnaryOp: _negation,
    ast.BinOp: _sum,
    ast.Constant: _constant,
    ast.If: _condition,
    ast.IfExp: _condition,
    ast.While: _loop,
    ast.Return: _result,
    ast.Lambda: _function,
    (ast.Continue, ast.Break, ast.Raise): _jump,
    ast.Expr: _statement,
    (ast.Assign, ast.AugAssign): _assignment,
    ast.comprehension: _kept,
    (ast.Tuple, ast.List, ast.Set): _elements,
    ast.Dict: _entries,
    ast.Call: _call,
}


def _like(node, **fields):
    """Return a node like another one, but for some fields."""
    made = copy.copy(node)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def _exchanged(found, node, changed):
    if found is node:
        return changed
    if not isinstance(found, ast.AST):
        return found
    made = copy.copy(found)
    for name, value in ast.iter_fields(found):
        several = isinstance(value, list)
        with_it = [_exchanged(each, node, changed) for each in (value if several else [value])]
        setattr(made, name, with_it if several else with_it[0])
    return made


def _text(node):
    """Return a node as it stands in a name: one line, not too long."""
    if isinstance(node, ast.comprehension):
        return " ".join(f"if {ast.unparse(each)}" for each in node.ifs) or "no if"
    told = " ".join(ast.unparse(ast.fix_missing_locations(node)).split())
    return told if len(told) <= 160 else f"{told[:100]} … {told[-57:]}"
