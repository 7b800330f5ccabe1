"""Environments for programs, played by a script that answers as a Python does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.tools.sandbox.libraries import NAMES_MAX, find_libraries
from cluster.kernel.errors import UsageError


class Environment:
    """A folder that looks like a virtual environment."""

    def __init__(self, folder: Path, version: tuple[int, int] = (3, 12)) -> None:
        self.folder = folder
        self.site = folder / "lib" / "python3.12" / "site-packages"
        self.site.mkdir(parents=True)
        (folder / "bin").mkdir()
        answer = json.dumps([version, str(folder), str(folder), [str(self.site), "/nowhere"]])
        self.python = folder / "bin" / "python3"
        self.python.write_text(f"#!/bin/sh\necho '{answer}'\n", encoding="utf-8")
        self.python.chmod(0o755)

    def install(self, name: str, *modules: str, needs: str = "", is_linked: bool = False) -> None:
        record = self.site / f"{name.replace('-', '_')}-1.0.dist-info"
        record.mkdir()
        need = f"Requires-Dist: {needs}\n" if needs else ""
        (record / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n{need}", encoding="utf-8")
        files = "".join(f"{module}/__init__.py,,\n" for module in modules)
        (record / "RECORD").write_text(files, encoding="utf-8")
        if is_linked:
            (record / "direct_url.json").write_text('{"dir_info": {"editable": true}}', "utf-8")


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "env")


@pytest.mark.parametrize("name", [".", "bin/python3"])
def test_an_environment_is_named_by_its_folder_or_its_interpreter(
    environment: Environment, name: str
) -> None:
    found = find_libraries(str(environment.folder / name), is_root=False)

    assert found.python == str(environment.python)
    assert found.shown == (str(environment.folder / "bin"), str(environment.folder / "lib"))


def test_libraries_that_no_other_needs_are_named_first_and_tools_not_at_all(
    environment: Environment,
) -> None:
    environment.install("numpy", "numpy")
    environment.install("Pandas", "pandas", needs="numpy>=1.26; python_version > '3'")
    environment.install("PyYAML", "yaml", "_yaml")
    environment.install("pip", "pip")
    environment.install("mine", "mine", is_linked=True)

    found = find_libraries(str(environment.folder), is_root=False)

    assert found.names == ("Pandas", "PyYAML (yaml)", "numpy")


def test_a_model_is_not_told_of_more_libraries_than_it_can_use(environment: Environment) -> None:
    for number in range(NAMES_MAX + 3):
        environment.install(f"lib{number:03}", f"lib{number:03}")

    found = find_libraries(str(environment.folder), is_root=False)

    assert len(found.names) == NAMES_MAX


@pytest.mark.parametrize("name", ["missing", "bin"])
def test_a_path_without_an_interpreter_is_refused(environment: Environment, name: str) -> None:
    with pytest.raises(UsageError, match=rf"\[sandbox\] python: .*/{name} is no Python"):
        find_libraries(str(environment.folder / name))


def test_an_old_python_is_refused(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "env", version=(3, 8))

    with pytest.raises(UsageError, match=r"is Python 3.8; programs need 3.9 or newer"):
        find_libraries(str(environment.folder), is_root=False)


def test_what_does_not_answer_as_a_python_is_refused(environment: Environment) -> None:
    environment.python.write_text("#!/bin/sh\necho hello\n", encoding="utf-8")

    with pytest.raises(UsageError, match="does not answer as a Python does"):
        find_libraries(str(environment.folder), is_root=False)


def test_an_environment_in_a_private_folder_is_refused_where_programs_are_somebody_else(
    environment: Environment,
) -> None:
    environment.folder.chmod(0o700)

    with pytest.raises(UsageError, match=r"can't read .*, which is private; make the environment"):
        find_libraries(str(environment.folder), is_root=True)
