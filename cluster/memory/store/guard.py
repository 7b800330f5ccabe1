"""Runs an embedded server so that it never outlives the process that owns it.

Used by `cluster.memory.store.embedded`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from cluster.memory.store.server_socket import reply_to
from cluster.memory.store.slot import Slot

_SHELL = shutil.which("sh") or "/bin/sh"
_STOP_TIMEOUT_S = 5.0

# Runs the server between the launcher and itself, and ends it when the launcher's end of the pipe
# on standard input closes, which the kernel does however the launcher dies. PR_SET_PDEATHSIG
# (setpriv) isn't used: it fires when the *thread* that started the child ends. SIGKILL loses
# nothing, since every acknowledged write is in the append-only file. The shell is the parent of
# both, so that they leave no zombies where nobody adopts orphans.
_GUARD = """
run=$1; shift
exec 3<&0 </dev/null
"$@" 3<&- & server=$!
( read -r _ <&3; rm -rf -- "$run"; kill -KILL "$server" ) & watcher=$!
exec 3<&-
wait "$server"; status=$?
kill -KILL "$watcher" 2>/dev/null; wait "$watcher" 2>/dev/null
exit "$status"
"""


def server_config(slot: Slot) -> str:
    """Return the text of the server's configuration: durable, never evicting, socket only."""
    return "\n".join(
        (
            "port 0",
            f"unixsocket {_quoted(slot.socket)}",
            "unixsocketperm 700",
            f"dir {_quoted(slot.data_dir)}",
            "databases 1",
            "daemonize no",
            'logfile ""',
            "loglevel warning",
            'save ""',
            "appendonly yes",
            "appendfsync always",
            "aof-load-truncated yes",
            "maxmemory-policy noeviction",
            "",
        )
    )


class Lifeline:
    """A pipe that nobody writes to; those who read from it learn that its owner has ended."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()
        self._is_cut = False

    def cut(self) -> None:
        """Let the readers know."""
        if not self._is_cut:
            os.close(self._writer)
        self._is_cut = True

    def close(self) -> None:
        """Cut it and give it back; to be called once."""
        self.cut()
        os.close(self.reader)


def spawn(executable: str, slot: Slot, lifeline: Lifeline) -> subprocess.Popen[bytes]:
    """Start a server on a slot, and its guard, whose process is returned.

    Raises:
        OSError: it can't be started.
    """
    slot.config.write_text(server_config(slot), encoding="utf-8", errors="surrogateescape")
    command = [_SHELL, "-c", _GUARD, "fleetmind-store", str(slot.run_dir)]
    with slot.log.open("wb") as log:
        return subprocess.Popen(
            [*command, executable, str(slot.config)],
            stdin=lifeline.reader,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C in the terminal is for the launcher, which then stops it. No session of its
            # own: where Linux schedules by sessions (sched_autogroup_enabled), a server that is
            # alone in one waited up to 1.8 s for a core that the others kept busy.
            process_group=0,
            # A copy: Ray changes the environment from its own thread, and exec fails in the middle.
            env=dict(os.environ),
            # The server holds its slot as well: a launcher that is killed frees it no sooner than
            # the server has ended, so that no two servers ever write one file.
            pass_fds=slot.inherited_fds,
        )


def end(process: subprocess.Popen[bytes], slot: Slot, lifeline: Lifeline) -> None:
    """Have a server end in order, or kill it after a while; blocks, some seconds."""
    if reply_to(b"SHUTDOWN", slot.socket) is not None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_TIMEOUT_S)
    lifeline.cut()  # it kills what is left
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
