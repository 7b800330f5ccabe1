"""A user's own modules are imported, and nothing else that lies beside them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from cluster.placement.actor.own_modules import OwnModules


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder; what was imported from it is forgotten afterwards."""
    finders, modules = list(sys.meta_path), set(sys.modules)
    yield tmp_path
    sys.meta_path[:] = finders
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(folder: Path, files: dict[str, str]) -> None:
    for name, source in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(source, encoding="utf-8")


def install(folder: Path, name: str) -> None:
    OwnModules([name], [str(folder / "missing"), str(folder)]).install()


def test_the_module_that_is_named_is_found(folder: Path) -> None:
    write(folder, {"own_critic.py": "WORD = 'mine'\n"})
    install(folder, "own_critic:Critic")

    assert import_module("own_critic").WORD == "mine"


def test_what_it_imports_from_beside_it_is_found(folder: Path) -> None:
    write(
        folder,
        {
            "own_crew/__init__.py": "",
            "own_crew/critics.py": "def late():\n    from own_words import WORD\n    return WORD\n",
            "own_words.py": "import own_letters\nWORD = own_letters.LETTERS\n",
            "own_letters.py": "LETTERS = 'abc'\n",
        },
    )
    install(folder, "own_crew.critics:Critic")

    assert import_module("own_crew.critics").late() == "abc"


def test_what_a_library_may_look_for_is_not_found(folder: Path) -> None:
    write(folder, {"own_critic.py": "", "no_such_accelerator.py": "raise SystemExit\n"})
    install(folder, "own_critic:Critic")
    import_module("own_critic")

    with pytest.raises(ModuleNotFoundError):
        import_module("no_such_accelerator")


def test_what_is_installed_is_never_hidden(folder: Path) -> None:
    write(
        folder,
        {
            "own_critic.py": "import colorsys\n",
            "colorsys.py": "raise SystemExit\n",
        },
    )
    install(folder, "own_critic:Critic")
    sys.modules.pop("colorsys", None)

    import_module("own_critic")

    assert sys.modules["colorsys"].__file__ != str(folder / "colorsys.py")


def test_a_module_that_cannot_be_parsed_fails_as_itself(folder: Path) -> None:
    write(folder, {"own_critic.py": "def\n"})
    install(folder, "own_critic:Critic")

    with pytest.raises(SyntaxError, match=r"own_critic\.py"):
        import_module("own_critic")


def test_it_takes_part_once(folder: Path) -> None:
    before = len(sys.meta_path)

    install(folder, "own_critic:Critic")
    install(folder, "own_critic:Critic")

    assert len(sys.meta_path) == before + 1
