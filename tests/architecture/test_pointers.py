"""Docstrings point to places that exist, and name callers that call."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.architecture.graph import imports, sources, tree

_NAME = re.compile(r"(?<!`)`((?:agents|cluster)(?:\.\w+)+)`(?!`)")
_CALLERS = re.compile(r"[Cc]alled by ((?:[^.;`]|`[^`]*`)*)[.;:]")


def test_every_place_that_a_docstring_names_is_there() -> None:
    gone = [
        f"{module}: {name}"
        for module in sources()
        for text in docstrings(tree(module))
        for name in _NAME.findall(text)
        if not is_there(name)
    ]

    assert gone == []


def test_whoever_is_said_to_call_a_module_imports_it() -> None:
    idle = [
        f"{module}: {caller}"
        for module in sources()
        for said in _CALLERS.findall(ast.get_docstring(tree(module)) or "")
        for caller in _NAME.findall(said)
        if not any(uses(each, module) for each in within(caller))
    ]

    assert idle == []


def docstrings(module: ast.Module) -> Iterator[str]:
    """The docstrings of a module and of all that is defined in it."""
    for node in ast.walk(module):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield ast.get_docstring(node) or ""


def within(name: str) -> list[str]:
    """The modules that a dotted name stands for: itself, a room, or the module of an attribute."""
    found = [each for each in sources() if each == name or each.startswith(f"{name}.")]
    module, _, _ = name.rpartition(".")
    return found or [each for each in sources() if each == module]


def is_there(name: str) -> bool:
    """Say whether a dotted name is a module, a room, or defined in a module."""
    parts = name.split(".")
    modules = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
    module = next((each for each in modules if within(each) and each in rooms()), "")
    rest = parts[len(module.split(".")) :]
    return bool(module) and set(rest) <= defined(module)


def rooms() -> set[str]:
    """All modules and the packages they lie in."""
    return {
        ".".join(parts[:end])
        for parts in (module.split(".") for module in sources())
        for end in range(1, len(parts) + 1)
    }


def defined(module: str) -> set[str]:
    """The names that a module defines, at whatever depth."""
    names: set[str] = set()
    for node in ast.walk(tree(module)) if module in sources() else ():
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return names


def uses(caller: str, module: str) -> bool:
    """Say whether a module imports another one, or something of a room."""
    return any(each == module or each.startswith(f"{module}.") for each in imports()[caller])
