"""Sandboxes that wait for their program: used once, replaced when they die, ended at the close."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from agents.tools.sandbox.bubblewrap import BubblewrapSandbox, build_sandbox
from agents.tools.sandbox.warm import WarmSandbox, WarmSandboxes
from cluster.kernel.sections import SandboxSettings
from cluster.kernel.vocabulary import Run
from tests.support.sandbox import real_sandbox

FAILING = "def fail():\n    raise ValueError('so')\n\nfail()\n"


def waiting(sandbox: BubblewrapSandbox) -> list[WarmSandbox]:
    return sandbox._warm._waiting  # noqa: SLF001 - nobody else has a reason to know them


def said(run: Run) -> tuple[int, str, str]:
    return run.exit_code, run.stdout, run.stderr


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nprint(sys.argv, __file__, __name__, sorted(globals()))",
        FAILING,
        "x = (",
        "exit(3)",
        "raise SystemExit('so')",
        "import atexit\natexit.register(print, 'last')\n1 / 0",
        "import threading\nthreading.Thread(target=lambda: 1 / 0).start()",
        "import sys\nsys.excepthook = lambda *_: print('mine')\n1 / 0",
        "print(open(__file__).read())",
        "import inspect\ndef f(): pass\nprint(inspect.getsource(f))",
        "import pickle\nclass Own: pass\nprint(pickle.loads(pickle.dumps(Own())).__module__)",
    ],
)
async def test_a_program_sees_no_difference(source: str) -> None:
    async with real_sandbox(warm_max=1) as warm, real_sandbox() as cold:
        assert said(await warm.run(source, 10)) == said(await cold.run(source, 10))


async def test_each_is_used_once_and_then_replaced() -> None:
    async with real_sandbox(warm_max=1) as sandbox:
        [first] = waiting(sandbox)

        await sandbox.run("print(1)", 10)
        assert waiting(sandbox) == []
        await asyncio.sleep(0)

        [second] = waiting(sandbox)
        assert second is not first
        assert first.process.popen.returncode == 0


async def test_one_that_dies_is_noticed_and_replaced() -> None:
    async with real_sandbox(warm_max=1) as sandbox:
        [first] = waiting(sandbox)
        os.killpg(first.process.popen.pid, signal.SIGKILL)
        await first.settled.wait()
        while first in waiting(sandbox):  # noqa: ASYNC110 - nothing would set an event
            await asyncio.sleep(0)

        [second] = waiting(sandbox)
        await second.settled.wait()
        assert second.is_ready
        assert (await sandbox.run("print(1)", 10)).stdout == "1\n"


async def test_one_whose_death_was_not_noticed_gets_no_program() -> None:
    async with real_sandbox(warm_max=1) as sandbox:
        [dead] = waiting(sandbox)
        os.killpg(dead.process.popen.pid, signal.SIGKILL)
        os.waitid(os.P_PID, dead.process.popen.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - no pause in which its death would be heard

        assert (await sandbox.run("print(1)", 10)).stdout == "1\n"


async def test_nobody_waits_for_one_that_got_another_ones_program_before_it_was_ready() -> None:
    async with real_sandbox(warm_max=1) as sandbox:
        await sandbox.run("print(1)", 10)
        await asyncio.sleep(0)
        [second] = waiting(sandbox)
        preparing = asyncio.create_task(sandbox._warm.until_ready())  # noqa: SLF001 - as `warm` does
        await asyncio.sleep(0)
        assert not second.is_ready

        await sandbox.run("print(2)", 10)

        assert preparing.done()


async def test_the_name_of_its_file_is_gone_before_the_program_comes() -> None:
    async with real_sandbox(warm_max=1) as sandbox:
        guard = sandbox._guard  # noqa: SLF001 - whose folder it is in
        assert guard is not None

        assert list(guard.folder.iterdir()) == []


async def test_closing_ends_those_that_wait() -> None:
    async with real_sandbox(warm_max=2) as sandbox:
        both = list(waiting(sandbox))

    assert [each.process.popen.returncode for each in both] == [-signal.SIGKILL] * 2


async def test_as_many_wait_as_are_wanted_and_programs_over_them_start_their_own() -> None:
    async with real_sandbox(warm_max=2) as sandbox:
        await sandbox.warm()
        assert len(waiting(sandbox)) == 2

        runs = await asyncio.gather(*(sandbox.run(f"print({n})", 30) for n in range(4)))

        assert [run.stdout for run in runs] == ["0\n", "1\n", "2\n", "3\n"]


async def test_where_none_can_be_started_programs_start_as_they_do_without() -> None:
    def refuse(_: object) -> WarmSandbox:
        raise OSError("no more processes")

    pool = WarmSandboxes(refuse, 1)
    pool.refill()

    assert pool.take(b"print(1)") is None


async def test_a_time_limit_counts_from_the_programs_start() -> None:
    async with real_sandbox(warm_max=1) as sandbox:
        run = await sandbox.run("import time\ntime.sleep(100)", 0.2)

    assert "time limit of 0.2 s" in run.stderr


async def test_the_settings_can_switch_it_off() -> None:
    sandbox = build_sandbox(SandboxSettings(warm=False))
    assert isinstance(sandbox, BubblewrapSandbox)

    await sandbox.warm()

    assert waiting(sandbox) == []
    await sandbox.close()
