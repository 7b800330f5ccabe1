"""Starts a process of our own code, with nothing in it but what it is sent.

Used where `cluster.memory` computes what is native, large or untrusted.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from cluster.import_path import ROOT, without_working_directory

_LOOK_UP_S = 0.2


def start_child(module: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Run a module with pipes for its standard input and output; it has to call `end_with_starter`.

    Raises:
        OSError: no process can be started.
    """
    path = [str(Path(entry).absolute()) for entry in without_working_directory(sys.path) if entry]
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, str(os.getpid()), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # Nothing that is secret, and nothing of the working directory.
        env={"PYTHONPATH": os.pathsep.join(dict.fromkeys([*path, ROOT])), "PYTHONUTF8": "1"},
        cwd="/",
        # Ctrl-C in the terminal is the starter's business. A session of its own would put it at a
        # disadvantage where Linux schedules by sessions (see `cluster.memory.store.embedded`).
        process_group=0,
    )


def end_with_starter() -> None:
    """End this process when its starter is gone, whose id is the first argument."""
    threading.Thread(target=_watch, args=(int(sys.argv[1]),), daemon=True).start()


def _watch(starter: int) -> None:
    # The kernel's signal would come with the end of the starter's thread.
    while os.getppid() == starter:
        time.sleep(_LOOK_UP_S)
    os._exit(0)
