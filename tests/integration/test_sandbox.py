"""The sandbox against programs that want out: each is contained, and the next program works.

What holds for one that starts with its program holds for one that waited for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from agents.tools.sandbox.bubblewrap import BubblewrapSandbox
from cluster.kernel.errors import DeadlinePassed, Overloaded, Stopped, TooLarge
from cluster.kernel.sections import SandboxSettings
from tests.integration.sandbox_attempts import (
    ATTEMPTS,
    ESCAPED,
    SYSTEM_CALLS,
    Attempt,
    system_call_source,
)
from tests.support.sandbox import real_sandbox

PROJECT = Path(__file__).parents[2]
FOR_EVER = "import time\nprint('running', flush=True)\nwhile True: time.sleep(1)"
WAIT_S = 40.0
"""Longer than anything takes that works, however busy the machine."""
OUTPUT_BYTES_MAX = SandboxSettings().output_bytes_max


def named(mark: str, source: str) -> str:
    """Have a program give its process a name that can be found on this machine."""
    return f"import ctypes\nctypes.CDLL(None).prctl(15, b'{mark}', 0, 0, 0)\n{source}"


def processes_named(mark: str) -> list[str]:
    """Return those that run: one that ends has given its memory back, and with it its arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            is_meant = path.read_text(errors="replace").strip() == mark
            if is_meant and path.with_name("cmdline").read_bytes():
                found.append(path.parent.name)
    return found


def commands() -> list[str]:
    return facts_of_processes("cmdline")


def facts_of_processes(fact: str) -> list[str]:
    found = []
    for path in Path("/proc").glob(f"[0-9]*/{fact}"):
        with suppress(OSError):
            found.append(path.read_text(errors="replace").strip())
    return found


async def until(mark: str, *, is_running: bool) -> None:
    async with asyncio.timeout(WAIT_S):
        while bool(processes_named(mark)) != is_running:  # noqa: ASYNC110 - nothing would set an event
            await asyncio.sleep(0)


def open_files() -> set[tuple[str, str]]:
    """Number and target of each open file; that of the listing itself is closed by then."""
    files = set()
    for number in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            files.add((number.name, str(number.readlink())))
    return files


@pytest.fixture
def mark() -> str:
    return f"t{os.getpid()}-{time.monotonic_ns() % 100_000}"


@pytest.fixture(params=[0, 1], ids=["cold", "warm"])
def warm_max(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


@pytest.fixture
async def sandbox(warm_max: int) -> AsyncIterator[BubblewrapSandbox]:
    """A sandbox that leaves nothing open behind."""
    open_before = open_files()
    async with real_sandbox(warm_max=warm_max) as sandbox:
        yield sandbox
    if not open_files() <= open_before:
        gc.collect()  # of a process that has run many tests this takes a second
    assert open_files() <= open_before  # what earlier tests left open may have been closed


async def assert_next_program_works(sandbox: BubblewrapSandbox) -> None:
    run = await sandbox.run("import os\nprint('next', os.listdir('/tmp'))", WAIT_S)

    assert (run.exit_code, run.stdout, run.stderr) == (0, "next []\n", "")


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
async def test_attempt_is_contained_and_the_next_program_works(
    attempt: Attempt, warm_max: int
) -> None:
    limits = SandboxSettings(cpu_s_max=attempt.cpu_s_max)
    async with real_sandbox(limits, warm_max=warm_max) as sandbox:
        run = await sandbox.run(attempt.source, attempt.timeout_s)

        assert run.exit_code == attempt.exit_code, run
        assert attempt.says in run.stdout + run.stderr
        assert ESCAPED not in run.stdout
        assert max(len(run.stdout), len(run.stderr) - 100) <= OUTPUT_BYTES_MAX
        await assert_next_program_works(sandbox)


@pytest.mark.parametrize("name", SYSTEM_CALLS)
async def test_system_call_is_refused_and_the_next_program_works(
    name: str, sandbox: BubblewrapSandbox
) -> None:
    run = await sandbox.run(system_call_source(name), WAIT_S)

    assert run.stdout in {"Operation not permitted\n", "Function not implemented\n"}, run
    await assert_next_program_works(sandbox)


async def test_a_daemon_dies_with_the_program_and_does_not_delay_its_result(
    mark: str, sandbox: BubblewrapSandbox
) -> None:
    daemon = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(15, MARK, 0, 0, 0)
        os.write(ready, b"x")
        time.sleep(1000)
    os._exit(0)
os.read(seen, 1)
print("left it behind")
"""
    head = f"import ctypes, os, time\nseen, ready = os.pipe()\nMARK = b'{mark}'\n"

    async with asyncio.timeout(WAIT_S):
        run = await sandbox.run(head + daemon, 60)

    assert (run.exit_code, run.stdout) == (0, "left it behind\n")
    await until(mark, is_running=False)


async def test_the_environment_of_the_caller_stays_outside(
    sandbox: BubblewrapSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "canary")

    run = await sandbox.run("import os\nprint(sorted(os.environ))", WAIT_S)

    threads = "'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS'"
    assert run.stdout == f"['HOME', 'LC_ALL', 'MALLOC_ARENA_MAX', {threads}, 'PATH', 'PWD']\n"


async def test_project_interpreter_and_home_of_the_caller_are_out_of_sight(
    sandbox: BubblewrapSandbox,
) -> None:
    paths = [str(PROJECT), sys.prefix, sys.base_prefix + "/lib/site", str(Path.home())]
    source = f"import os\nprint([path for path in {paths} if os.path.exists(path)])"

    run = await sandbox.run(source, WAIT_S)

    assert run.stdout == "[]\n"


@pytest.mark.parametrize("address", ["\0fleetmind-test", "socket"])
async def test_unix_sockets_of_the_machine_are_out_of_reach(
    address: str, tmp_path: Path, sandbox: BubblewrapSandbox
) -> None:
    name = address + str(os.getpid()) if address[0] == "\0" else str(tmp_path / address)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
        listener.listen()

        run = await sandbox.run(
            f"import socket\nsocket.socket(socket.AF_UNIX).connect({name!r})\nprint('ESCAPED')",
            WAIT_S,
        )

    assert run.exit_code == 1
    assert "ESCAPED" not in run.stdout


async def test_cancelling_kills_at_once_and_leaves_nothing(
    mark: str, sandbox: BubblewrapSandbox
) -> None:
    running = asyncio.create_task(sandbox.run(named(mark, FOR_EVER), 60))
    await until(mark, is_running=True)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert processes_named(mark) == []
    await assert_next_program_works(sandbox)


async def test_cancelling_while_it_starts_leaves_nothing(
    mark: str, sandbox: BubblewrapSandbox
) -> None:
    for turns in range(20):
        running = asyncio.create_task(sandbox.run(named(mark, FOR_EVER), 60))
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    assert processes_named(mark) == []
    await assert_next_program_works(sandbox)


async def test_closing_kills_what_runs_and_refuses_what_comes(
    mark: str, sandbox: BubblewrapSandbox
) -> None:
    running = asyncio.create_task(sandbox.run(named(mark, FOR_EVER), 60))
    await until(mark, is_running=True)

    await sandbox.close()

    assert processes_named(mark) == []
    with pytest.raises(Stopped):
        await running
    with pytest.raises(Stopped):
        await sandbox.run("print(1)", 10)


CALLER = """
import asyncio, sys
from agents.tools.sandbox.bubblewrap import BubblewrapSandbox
from cluster.kernel.sections import SandboxSettings

async def main():
    sandbox = BubblewrapSandbox(SandboxSettings(open_files_max=int(sys.argv[1])))
    assert not sandbox.unavailable_because
    if len(sys.argv) > 2:
        await sandbox.warm()
    print(sandbox._guard.folder, flush=True)  # and is about to start
    await sandbox.run("import time\\nwhile True: time.sleep(1)", 60)

asyncio.run(main())
"""


@pytest.mark.parametrize("warmed", [(), ("warm",)], ids=["cold", "warm"])
@pytest.mark.parametrize("moment", range(8))
async def test_killing_the_caller_at_any_moment_leaves_nothing(
    moment: int, warmed: tuple[str, ...]
) -> None:
    limit = 300 + os.getpid() % 700  # found again in the command that makes the sandbox
    async with real_sandbox():
        caller = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            CALLER,
            str(limit),
            *warmed,
            cwd=PROJECT,
            stdout=asyncio.subprocess.PIPE,
        )
    assert caller.stdout is not None
    folder = Path((await caller.stdout.readline()).decode().strip())
    for _ in range(moment * 200):
        await asyncio.sleep(0)

    caller.kill()

    await caller.wait()
    async with asyncio.timeout(WAIT_S):
        while any(f"--nofile={limit}" in command for command in commands()):  # noqa: ASYNC110
            await asyncio.sleep(0)
        while folder.exists():  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0)


async def test_programs_over_the_bound_wait_for_their_turn() -> None:
    async with real_sandbox(running_max=2) as sandbox:
        runs = await asyncio.gather(*(sandbox.run(f"print({n})", 30) for n in range(8)))

    assert [run.stdout for run in runs] == [f"{n}\n" for n in range(8)]


async def test_waiting_for_a_turn_ends_with_the_deadline_and_its_queue_is_bounded(
    mark: str,
) -> None:
    async with real_sandbox(running_max=1, waiting_max=1) as sandbox:
        first = asyncio.create_task(sandbox.run(named(mark, FOR_EVER), 60))
        await until(mark, is_running=True)
        waiting = asyncio.create_task(sandbox.run("print(1)", 0.2))
        await asyncio.sleep(0)

        with pytest.raises(Overloaded):
            await sandbox.run("print(1)", 10)
        with pytest.raises(DeadlinePassed):
            await waiting

        first.cancel()
        await asyncio.wait({first})
        await assert_next_program_works(sandbox)


async def test_one_program_at_its_limits_leaves_another_alone(sandbox: BubblewrapSandbox) -> None:
    bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    honest = (
        "import os, time\nfor _ in range(20):\n    os.waitpid(os.spawnlp(1, 'true', 'true'), 0)"
    )

    bombed, run = await asyncio.gather(sandbox.run(bomb, 2), sandbox.run(honest, 30))

    assert bombed.exit_code == 124
    assert (run.exit_code, run.stderr) == (0, "")


async def test_a_source_over_its_limit_is_refused(sandbox: BubblewrapSandbox) -> None:
    with pytest.raises(TooLarge):
        await sandbox.run("#" * (1024 * 1024 + 1), 10)


async def test_what_programs_usually_do_works(sandbox: BubblewrapSandbox) -> None:
    source = """
import asyncio, concurrent.futures, json, multiprocessing, sqlite3, subprocess, sys, tempfile
import zoneinfo
with tempfile.TemporaryDirectory() as folder, open(folder + "/x", "w") as file:
    json.dump({"a": 1}, file)
with concurrent.futures.ThreadPoolExecutor(16) as pool:
    assert sum(pool.map(len, ["ab"] * 100)) == 200
with multiprocessing.Pool(2) as pool:
    assert pool.map(abs, [-1, 2]) == [1, 2]
assert sqlite3.connect(":memory:").execute("select 1").fetchone() == (1,)
assert subprocess.run(["echo", "hi"], capture_output=True).stdout == b"hi\\n"
async def main():
    return await asyncio.gather(asyncio.sleep(0, 1), asyncio.to_thread(abs, -2))
assert asyncio.run(main()) == [1, 2]
print("\u00fc", file=sys.stderr)
exit(3)
"""

    run = await sandbox.run(source, WAIT_S)

    assert (run.exit_code, run.stdout, run.stderr) == (3, "", "\u00fc\n")
    assert run.duration_s > 0
