"""The sandbox where nothing can be run, or may not: it says why, and runs nothing."""

from __future__ import annotations

import pytest

from agents.tools.sandbox import bubblewrap
from agents.tools.sandbox.bubblewrap import BubblewrapSandbox, NoSandbox, build_sandbox
from agents.tools.sandbox.machine import SandboxMachine
from cluster.kernel.errors import ClusterError, UsageError
from cluster.kernel.sections import SandboxSettings

REFUSING_MACHINE = SandboxMachine(
    bubblewrap="/bin/false",
    bubblewrap_options=frozenset(),
    python="/usr/bin/python3",
    prlimit="/usr/bin/prlimit",
    setpriv="",
    shown=(),
    links=(),
    architecture="x86_64",
    ceilings={},
    is_process_limit_private=True,
)


def nothing_found() -> SandboxMachine:
    raise ClusterError("programs are not run here because bubblewrap is missing")


async def test_what_is_missing_is_told_and_nothing_runs() -> None:
    sandbox = BubblewrapSandbox(find=nothing_found)

    assert sandbox.unavailable_because == (
        "programs are not run here because bubblewrap is missing"
    )
    with pytest.raises(ClusterError, match="bubblewrap is missing"):
        await sandbox.run("print(1)", 1.0)


async def test_a_failing_self_test_is_explained_and_nothing_runs() -> None:
    sandbox = BubblewrapSandbox(find=lambda: REFUSING_MACHINE)

    assert "the sandbox can't start (it said nothing)" in sandbox.unavailable_because
    with pytest.raises(ClusterError, match="can't start"):
        await sandbox.run("print(1)", 1.0)


async def test_a_self_test_that_takes_too_long_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox = BubblewrapSandbox(find=lambda: REFUSING_MACHINE)

    with monkeypatch.context() as overloaded:
        overloaded.setattr(bubblewrap, "_SELF_TEST_TIMEOUT_S", -1.0)
        first = sandbox.unavailable_because

    assert first.endswith("the sandbox had not started after 10 s; the machine may be overloaded")
    assert "the sandbox can't start (it said nothing)" in sandbox.unavailable_because


async def test_the_machine_is_looked_at_once() -> None:
    looks: list[str] = []

    def look() -> SandboxMachine:
        looks.append("look")
        return nothing_found()

    sandbox = BubblewrapSandbox(find=look)

    assert sandbox.unavailable_because == sandbox.unavailable_because
    assert looks == ["look"]


async def test_closing_an_idle_sandbox_is_done_at_once() -> None:
    await BubblewrapSandbox(find=nothing_found).close()


def test_an_environment_of_programs_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\[sandbox\] python: /nowhere is no Python"):
        build_sandbox(SandboxSettings(python="/nowhere"))


async def test_a_sandbox_that_is_switched_off_runs_nothing_and_says_how_to_change_it() -> None:
    sandbox = build_sandbox(SandboxSettings(enabled=False))

    assert isinstance(sandbox, NoSandbox)
    with pytest.raises(UsageError, match="set enabled = true"):
        await sandbox.run("print(1)", 1.0)
