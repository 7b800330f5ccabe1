"""A process that has everything imported and forks hosts: a start costs milliseconds, not 0.3 s.

It stays single-threaded and makes no event loop, so that forking it is safe: grpc starts its
threads at the first server or channel, which only the children make. Both ends are here: `serve`
runs in the process (``python -m tests.chaos.zygote``), `Zygote` is its client. Whatever it starts
dies with it, and it with the process that started it.
"""

from __future__ import annotations

import asyncio
import json
import os
import selectors
import signal
import sys
import traceback
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, Self

from agents.models.local.side_process import die_with_parent

_ROOT = Path(__file__).resolve().parents[2]
_STOP_S = 5.0
_START_S = 30.0


class Zygote:
    """Starts processes; an async context manager that ends them all."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._started: asyncio.Queue[int] = asyncio.Queue()
        self._ended: dict[int, asyncio.Future[int]] = {}
        self._turn = asyncio.Lock()
        self._reading = asyncio.ensure_future(self._read())

    @classmethod
    async def start(cls) -> Self:
        """Start the process and wait until it has imported what hosts need."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.chaos.zygote", str(os.getpid())),
            cwd=_ROOT,
            env={**os.environ, "GRPC_ENABLE_FORK_SUPPORT": "0", "OPENBLAS_NUM_THREADS": "1"},
            stdin=PIPE,
            stdout=PIPE,
        )
        zygote = cls(process)
        async with asyncio.timeout(_START_S):
            await zygote._started.get()
        return zygote

    async def spawn(self, spec: dict[str, Any], log: Path) -> int:
        """Fork a host that runs `tests.chaos.host_process.main` with a spec; return its pid."""
        return await self._request({"spec": spec, "log": str(log)})

    async def execute(self, command: Sequence[str], log: Path) -> int:
        """Start another program; return its pid."""
        return await self._request({"command": [*command], "log": str(log)})

    async def ended(self, pid: int) -> int:
        """Wait for the end of a process and return its exit status, below zero for a signal."""
        return await asyncio.shield(self._ended[pid])

    def is_alive(self, pid: int) -> bool:
        """Say whether a process that was started here still runs."""
        return not self._ended[pid].done()

    async def _request(self, request: dict[str, Any]) -> int:
        async with self._turn:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            async with asyncio.timeout(_START_S):
                return await self._started.get()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            report = json.loads(line)
            if "started" in report:
                self._ended[report["started"]] = asyncio.get_running_loop().create_future()
                self._started.put_nowait(report["started"])
            else:
                self._ended[report["ended"]].set_result(report["status"])

    async def close(self) -> None:
        """End the process and with it everything that it started."""
        assert self._process.stdin is not None
        for pid, ended in self._ended.items():
            if not ended.done():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def serve(run: Callable[[dict[str, Any]], None]) -> None:
    """Fork on request until standard input ends, and report who has ended."""
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    _report({"started": os.getpid()})
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    waiting = b""
    while True:
        ready = {key.fd for key, _ in selector.select()}
        if woken in ready:
            os.read(woken, 4096)
            _reap()
        if 0 in ready:
            data = os.read(0, 65536)
            if not data:
                return
            *lines, waiting = (waiting + data).split(b"\n")
            for line in lines:
                _report({"started": _fork(json.loads(line), run)})


def _reap() -> None:
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            status = os.waitstatus_to_exitcode(found[1])
            _report({"ended": found[0], "status": status})


def _report(report: dict[str, int]) -> None:
    os.write(1, json.dumps(report).encode() + b"\n")


def _fork(request: dict[str, Any], run: Callable[[dict[str, Any]], None]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(request, run, parent)
    return pid


def _become(
    request: dict[str, Any], run: Callable[[dict[str, Any]], None], parent: int
) -> NoReturn:
    """Be what was asked for, in the forked child; never returns to the loop above."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        die_with_parent(parent)
        null = os.open(os.devnull, os.O_RDONLY)
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        if "command" in request:
            os.closerange(3, 64)
            os.execv(request["command"][0], request["command"])  # noqa: S606 - a list, no line
        run(request["spec"])
        status = 0
    except BaseException:  # noqa: BLE001 - the child must not run on as the zygote
        traceback.print_exc()
    finally:
        os._exit(status)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    import tests.chaos.state_person
    import tests.chaos.task_roles  # noqa: F401 - what most hosts would import for themselves
    from tests.chaos.host_process import main

    serve(main)
