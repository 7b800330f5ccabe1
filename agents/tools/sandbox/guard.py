"""What ends the sandboxes of a process that was killed.

Bubblewrap's --die-with-parent does so too, but only once it has started completely: whoever is
killed in the milliseconds before would leave a program that nobody knows. `bubblewrap` has one
guard; `process` has every sandbox announce itself before anything else, and says when it is gone.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

# It reads who starts (+) and who has ended (-) by process group. When nobody holds the other end of
# the pipe any more, this process is dead and no sandbox is still to announce itself. Its argument
# is the folder that goes then, too.
_SCRIPT = """
left=" "
while read -r sign group; do
  case $sign in
    +) left="$left$group " ;;
    -) case $left in *" $group "*) left="${left%% $group *} ${left#* $group }" ;; esac ;;
  esac
done
for group in $left; do kill -9 -"$group"; done
/bin/rm -rf -- "$1"
"""
_CLOSE_TIMEOUT_S = 5.0
_IN_MEMORY = "/dev/shm"  # noqa: S108 - a folder of a random name is made in it
_ANNOUNCE = 'echo "+ $$" >&0; exec "$@" </dev/null'


class SandboxGuard:
    """A shell that outlives this process by a moment, and kills the sandboxes it leaves."""

    def __init__(self) -> None:
        parent = _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="fleetmind-", dir=parent))
        """For files that sandboxes find by name: it goes with this process, however that ends.
        Any user may reach a file of it whose name they know, and list none."""
        self.folder.chmod(0o711)
        self._start()

    @property
    def handle(self) -> int:
        """What a command of `guarded` has to be given as its stdin."""
        if self._shell.poll() is not None:
            # Somebody killed it; what runs is still tied to this process by bubblewrap.
            os.close(self._pipe)
            self._start()
        return self._pipe

    def release(self, group: int) -> None:
        """Forget a process group: it has ended."""
        with suppress(BrokenPipeError):
            os.write(self._pipe, f"- {group}\n".encode())

    def close(self) -> None:
        """End the guard, and kill what was not released."""
        os.close(self._pipe)
        try:
            self._shell.wait(_CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._shell.kill()
            self._shell.wait()

    def _start(self) -> None:
        pipe_end, self._pipe = os.pipe()
        try:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, "sh", str(self.folder)],
                stdin=pipe_end,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={},
                # What interrupts this process, by its group or terminal, must not reach it.
                start_new_session=True,
            )
        finally:
            os.close(pipe_end)


def guarded(command: list[str]) -> list[str]:
    """Return the command that announces itself to a guard, then becomes the given one.

    It has to be started as the leader of a process group, with the guard's handle as stdin; its own
    stdin is empty.
    """
    return ["/bin/sh", "-c", _ANNOUNCE, "sh", *command]
