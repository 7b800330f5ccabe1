"""Programs with the libraries of a real virtual environment, and without."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from agents.tools.sandbox.bubblewrap import BubblewrapSandbox
from agents.tools.sandbox.discovery import discover
from agents.tools.sandbox.libraries import find_libraries
from tests.support.sandbox import real_sandbox

pytestmark = pytest.mark.integration
TIMEOUT_S = 30.0
USE = "import tiny; print(tiny.twice(21))"


@pytest.fixture(scope="module")
def environment() -> Iterator[Path]:
    """An environment with one library, where everybody can read it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder, "env")
        command = [discover().python, "-m", "venv", "--without-pip", "--symlinks", str(path)]
        subprocess.run(command, check=True, timeout=TIMEOUT_S)
        (site,) = path.glob("lib/python3.*/site-packages")
        (site / "tiny").mkdir()
        (site / "tiny" / "__init__.py").write_text("def twice(n):\n    return 2 * n\n", "utf-8")
        (site / "tiny_lib-1.0.dist-info").mkdir()
        (site / "tiny_lib-1.0.dist-info" / "METADATA").write_text("Name: tiny-lib\nVersion: 1.0\n")
        (site / "tiny_lib-1.0.dist-info" / "RECORD").write_text("tiny/__init__.py,,\n")
        yield path


def found(folder: Path, pattern: str) -> list[Path]:
    return list(folder.rglob(pattern))


@pytest.fixture
async def sandbox(environment: Path) -> AsyncIterator[BubblewrapSandbox]:
    async with real_sandbox(libraries=find_libraries(str(environment))) as sandbox:
        yield sandbox


async def test_a_program_imports_a_library_of_the_environment(sandbox: BubblewrapSandbox) -> None:
    run = await sandbox.run(USE, TIMEOUT_S)

    assert (run.exit_code, run.stdout, run.stderr) == (0, "42\n", "")
    assert sandbox.libraries == ("tiny-lib (tiny)",)


async def test_without_the_setting_the_import_fails() -> None:
    async with real_sandbox() as sandbox:
        run = await sandbox.run(USE, TIMEOUT_S)

    assert run.exit_code == 1
    assert "No module named 'tiny'" in run.stderr
    assert sandbox.libraries == ()


async def test_a_program_can_not_write_into_the_environment(
    sandbox: BubblewrapSandbox, environment: Path
) -> None:
    source = (
        "import pathlib, tiny\nfolder = pathlib.Path(tiny.__file__).parent\n"
        "for path in (folder / 'evil.py', folder / '__init__.py', folder.parent / 'evil.py',\n"
        "             folder.parents[3] / 'bin' / 'evil', folder.parents[3] / 'pyvenv.cfg'):\n"
        "    try:\n        path.write_text('x')\n        print('wrote', path)\n"
        "    except OSError as error:\n        print(error.strerror)\n"
    )

    run = await sandbox.run(source, TIMEOUT_S)

    assert "wrote" not in run.stdout
    assert run.stdout.count("Read-only file system") == 5
    assert found(environment, "evil*") == []


async def test_what_lies_beside_the_environment_stays_hidden(
    sandbox: BubblewrapSandbox, environment: Path
) -> None:
    (environment.parent / "secret.txt").write_text("secret", encoding="utf-8")

    run = await sandbox.run(f"import os; print(os.listdir({str(environment.parent)!r}))", TIMEOUT_S)

    assert run.stdout == "['env']\n"
