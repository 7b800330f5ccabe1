"""How deep the layers are, that none imports upwards by a string, and that no module is a crumb."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache

import pytest

from tests.architecture.graph import (
    ROOT,
    circles,
    imports,
    longest_chain,
    named,
    sources,
    tree,
    users,
)

LEVELS = {
    "agents": 6,
    "agents.evidence.data": 4,
    "cluster.kernel": 5,
    "cluster.kernel.state": 5,
    "cluster.memory": 5,
    "cluster.memory.cache": 5,
    "cluster.memory.state.host": 5,
    "cluster.runtime": 5,
    "cluster.runtime.sharing": 5,
    "cluster.placement": 5,
}
"""Modules in the longest chain: how much a newcomer has to know before the top makes sense.
A room that is listed by itself isn't counted in what it lies in."""
NAMES_AGENTS = {
    "cluster.supply": "the port that `agents` fills",
    "cluster.settings.values": "the agents' classes and their factory are settings",
}
IMPORTS_WHAT_IT_IS_TOLD = {
    "agents.factory": "the class of an agent, from the settings",
    "agents.routing.functions": "functions that answer goals, from the settings",
    "agents.models.local.server": "xllamacpp, which has no types",
    "cluster": "the public names, when they are asked for",
    "cluster.cli.entry": "the command that is asked for",
    "cluster.supply": "the models of the installed agents",
    "cluster.placement.actor.actors": "the opener of a host, which tests replace",
    "cluster.placement.actor.assembly": "the agents' factory, from the settings",
    "cluster.placement.actor.own_functions": "a user's own ways of merging, from the log",
    "cluster.placement.serving.replica": "the opener of the ingress, which tests replace",
}
CRUMB_LINES = 40
CRUMBS = {
    "cluster.wire.dead_letters": "only wire modules see protobuf",
}


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles() == []


@pytest.mark.parametrize(("package", "levels_max"), LEVELS.items())
def test_no_room_is_deeper_than_a_newcomer_can_follow(package: str, levels_max: int) -> None:
    apart = [room for room in LEVELS if room.startswith(f"{package}.")]

    chain = longest_chain(package, *apart)

    assert len(chain) <= levels_max, " > ".join(chain)


@cache
def ranks() -> dict[str, int]:
    """The layers of the import-linter's contract, 0 for the lowest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    [layers] = [
        contract["layers"]
        for contract in project["tool"]["importlinter"]["contracts"]
        if contract["name"] == "layers point downwards"
    ]
    return {
        name: rank
        for rank, layer in enumerate(reversed(layers))
        for name in re.findall(r"[\w.]+", layer)
    }


def rank_of(module: str) -> int:
    """The rank of a module's layer; what is in none may name everything."""
    found = [rank for name, rank in ranks().items() if f"{module}.".startswith(f"{name}.")]
    return max(found, default=len(ranks()))


def test_a_module_named_in_a_string_is_not_above_the_one_that_names_it() -> None:
    upwards = [
        f"{module}: {other}"
        for module, others in named().items()
        for other in sorted(others)
        if rank_of(other) > rank_of(module) and module not in NAMES_AGENTS
    ]

    assert upwards == []


def test_the_cluster_names_agents_in_two_places() -> None:
    naming = {
        module
        for module, others in named().items()
        if module.startswith("cluster") and any(each.startswith("agents") for each in others)
    }

    assert naming == set(NAMES_AGENTS)


def test_what_is_imported_by_a_computed_name_is_known() -> None:
    assert {module for module in sources() if list(dynamic_imports(module))} == set(
        IMPORTS_WHAT_IT_IS_TOLD
    )


def dynamic_imports(module: str) -> Iterator[ast.Call]:
    """Calls of `import_module` and the like."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if name in {"import_module", "__import__"}:
                yield node


def test_no_module_is_a_crumb_of_its_only_user() -> None:
    crumbs = {
        module
        for module, path in sources().items()
        if path.name != "__init__.py"
        and len(path.read_text(encoding="utf-8").splitlines()) < CRUMB_LINES
        and len(users(module)) == 1
    }

    assert crumbs == set(CRUMBS)


def test_the_graph_sees_what_stands_in_functions_and_type_checks() -> None:
    assert "cluster.joining" in imports()["cluster"]
    assert "cluster.memory.cache.shelf" in imports()["cluster.memory.cache.knowledge_cache"]
