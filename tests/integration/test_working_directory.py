"""What lies in the working directory is never run, but for the agents that the settings name.

Every process of a run looks there at nothing: the command, the cluster's process, Ray and its
workers, the sandbox. The files that are planted have names that these import, or would like to.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import ROOT, Ended, Surroundings, surroundings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

GOAL = "How do I get the three largest numbers with heapq? Show a program."
KNOWLEDGE = ROOT / "examples" / "knowledge"
RUN = ("run", GOAL, "--model", "simulated:", "--json", "--knowledge", str(KNOWLEDGE))
LIBRARIES = (
    *("pydantic", "redis", "grpc", "ray", "numpy", "google", "protos", "agents", "cluster"),
    *("hiredis", "uvloop", "orjson", "xllamacpp", "setproctitle", "sitecustomize"),
)
"""Of ours, of others, and some that libraries look for and do without."""
STANDARD = ("json", "typing", "logging", "argparse", "asyncio", "multiprocessing", "secrets", "re")
PLANTED = """
import os
with open({marker!r}, "a") as marker:
    marker.write(f"{{__name__}} in {{os.getpid()}}\\n")
"""
INSTALLED = [str(Path(sys.executable).with_name("fleetmind"))]
MODULE = [sys.executable, "-m", "cluster"]
"""The two ways to call it, of which each test takes one: what they start is the same."""
DRIVER = f"""
import sys
sys.path.append(sys.path.pop(0))  # what is first here is the driver's own affair
import asyncio
from cluster import Cluster

async def main():
    async with Cluster() as cluster:
        task = await cluster.submit({GOAL!r}, knowledge=[{str(KNOWLEDGE)!r}])
        print((await task).text)

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.fixture
def here() -> Iterator[Surroundings]:
    with surroundings() as made:
        yield made


def plant(here: Surroundings, *names: str) -> Path:
    """Put files and a package there; return the file in which each says that it was run."""
    marker = here.folder / "home" / "marker"
    source = PLANTED.format(marker=str(marker))
    for name in names:
        (here.folder / f"{name}.py").write_text(source, encoding="utf-8")
    package = here.folder / "agents"
    package.mkdir()
    (package / "__init__.py").write_text(source, encoding="utf-8")
    return marker


def check(ended: Ended, marker: Path) -> None:
    assert not marker.exists(), marker.read_text(encoding="utf-8")
    assert ended.exit_code == 0, ended.err


async def test_no_process_of_a_run_imports_it(here: Surroundings) -> None:
    here.command = INSTALLED
    marker = plant(here, *LIBRARIES, *STANDARD)

    ended = await here.fleetmind(*RUN)

    check(ended, marker)
    assert json.loads(ended.out)["citations"]
    await here.nothing_is_left()


async def test_an_agent_of_ones_own_is_found_there_and_nothing_beside_it(
    here: Surroundings,
) -> None:
    own = ROOT / "examples" / "own_agent"
    for name in ("fleet.toml", "reviewer.py"):
        shutil.copyfile(own / name, here.folder / name)
    here.command = MODULE
    # `python -m cluster` runs a `cluster` that lies here: it is what it was told to run.
    marker = plant(here, *({*LIBRARIES, *STANDARD} - {"cluster"}))

    ended = await here.fleetmind("run", f"{GOAL} Have it reviewed.", *RUN[2:])

    check(ended, marker)
    assert "reviewer" in {step["agent"] for step in json.loads(ended.out)["steps"]}


async def test_a_drivers_folder_is_on_the_path_of_its_own_process_only(here: Surroundings) -> None:
    (here.folder / "ask.py").write_text(DRIVER, encoding="utf-8")
    # Nothing of these is installed as a module, so that even the last of the path is found.
    marker = plant(here, *({*LIBRARIES, *STANDARD} - {"google", "hiredis", "uvloop"}))
    here.command = [sys.executable, "ask.py"]

    ended = await here.fleetmind(FLEETMIND_MODEL="simulated:")

    check(ended, marker)
    assert ended.out
