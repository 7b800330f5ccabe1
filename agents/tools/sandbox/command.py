"""How a sandbox is started: an argument vector made of limits and of what the machine has.

Pure; `process` executes it. The chain is setpriv (as root only), bubblewrap, prlimit, Python.
Privileges go before bubblewrap starts, because the kernel exempts root's processes from the limit
on their number; that limit is set inside, where it counts one sandbox and not the whole user.
"""

from __future__ import annotations

from dataclasses import dataclass

from agents.tools.sandbox.machine import PROGRAM, SandboxMachine
from cluster.kernel.sections import SandboxSettings

WAITING = """
def run():
    import builtins, os, sys, types
    from importlib.machinery import SourceFileLoader
    handle, path = int(sys.argv[1]), sys.argv[2]
    os.write(handle, b".")
    is_told = os.read(handle, 1)
    os.close(handle)
    if not is_told:
        os._exit(0)
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__builtins__, main.__file__, main.__cached__ = builtins, path, None
    main.__annotations__ = {}
    main.__loader__ = SourceFileLoader("__main__", path)
    sys.argv = [path]
    try:
        with open(path, "rb") as file:
            source = file.read()
        if b"\\0" in source:
            raise SyntaxError("source code cannot contain null bytes")
        exec(compile(source, path, "exec", dont_inherit=True), main.__dict__)
        return
    except SystemExit:
        raise
    except BaseException as error:
        failure = error
    frames = failure.__traceback__.tb_next
    sys.excepthook(type(failure), failure.with_traceback(frames), frames)
    sys.exit(1)
run()
"""
"""What an interpreter does that waits for its program. It says that it is there, is told that the
program is, and runs it as ``python PROGRAM`` does: as ``__main__``, its own frames in no traceback.
"""
_SCRATCH = "/tmp"  # noqa: S108 - of the sandbox, empty and its own
_INSIDE_ID = "1000"
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": _SCRATCH,
    "LC_ALL": "C.UTF-8",
    # A thread's own arena reserves 128 MiB of address space, which is limited.
    "MALLOC_ARENA_MAX": "2",
    # So do the threads of NumPy's linear algebra, one for each core of the machine.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True)
class Doorway:
    """How a program gets into a sandbox that has started without it."""

    path: str
    """The file on this machine that will have its source: empty until then."""
    handle: int
    """Number of the descriptor on which the interpreter is told that the source is there."""


@dataclass(frozen=True, slots=True)
class SandboxHandles:
    """Numbers of the descriptors that a starting sandbox inherits; none reaches the program."""

    source: int | Doorway
    seccomp: int
    status: int
    """Where bubblewrap writes about its child, a JSON object a line."""
    bubblewrap: int | None
    """Its binary, opened: the unprivileged user may not reach it by path. None where there is
    no change of user."""


def sandbox_command(
    machine: SandboxMachine, limits: SandboxSettings, handles: SandboxHandles, user_id: int
) -> list[str]:
    """Return the argument vector; ``user_id`` counts only where the machine has a setpriv."""
    return [
        *_start(machine, handles, user_id),
        *_walls(machine),
        *_files(machine, limits, handles),
        *_environment(),
        "--json-status-fd",
        str(handles.status),
        "--seccomp",
        str(handles.seccomp),
        "--",
        *_limits(machine, limits),
        # Isolated, but with `site`: programs call exit(). Unbuffered, to keep what was printed
        # before a limit struck.
        machine.python,
        "-I",
        "-u",
        *_program(handles.source),
    ]


def _program(source: int | Doorway) -> list[str]:
    if isinstance(source, Doorway):
        return ["-c", WAITING, str(source.handle), PROGRAM]
    return [PROGRAM]


def _start(machine: SandboxMachine, handles: SandboxHandles, user_id: int) -> list[str]:
    if handles.bubblewrap is None:
        return [machine.bubblewrap]
    return [
        machine.setpriv,
        f"--reuid={user_id}",
        f"--regid={user_id}",
        "--clear-groups",
        f"/proc/self/fd/{handles.bubblewrap}",
        # Has bubblewrap close it before the program starts.
        "--sync-fd",
        str(handles.bubblewrap),
    ]


def _walls(machine: SandboxMachine) -> list[str]:
    # --die-with-parent: a killed worker must leave no grandchildren (ray#42861).
    command = ["--unshare-all", "--unshare-user", "--die-with-parent", "--hostname", "sandbox"]
    # No --new-session: `job` starts bubblewrap in a session of its own, which keeps the
    # terminal out as well, and keeps all of bubblewrap in the one process group that is killed.
    command += ["--uid", _INSIDE_ID, "--gid", _INSIDE_ID]
    if "--disable-userns" in machine.bubblewrap_options:
        command.append("--disable-userns")
    return command


def _files(machine: SandboxMachine, limits: SandboxSettings, handles: SandboxHandles) -> list[str]:
    command: list[str] = []
    for path in machine.shown:
        command += ["--ro-bind", path, path]
    for path, target in machine.links:
        command += ["--symlink", target, path]
    # No /proc: through /proc/1/mem a program could take over bubblewrap's own process, which has
    # none of the limits.
    command += ["--dev", "/dev"]
    for path, size in (("/dev/shm", limits.shared_bytes_max), (_SCRATCH, limits.tmp_bytes_max)):  # noqa: S108
        if "--size" in machine.bubblewrap_options:
            command += ["--size", str(size)]
        command += ["--tmpfs", path]
    # After /tmp, for an environment may lie there.
    for path in machine.libraries:
        command += ["--ro-bind", path, path]
    if isinstance(handles.source, Doorway):
        # What is written to the file later is seen inside, by its inode, when its name is gone.
        command += ["--ro-bind", handles.source.path, PROGRAM]
    else:
        command += ["--ro-bind-data", str(handles.source), PROGRAM]
    # What bubblewrap builds the tree on is a tmpfs without a size limit.
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", _SCRATCH]


def _environment() -> list[str]:
    # It starts with an empty one, so there is nothing to clear.
    command: list[str] = []
    for name, value in _ENVIRONMENT.items():
        command += ["--setenv", name, value]
    return command


def _limits(machine: SandboxMachine, limits: SandboxSettings) -> list[str]:
    wanted = {
        "as": limits.memory_bytes_max,
        "cpu": limits.cpu_s_max + 1,
        "fsize": limits.file_size_bytes_max,
        "nofile": limits.open_files_max,
        "memlock": 0,
        # 1 and not 0: the kernel hands a dump to the machine's crash handler unless it is 1.
        "core": 1,
    }
    if machine.is_process_limit_private:
        wanted["nproc"] = limits.processes_max
    granted = {
        name: min(value, machine.ceilings.get(name, value)) for name, value in wanted.items()
    }
    # SIGXCPU at the first says which limit it was, SIGKILL follows where that is ignored.
    cpu = f"--cpu={min(limits.cpu_s_max, granted['cpu'])}:{granted.pop('cpu')}"
    return [machine.prlimit, cpu, *(f"--{name}={value}" for name, value in granted.items())]
