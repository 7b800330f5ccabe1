"""A program's own ways of merging are imported from the user's modules, and from no others."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.placement.actor.own_functions import OwnFunctions
from cluster.placement.actor.own_modules import OwnModules

CREW = {
    "own_team/__init__.py": "",
    "own_team/critics.py": "from own_boards import Board\n",
    "own_boards.py": """
import shutil
from shutil import move
NUMBER = 5
def longer(base, mine, theirs):
    return max(mine, theirs)
class Board:
    def shorter(base, mine, theirs):
        return min(mine, theirs)
""",
    "own_broken.py": "import own_boards\nraise SystemError('no such board')\n",
    "shutil.py": "",
}


@pytest.fixture
def functions(tmp_path: Path) -> Iterator[OwnFunctions]:
    """Those of a user whose agent is in a package; what was imported is forgotten afterwards."""
    finders, modules = list(sys.meta_path), set(sys.modules)
    for name, source in CREW.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source, encoding="utf-8")
    names = ["own_team.critics:Critic", "own_broken:Agent", "agents.manager:Manager"]
    yield OwnFunctions(OwnModules(names, [str(tmp_path)]))
    sys.meta_path[:] = finders
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["own_boards:longer", "own_boards:Board.shorter"])
def test_a_function_of_a_module_that_an_agent_imports_is_found(
    functions: OwnFunctions, name: str
) -> None:
    found = functions.find(name)

    assert found is not None
    assert found(None, 1, 1) == 1


@pytest.mark.parametrize(
    "name",
    [
        "shutil:move",
        "os:system",
        "agents.manager:Manager",
        "own_boards:move",
        "own_boards:shutil.move",
        "own_boards:NUMBER",
        "own_boards:Board",
        "own_boards:nothing",
        "own_boards:",
        ":longer",
        "own_elsewhere:longer",
    ],
)
def test_what_is_no_function_of_the_user_is_not_found(functions: OwnFunctions, name: str) -> None:
    assert functions.find(name) is None


def test_a_module_that_can_not_be_imported_is_named_in_the_log(
    functions: OwnFunctions, caplog: pytest.LogCaptureFixture
) -> None:
    assert functions.find("own_broken:longer") is None
    assert "the policy own_broken:longer can't be imported: SystemError" in caplog.text
