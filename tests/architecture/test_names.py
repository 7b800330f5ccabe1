"""A name means one thing, and a thing has one name: classes, aliases, and what is called a task."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pytest

from tests.architecture.graph import sources, tree

TWICE: Mapping[str, str] = {
    "EventStream": "server-sent events: those of an endpoint are read, ours are written",
    "Note": "whoever tells a user what is done, and what a policy says of a model call",
}
"""Names of several things all the same, each with its reason."""
TASKS_OF_ASYNCIO = {
    "cluster.runtime.turns.eager": "it starts asyncio's tasks, and knows no others",
    "cluster.runtime.turns.work": "what the eager start fills in",
}
"""Where a variable called `task` holds one of asyncio's; everywhere else it is a `TaskId`."""


class Meaning(NamedTuple):
    """What a module says that a name is."""

    module: str
    text: str
    """Of an alias, what it stands for; of a class nothing."""
    members: frozenset[str]
    is_protocol: bool


def meanings() -> Mapping[str, list[Meaning]]:
    """The classes and aliases of all modules; type variables are local to what they stand in."""
    found: dict[str, list[Meaning]] = {}
    for module in sources():
        for node in ast.walk(tree(module)):
            if isinstance(node, ast.ClassDef):
                meaning = Meaning(module, "", frozenset(members(node)), is_protocol(node))
                found.setdefault(node.name, []).append(meaning)
        for name, text in aliases(tree(module)):
            found.setdefault(name, []).append(Meaning(module, text, frozenset(), is_protocol=False))
    return found


def members(node: ast.ClassDef) -> Iterator[str]:
    """The public methods and fields of a class, those that its methods set included."""
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            yield each.name
        elif isinstance(each, ast.AnnAssign | ast.Assign):
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            yield from (ast.unparse(target).removeprefix("self.") for target in targets)


def is_protocol(node: ast.ClassDef) -> bool:
    """Whether a class is a port."""
    return any(ast.unparse(base).startswith("Protocol") for base in node.bases)


def aliases(module: ast.Module) -> Iterator[tuple[str, str]]:
    """The names in capitals and small letters that stand for a type."""
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, text = node.targets[0].id, ast.unparse(node.value)
            if name[0].isupper() and not name.isupper() and not text.startswith("TypeVar("):
                yield name, text


def is_one_thing(found: list[Meaning]) -> bool:
    """Whether all say the same: one class and the protocols it fills, or aliases of one type."""
    classes = [each for each in found if not each.is_protocol]
    ports = [each for each in found if each.is_protocol]
    if not ports:
        return len(classes) == 1 or len({each.text or each.module for each in classes}) == 1
    offered = classes[0].members if len(classes) == 1 else frozenset[str]()
    return len(found) == 1 or all(port.members <= offered for port in ports)


def test_a_class_name_means_one_thing() -> None:
    twice = {
        name: [each.module for each in found]
        for name, found in meanings().items()
        if not is_one_thing(found)
    }

    assert {name: modules for name, modules in twice.items() if name not in TWICE} == {}
    assert set(TWICE) <= set(twice)


@pytest.mark.parametrize(
    ("port", "offered", "is_one"),
    [(frozenset({"a"}), frozenset({"a", "b"}), True), (frozenset({"c"}), frozenset({"a"}), False)],
)
def test_a_port_may_have_the_name_of_what_fills_it(
    port: frozenset[str], offered: frozenset[str], *, is_one: bool
) -> None:
    found = [Meaning("m", "", port, is_protocol=True), Meaning("n", "", offered, is_protocol=False)]

    assert is_one_thing(found) is is_one


def test_a_task_is_what_a_user_waits_for_and_never_one_of_asyncio() -> None:
    named = {module for module in sources() if any(tasks_of_asyncio(tree(module)))}

    assert named == set(TASKS_OF_ASYNCIO)


def tasks_of_asyncio(module: ast.Module) -> Iterator[str]:
    """The variables and parameters called `task` that hold a task of asyncio's."""
    for node in ast.walk(module):
        pairs: list[tuple[ast.expr | str, ast.expr | None]] = []
        if isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        elif isinstance(node, ast.AnnAssign):
            pairs = [(node.target, node.annotation)]
        elif isinstance(node, ast.arg):
            pairs = [(node.arg, node.annotation)]
        for target, what in pairs:
            name = target if isinstance(target, str) else ast.unparse(target)
            if name.split(".")[-1].strip("_") in {"task", "tasks"} and is_asyncio(what):
                yield name


def is_asyncio(what: ast.expr | None) -> bool:
    """Whether an annotation or a value is one of asyncio's tasks, or several."""
    if isinstance(what, ast.Call):
        return ast.unparse(what.func).endswith(("create_task", "ensure_future"))
    return what is not None and "asyncio.Task[" in ast.unparse(what)
