"""The sandbox of an ordinary user, where the tests themselves run as root.

Nothing is dropped there, and bubblewrap, the limits and the watching have less power to lean on.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.tools.sandbox.discovery import discover
from agents.tools.sandbox.machine import SandboxMachine
from tests.integration.sandbox_attempts import ATTEMPTS, ESCAPED
from tests.support.sandbox import real_sandbox

PROJECT = Path(__file__).parents[2]
USER_ID = 61_500
CHOSEN = {
    "more processes than allowed",
    "one large allocation",
    "memory spread over children",
    "an endless loop",
    "stopping its group, which is bubblewrap's",
    "a gigabyte of stdout",
    "filling /dev/shm",
    "a hundred thousand files and more",
    "looking into private folders",
    "looking for descriptors left open",
    "writing outside its temporary folders",
    "becoming root",
    "joining groups",
    "a socket of family 2 and kind 1",
}
RUN_ALL = """
import asyncio, json
from agents.tools.sandbox.bubblewrap import BubblewrapSandbox

async def main():
    sandbox = BubblewrapSandbox()
    assert not sandbox.unavailable_because, sandbox.unavailable_because
    for source, timeout_s in json.loads(input()):
        run = await sandbox.run(source, timeout_s)
        print(json.dumps([run.exit_code, (run.stdout + run.stderr)[-2000:]]))
    await sandbox.close()

asyncio.run(main())
"""


@pytest.fixture
async def machine() -> SandboxMachine:
    async with real_sandbox():
        pass
    if os.geteuid() != 0:
        pytest.skip("the other tests of the sandbox already run as an ordinary user")
    machine = discover()
    is_new = [machine.python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    if subprocess.run(is_new, check=False).returncode:  # noqa: ASYNC221 - a matter of milliseconds
        pytest.skip(f"{machine.python} is older than Python 3.11")
    return machine


@pytest.fixture
def readable_copy(machine: SandboxMachine) -> Iterator[Path]:
    """The sandbox's modules and bubblewrap where every user can read them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for package in ("agents/tools", "cluster/kernel"):
            shutil.copytree(PROJECT / package, folder / package)
            (folder / package).parent.joinpath("__init__.py").touch()
        shutil.copy(machine.bubblewrap, folder / "bwrap")
        yield folder


async def test_attempts_of_an_ordinary_user_are_contained(
    machine: SandboxMachine, readable_copy: Path
) -> None:
    attempts = [attempt for attempt in ATTEMPTS if attempt.name in CHOSEN]
    assert len(attempts) == len(CHOSEN)
    caller = await asyncio.create_subprocess_exec(
        machine.setpriv,
        f"--reuid={USER_ID}",
        f"--regid={USER_ID}",
        "--clear-groups",
        machine.python,
        "-B",
        "-c",
        RUN_ALL,
        cwd=readable_copy,
        env={"PATH": str(readable_copy)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    jobs = json.dumps([[attempt.source, attempt.timeout_s] for attempt in attempts])

    async with asyncio.timeout(50):
        printed, _ = await caller.communicate(jobs.encode() + b"\n")

    runs = [json.loads(line) for line in printed.splitlines()]
    assert [exit_code for exit_code, _ in runs] == [attempt.exit_code for attempt in attempts]
    for attempt, (_, output) in zip(attempts, runs, strict=True):
        assert attempt.says in output
        assert ESCAPED not in output
