"""`learn --watch` as a process: real changes of files, a store that goes, and how it is ended."""

from __future__ import annotations

import os
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cluster.memory.store.embedded import EmbeddedRedis
from tests.support.commands import Surroundings, surroundings

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("signals_of_a_terminal"),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(data_root=tmp_path / "data") as started:
        yield started


@pytest.fixture
def here(server: EmbeddedRedis) -> Iterator[Surroundings]:
    with surroundings() as made:
        made.environment["FLEETMIND_REDIS_URL"] = f"unix://{made.folder}/store"
        name(made, server)
        (made.folder / "docs").mkdir()
        write(made, "A heap of sand.")
        yield made
        made.kill()


def name(here: Surroundings, server: EmbeddedRedis) -> None:
    """Give a server the address that the commands know."""
    address = here.folder / "store"
    address.unlink(missing_ok=True)
    address.symlink_to(server.url.removeprefix("unix://"))


def write(here: Surroundings, text: str) -> None:
    """Write as editors do: a new file takes the old one's place."""
    new = here.folder / "docs" / ".a.md.new"
    new.write_text(f"# Heaps\n\n{text}\n")
    new.replace(here.folder / "docs" / "a.md")


async def line(process: Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode()


async def noted(process: Process, words: str) -> None:
    assert process.stderr is not None
    while words not in (said := (await process.stderr.readline()).decode()):
        assert said, f"it ended without saying {words!r}"


@asynccontextmanager
async def watching(here: Surroundings, path: str) -> AsyncIterator[Process]:
    process = await here.start("learn", path, "--watch")
    assert (await line(process)).startswith("learned 1 file")
    await noted(process, "watching")
    yield process


async def test_files_that_change_come_and_go_are_learned_until_ctrl_c(here: Surroundings) -> None:
    async with watching(here, "docs") as process:
        write(here, "A heap of stones.")
        changed = await line(process)
        (here.folder / "docs" / "sub").mkdir()
        (here.folder / "docs" / "sub" / "b.md").write_text("# Trees\n\nA tree of twigs.\n")
        come = await line(process)
        (here.folder / "docs" / "sub" / "b.md").unlink()
        gone = await line(process)
        os.killpg(process.pid, signal.SIGINT)
        ended = await here.ended(process)

    one, two = "in all 1 file with 1 passage\n", "in all 2 files with 2 passages\n"
    assert changed == "learned 1 file; " + one
    assert come == "learned 1 file; " + two
    assert gone == "learned 0 files, forgot 1 gone; " + one
    assert (ended.exit_code, ended.lines) == (130, ["fleetmind: interrupted"])


async def test_commands_beside_it_use_its_store_and_a_cluster_that_would_stay_is_refused(
    here: Surroundings,
) -> None:
    del here.environment["FLEETMIND_REDIS_URL"]
    async with watching(here, "docs") as process:
        listed = await here.fleetmind("knowledge")
        forgotten = await here.fleetmind("forget", "docs/a.md")
        up = await here.fleetmind("up", "--model", "simulated:")
        os.killpg(process.pid, signal.SIGINT)
        await here.ended(process)

    assert listed.out.startswith("default  1 file,")
    assert forgotten.out == "forgot 1 file in default\n"
    assert up.exit_code == 2
    assert "has the store with your data" in up.err


async def test_a_file_that_was_named_is_learned_again_until_sigterm(here: Surroundings) -> None:
    async with watching(here, "docs/a.md") as process:
        write(here, "A heap of stones.")
        first = await line(process)
        write(here, "A heap of leaves.")
        second = await line(process)
        os.killpg(process.pid, signal.SIGTERM)
        ended = await here.ended(process)

    assert first == second
    assert first.startswith("learned 1 file; in all 1 file with 1 passage")
    assert (ended.exit_code, ended.lines) == (143, ["fleetmind: terminated"])


async def test_what_changes_while_the_store_is_gone_is_learned_when_it_is_back(
    here: Surroundings, server: EmbeddedRedis
) -> None:
    async with watching(here, "docs") as process:
        server.stop()
        write(here, "A heap of stones.")
        await noted(process, "trying again until it answers")
        server.start()
        name(here, server)
        changed = await line(process)
        os.killpg(process.pid, signal.SIGTERM)
        ended = await here.ended(process)

    assert changed.startswith("learned 1 file; in all 1 file with 1 passage")
    assert ended.lines == ["fleetmind: the store answers again", "fleetmind: terminated"]
