"""The modules of a user's own agents: found in the user's folders, and nothing else is.

Used by `cluster.placement.actor.assembly` before it loads what the settings name. To put those
folders on the path would not do: whatever a library looks for and does without (`hiredis`,
`orjson`) would be run from there, if only a file has its name.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType


class OwnModules(MetaPathFinder):
    """Finds what is named, and what the modules that are found so import from beside them.

    Args:
        names: of modules, or of what is in them (``crew.critics:Critic``).
        folders: where they are looked for, in this order.
    """

    def __init__(self, names: Iterable[str], folders: Sequence[str]) -> None:
        self._names = {_top(name) for name in names}
        self._folders = list(folders)
        self._looked_through: set[str] = set()
        self.given = (frozenset(self._names), tuple(folders))
        """What it was made with; the names become more."""

    def install(self) -> None:
        """Take part in imports, as the last, once: what is installed is never hidden."""
        others = (finder for finder in sys.meta_path if isinstance(finder, OwnModules))
        if all(finder.given != self.given for finder in others):
            sys.meta_path.append(self)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return where a module is, if it is one of them; called by Python's import."""
        if path is not None or fullname not in self._names:
            return None
        spec = PathFinder.find_spec(fullname, self._folders, target)
        if spec is not None:
            self._names.update(name for file in _sources(spec) for name in _imported_by(file))
        return spec

    def owns(self, module: str) -> bool:
        """Say whether a module is one of them, and not of what is installed; imports nothing."""
        while unseen := self._names - self._looked_through:
            self._looked_through |= unseen
            for name in unseen:
                self.find_spec(name, None)
        spec = self.find_spec(_top(module), None)
        return spec is not None and _place(spec) == _place(_found_by_all(_top(module)))


def _found_by_all(name: str) -> ModuleSpec | None:
    """Return what an import of a name would find."""
    try:
        return importlib.util.find_spec(name)
    except ValueError:
        return None  # as of a script that was started


def _place(spec: ModuleSpec | None) -> object:
    return spec and (spec.origin, *(spec.submodule_search_locations or ()))


def _sources(spec: ModuleSpec) -> Iterator[Path]:
    if spec.submodule_search_locations is not None:
        for folder in spec.submodule_search_locations:
            yield from Path(folder).rglob("*.py")
    elif spec.origin is not None:
        yield Path(spec.origin)


def _imported_by(file: Path) -> Iterator[str]:
    """Give the names a source imports; what can't be read or parsed fails when it is run."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (_top(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield _top(node.module)


def _top(name: str) -> str:
    return name.partition(":")[0].partition(".")[0]
