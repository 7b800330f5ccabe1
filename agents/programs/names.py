"""The names in a program's source: what it imports, uses and defines.

Pure. `agents.programs.candidates` and `agents.programs.output` hold programs against it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import lru_cache

from agents.programs.reading import nodes


def imported_names(source: str) -> frozenset[str]:
    """Return the modules, what is imported from them, and what is used of them."""
    names: set[str] = set()
    modules: set[str] = set()
    for node in nodes(source):
        if isinstance(node, ast.Import):
            modules.update(_bound(alias) for alias in node.names)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(_imported(node, lambda _: True))
    for node in nodes(source):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names.update({node.attr} if node.value.id in modules else ())
    return frozenset(names)


@lru_cache(maxsize=64)
def used_names(source: str) -> frozenset[str]:
    """Return the names that a program uses or defines; importing alone is no use."""
    used: set[str] = set()
    for node in nodes(source):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                used.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                used.add(name)
    for node in nodes(source):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            used.update(_imported(node, used.__contains__))
    return frozenset(used)


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _imported(node: ast.Import | ast.ImportFrom, is_used: Callable[[str], bool]) -> set[str]:
    """Return the parts of the names that an import brings in, where what it binds is used."""
    names: set[str] = set()
    for alias in node.names:
        if alias.name == "*" or is_used(_bound(alias)):
            names.update(alias.name.split("."))
            if isinstance(node, ast.ImportFrom):
                names.update((node.module or "").split("."))
    return names - {"", "*"}
