"""Ctrl-C and SIGTERM at every stage of a run that starts a cluster: one line, and nothing is left.

Stages are told by what the process has written, or by the signal handlers it has set by then.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import pytest

from tests.support.commands import Ended, Surroundings, handles, surroundings, until
from tests.support.sandbox import real_sandbox

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(240),
    pytest.mark.usefixtures("signals_of_a_terminal"),
]

GOAL = "Write a program that prints 42."
SILENT = "simulated:?ttft_s=60"
ENDLESS = "```python\nprint(42, flush=True)\nwhile True:\n    pass\n```"
Stage = Callable[[Process], Awaitable[str]]
"""Waits for a stage of a run; returns what of stderr it has read."""


@pytest.fixture
def here() -> Iterator[Surroundings]:
    with surroundings() as made:
        yield made


async def first_code(process: Process) -> str:
    """Our first lines run: SIGTERM is handled."""
    await until(lambda: handles(process.pid, signal.SIGTERM))
    return ""


async def event_loop(process: Process) -> str:
    """The event loop is there: SIGHUP is handled too."""
    await until(lambda: handles(process.pid, signal.SIGHUP))
    return ""


def note(words: str) -> Stage:
    async def said(process: Process) -> str:
        assert process.stderr is not None
        read = ""
        while words not in read:
            line = await process.stderr.readline()
            assert line, f"it ended without saying {words!r}: {read}"
            read += line.decode()
        return read

    return said


STAGES = {
    "our first code": first_code,
    "the event loop": event_loop,
    "starting Ray": note("starting Ray"),
    "placing the actors": note("placing"),
    "planning": note("planning"),
}
INT, TERM = signal.SIGINT, signal.SIGTERM
SIGNALS = {"Ctrl-C": (INT,), "Ctrl-C twice": (INT, INT), "SIGTERM": (TERM,)}
TIMES = [
    ("our first code", "Ctrl-C"),
    ("our first code", "Ctrl-C twice"),
    ("our first code", "SIGTERM"),
    ("the event loop", "Ctrl-C twice"),
    ("starting Ray", "Ctrl-C"),
    ("starting Ray", "SIGTERM"),
    ("placing the actors", "Ctrl-C"),
    ("planning", "Ctrl-C twice"),
]


async def interrupted(
    here: Surroundings, model: str, stage: Stage, numbers: tuple[signal.Signals, ...]
) -> Ended:
    process = await here.start("run", GOAL, "--model", model)
    before = await stage(process)
    here.remember()
    for number in numbers:
        with suppress(ProcessLookupError):  # the first may have been enough already
            os.killpg(process.pid, number)
    return await here.ended(process, before)


async def check(here: Surroundings, ended: Ended, *, by: signal.Signals = INT) -> None:
    exit_code, how = (143, "terminated") if by == TERM else (130, "interrupted")
    assert ended.exit_code == exit_code
    assert ended.lines[-1] == f"fleetmind: {how}"
    assert ended.err.count(how) == 1
    assert "Traceback" not in ended.err
    assert ended.out == ""
    await here.nothing_is_left()


@pytest.mark.parametrize(("stage", "numbers"), TIMES)
async def test_a_run_ends_with_130_or_143_and_one_line_and_leaves_nothing(
    here: Surroundings, stage: str, numbers: str
) -> None:
    ended = await interrupted(here, SILENT, STAGES[stage], SIGNALS[numbers])

    await check(here, ended, by=SIGNALS[numbers][0])


async def test_a_program_that_runs_is_ended_too(here: Surroundings) -> None:
    async with real_sandbox():
        pass  # or skip: without one no program would run
    script = here.folder / "script.toml"
    script.write_text(f"[coder]\n'*' = {json.dumps(ENDLESS)}\n", encoding="utf-8")

    async def runs(process: Process) -> str:
        before = await note("program 1 of")(process)
        await here.until_running("--unshare-all")
        return before

    ended = await interrupted(here, f"simulated:{script}", runs, (TERM,))

    await check(here, ended, by=TERM)


@pytest.mark.parametrize("arguments", [("--events", "-"), ()])
async def test_a_reader_that_has_left_ends_a_run_without_a_word(
    here: Surroundings, arguments: tuple[str, ...]
) -> None:
    """As with ``run ... --events - | head -0``, and with ``run ... 2>&1 | head -0``."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        process = await here.start(
            *("run", GOAL, "--model", SILENT, *arguments),
            stdout=closed,
            stderr=asyncio.subprocess.PIPE if arguments else closed,
        )
    ended = await here.ended(process)

    assert ended.exit_code == 1
    assert "Traceback" not in ended.err
    await here.nothing_is_left()
