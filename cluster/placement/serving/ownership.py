"""One `fleetmind serve` a Ray cluster: a lock, by which the next one knows that the last is gone.

Of this user on this machine, and so certain only for a Ray that nobody else can join.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.kernel.errors import PlacementError, UsageError
from cluster.user_folders import make_user_folder

SERVED_ALREADY = "another `fleetmind serve` serves this cluster already: end that one first"


@contextmanager
def only_server_of(ray_address: str) -> Iterator[None]:
    """Hold the lock of a Ray cluster; the kernel lets go of it however this process ends.

    Raises:
        UsageError: another process holds it, or its folder can't be made.
        PlacementError: its file can't be made.
    """
    path = make_user_folder("XDG_STATE_HOME", ".local/state")
    path /= f"serve-{re.sub(r'[^0-9A-Za-z.]', '-', ray_address)}.lock"
    try:
        held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PlacementError(
            f"{path} can't be made ({error.strerror}): set XDG_STATE_HOME to a folder that can be "
            "written to"
        ) from error
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(SERVED_ALREADY) from None
        yield
    finally:
        os.close(held)
