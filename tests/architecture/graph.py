"""Who imports whom in `agents` and `cluster`, also within a package, a function or a type check."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("agents", "cluster")
_NAMED = re.compile(r"((?:agents|cluster)(?:\.\w+)+)(?::\w+)?")
"""A string that names a module, or ``module:attribute``."""


@cache
def sources() -> Mapping[str, Path]:
    """All modules by name, with their files; a package's is its `__init__`."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return {_name(path): path for path in paths}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def tree(module: str) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(sources()[module].read_text(encoding="utf-8"))


@cache
def imports() -> Mapping[str, frozenset[str]]:
    """What each module imports of the others by statements, wherever these stand."""
    return {module: frozenset(_imported(module)) - {module} for module in sources()}


def _imported(module: str) -> Iterator[str]:
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in sources())
        elif isinstance(node, ast.ImportFrom) and node.module and node.module in sources():
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in sources() else node.module


@cache
def named() -> Mapping[str, frozenset[str]]:
    """What each module names of the others in a string, to have it imported or run."""
    return {module: frozenset(_named(module)) - {module} for module in sources()}


def _named(module: str) -> Iterator[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = {
        id(node.body[0].value)
        for node in ast.walk(tree(module))
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
            match = _NAMED.fullmatch(node.value)
            if match and match[1] in sources():
                yield match[1]


def users(module: str) -> list[str]:
    """Who imports a module."""
    return [user for user, imported in imports().items() if module in imported]


def circles() -> list[list[str]]:
    """The circles of modules that import or name each other, each once."""
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> None:
        if module in path:
            found.append([*path[path.index(module) :], module])
        elif module not in done:
            for other in sorted(imports()[module] | named()[module]):
                visit(other, [*path, module])
            done.add(module)

    for module in sources():
        visit(module, [])
    return found


def longest_chain(package: str, *apart: str) -> list[str]:
    """The longest chain of modules of a package, of which each imports the next one.

    Rooms that stand apart are not counted.
    """
    others = tuple(f"{room}." for room in apart)
    within = {
        each for each in sources() if f"{each}.".startswith(f"{package}.") and each != package
    }
    within -= {each for each in within if f"{each}.".startswith(others)}

    @cache
    def chain(module: str) -> tuple[str, ...]:
        below = [chain(other) for other in sorted(imports()[module] & within)]
        return (module, *_longest(below))

    return list(_longest([chain(module) for module in sorted(within)]))


def _longest(chains: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    return max(chains, key=len, default=())
