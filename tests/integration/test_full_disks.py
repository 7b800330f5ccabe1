"""A store that can't be written to or read: a run ends with its last words, and at once."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import Surroundings, surroundings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

RUN = ("run", "why?", "--model", "simulated:?ttft_s=1", "--deadline", "100")
DISK_KIB, FREE_KIB = 300, 12
"""What is free is enough for the start of a server, and not for what agents write first."""


@pytest.fixture
def here() -> Iterator[Surroundings]:
    with surroundings() as made:
        yield made


@pytest.fixture
def data(here: Surroundings) -> Iterator[Path]:
    """The user's data folder, on a small disk of its own."""
    folder = here.folder / "DATA"
    folder.mkdir()
    mount = [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", f"size={DISK_KIB}k", "none"]
    if os.geteuid() != 0 or subprocess.run([*mount, str(folder)], check=False).returncode:
        pytest.skip("mounting needs the rights of root")
    yield folder
    subprocess.run([shutil.which("umount") or "", "-l", str(folder)], check=True)


async def test_a_disk_that_gets_full_is_said_by_the_store(here: Surroundings, data: Path) -> None:
    (data / "other").write_bytes(bytes((DISK_KIB - FREE_KIB) * 1024))

    ended = await here.fleetmind(*RUN)

    assert ended.exit_code == 1
    assert f"the embedded redis-server ended with status 1; its data are in {data}" in ended.err
    assert "AOF" in ended.lines[-1].partition("its last words: ")[2]
    await here.nothing_is_left()


async def test_a_disk_that_gets_full_while_something_is_learned_is_said_by_the_store(
    here: Surroundings, data: Path
) -> None:
    (data / "other").write_bytes(bytes((DISK_KIB - 40) * 1024))
    lines = (f"Fact {number}: it is {number * number}.\n\n" for number in range(9_000))
    (here.folder / "facts.md").write_text("".join(lines), encoding="utf-8")

    ended = await here.fleetmind("learn", "facts.md")

    assert ended.exit_code == 1
    assert "the embedded redis-server ended with status 1" in ended.lines[-1]
    assert "AOF" in ended.lines[-1].partition("its last words: ")[2]


async def test_a_disk_that_is_full_from_the_start_is_named(here: Surroundings, data: Path) -> None:
    (data / "other").write_bytes(bytes(DISK_KIB * 1024))

    ended = await here.fleetmind(*RUN)

    assert ended.exit_code == 1
    why = "No space left on device): set HOME, or XDG_DATA_HOME, to a folder"
    assert any(why in line for line in ended.lines)
    assert ended.lines[-1].startswith("fleetmind: disk: ")  # what the doctor found


async def test_a_file_that_was_damaged_is_said_by_the_store(here: Surroundings) -> None:
    await here.fleetmind("knowledge")
    [written] = (here.folder / "DATA").rglob("appendonly.aof*")
    written.write_bytes(b"*1\r\n$4\r\nPING\r\n" + b"damaged\r\n" * 9)

    ended = await here.fleetmind(*RUN)

    assert ended.exit_code == 1
    assert "redis-server ended with status 1" in ended.lines[-1]
    assert "Bad file format" in ended.lines[-1]
