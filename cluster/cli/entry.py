"""From a command line to an exit code: understand it, run it, say what went wrong in a sentence.

The composition root's outermost layer: the one place where any exception ends.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from cluster.cli.console import Console
from cluster.cli.ending import (
    Terminated,
    are_signals_ours,
    ignore_signals,
    let_signals_interrupt,
    note_signals,
    noted_signal,
    raise_noted,
)
from cluster.cli.exits import Exit, exit_of_error
from cluster.cli.options import Options, parse
from cluster.exhaustion import why_exhausted
from cluster.kernel.errors import Cancelled, ClusterError, TaskCancelled, UsageError
from cluster.user_folders import make_user_folder

if TYPE_CHECKING:
    import asyncio

Command = Callable[[Options, Console], int | Coroutine[object, object, int]]
"""Runs and returns its exit code, or returns the asynchronous rest of its work."""

_DEBUG = "FLEETMIND_DEBUG"
_DOCTOR = "doctor"
_INTERRUPTED, _TERMINATED = "interrupted", "terminated"
COMMANDS: Mapping[str, str] = {
    "run": "cluster.cli.run:run",
    "submit": "cluster.cli.submit:submit",
    "up": "cluster.cli.resident:up",
    "down": "cluster.cli.resident:down",
    "status": "cluster.cli.resident:status",
    "tasks": "cluster.cli.tasks:tasks",
    "watch": "cluster.cli.tasks:watch",
    "cancel": "cluster.cli.tasks:cancel",
    "learn": "cluster.cli.learn:learn",
    "forget": "cluster.cli.knowledge:forget",
    "knowledge": "cluster.cli.knowledge:knowledge",
    "state": "cluster.cli.state:state",
    "models": "cluster.cli.models:models",
    "tokens": "cluster.cli.tokens:tokens",
    "serve": "cluster.cli.serve:serve",
    _DOCTOR: "cluster.cli.doctor:doctor",
}
"""Where each command lives; only the one that is asked for is imported."""


def execute(
    arguments: Sequence[str], console: Console | None = None, command: Command | None = None
) -> int:
    """Run a command line and return its exit code; tests pass a console and a command.

    Raises:
        SystemExit: with 0, after help or version were printed.
    """
    console = console or Console.standard(is_framed="--framed" in arguments)
    exit_code = _contained(arguments, console, command)
    return exit_code if _is_told(lambda: console.close(exit_code), console) else Exit.FAILED


def _contained(arguments: Sequence[str], console: Console, command: Command | None) -> int:
    wants_object = "--json" in arguments  # until it is known what else they say
    try:
        raise_noted()
        options = parse(arguments)
        wants_object = options.json
        command = command or _load(options.command)
        if are_signals_ours():
            let_signals_interrupt()  # all is imported
        outcome = command(options, console)
        return outcome if isinstance(outcome, int) else _interruptible(outcome)
    except BrokenPipeError:
        console.abandon_stdout()
        return Exit.FAILED
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - nobody above could say it
        exit_code = _told(error, console)
        ended = error
    if wants_object:
        whole = _diagnosed if _DOCTOR in arguments[:1] else _whole
        _is_told(lambda: console.write_object(whole(ended)), console)
    if isinstance(ended, ClusterError) and ended.is_of_start:
        _look_at_machine(options, console)  # the last: all else is told by then
    return exit_code


def _is_told(write: Callable[[], None], console: Console) -> bool:
    """Write the last that a command has to say; False where it does not get through."""
    try:
        write()
    except BrokenPipeError:
        console.abandon_stdout()
        return False
    except ClusterError as error:
        console.note(_one_line(error))
        return False
    return True


def _look_at_machine(options: Options, console: Console) -> None:
    """Say what is wrong with this machine, where a cluster could not be started on it.

    The command has ended already: who doesn't want to wait or to hear more changes nothing of it.
    """
    with suppress(BrokenPipeError, KeyboardInterrupt):
        from cluster.cli.doctor import say_what_is_wrong

        _interruptible(say_what_is_wrong(options, console))


def _told(error: BaseException, console: Console) -> int:
    """Say in a sentence what ended a command, and return its exit code."""
    with suppress(BrokenPipeError):  # nobody is left who could be told
        _tell(error, console)
    match error:
        case Terminated():
            return Exit.TERMINATED
        case KeyboardInterrupt():
            return Exit.INTERRUPTED
        case ClusterError() if not isinstance(error, TaskCancelled):
            return exit_of_error(error)
        case _:
            return Exit.FAILED


def _tell(error: BaseException, console: Console) -> None:
    match error:
        case Terminated():
            console.note(_TERMINATED)
        case KeyboardInterrupt():
            console.note(_INTERRUPTED)
        case TaskCancelled():
            console.note(str(error))
        case ClusterError():
            console.note(_one_line(error))
            _trace_for_developers(console)
        case _ if said := why_exhausted(error):
            console.note(said)
            _trace_for_developers(console)
        case _:
            console.note(f"{_one_line(error)}; {_logged()}")
            _trace_for_developers(console)


def _whole(error: BaseException) -> Mapping[str, object]:
    """Return the object of ``--json`` for a run that ended before its task had an outcome."""
    from cluster.kernel.events import Event, Failed, WasCancelled
    from cluster.kernel.ids import NO_AGENT, NO_STEP, TaskId
    from cluster.kernel.tasks.report import TaskReport
    from cluster.kernel.vocabulary import Failure

    kind = error.kind if isinstance(error, ClusterError) else ClusterError.kind
    detail: Failed | WasCancelled = Failed(Failure(kind, _sentence(error)))
    if isinstance(error, (KeyboardInterrupt, Cancelled)):
        detail = WasCancelled(_sentence(error))
    report = TaskReport(TaskId(""))
    report.observe(Event(0.0, report.task, NO_AGENT, NO_STEP, detail))
    return report.to_json()


def _diagnosed(error: BaseException) -> Mapping[str, object]:
    """Return the object of ``doctor --json`` where it could not look."""
    from cluster.doctor.diagnosis import Diagnosis, to_json

    check = "settings" if isinstance(error, UsageError) else _DOCTOR
    return to_json([Diagnosis.of(check, [_sentence(error)], [], "")])


def _sentence(error: BaseException) -> str:
    if isinstance(error, (KeyboardInterrupt, Cancelled)):
        return str(error) or (_TERMINATED if isinstance(error, Terminated) else _INTERRUPTED)
    return why_exhausted(error) or _one_line(error)


def _load(name: str) -> Command:
    module, _, function = COMMANDS[name].partition(":")
    command: Command = getattr(import_module(module), function)
    return command


def _interruptible(command: Coroutine[object, object, int]) -> int:
    """Run a command that SIGINT, SIGTERM and SIGHUP cancel once; cleaning up is not interrupted.

    Raises:
        Terminated: SIGTERM came.
        KeyboardInterrupt: another signal came.
    """
    came: list[signal.Signals] = []
    if is_ours := are_signals_ours():
        note_signals()  # until the loop is told of them
    try:
        return _run(command, came)
    finally:
        if is_ours and came:
            ignore_signals()
        elif is_ours:  # asyncio leaves Python's own handlers
            let_signals_interrupt()


def _run(command: Coroutine[object, object, int], came: list[signal.Signals]) -> int:
    import asyncio  # here: ``--help`` can do without

    _quiet_libraries()
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        running = loop.create_task(command)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Who ignores hang-ups (nohup) wants us to go on.
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                loop.add_signal_handler(number, _cancel_once, running, came, number)
        if (noted := noted_signal()) is not None:
            _cancel_once(running, came, signal.Signals(noted))
        try:
            return runner.run(_outcome(running))
        except asyncio.CancelledError:
            is_terminated = signal.SIGTERM in came
            raise (Terminated if is_terminated else KeyboardInterrupt) from None


def _quiet_libraries() -> None:
    """Keep what libraries say to themselves off stderr, unless developers want to read it.

    Both variables are read when grpc is imported: it must not take part in forks, and its core
    writes to stderr by itself.
    """
    import logging

    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
    if os.environ.get(_DEBUG):
        logging.basicConfig(level=logging.INFO)
        return
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    logging.getLogger().addHandler(logging.NullHandler())


async def _outcome(running: asyncio.Task[int]) -> int:
    return await running


def _cancel_once(
    running: asyncio.Task[int], came: list[signal.Signals], number: signal.Signals
) -> None:
    if not running.cancelling():
        came.append(number)
        running.cancel()


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    kind = "" if isinstance(error, ClusterError) else type(error).__name__
    return ": ".join(filter(None, (kind, text)))


def _trace_for_developers(console: Console) -> None:
    if os.environ.get(_DEBUG):
        console.err.write(traceback.format_exc())


def _logged() -> str:
    """Keep the traceback in a file of the user's and say where."""
    try:
        path = make_user_folder("XDG_STATE_HOME", ".local/state") / "last-error.log"
        path.write_text(traceback.format_exc(), encoding="utf-8")
    except (OSError, ClusterError):
        return f"{_DEBUG}=1 shows where it comes from"
    return f"this was not foreseen, the details are in {path}"
