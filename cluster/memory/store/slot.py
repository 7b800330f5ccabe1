"""Where an embedded store keeps its data and its socket, and who may use them.

Data lie in the user's data folder, one numbered slot for each cluster that runs at the same time;
socket, configuration and log lie in a short-lived folder of their own. Used by
`cluster.memory.store.embedded` alone.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Mapping
from errno import EACCES, ENOTDIR
from pathlib import Path

from cluster.kernel.errors import StoreUnavailable
from cluster.memory.store.versions import data_folder, data_times
from cluster.user_folders import user_folder

_SLOTS_MAX = 64
_FIRST = "store-0"
# sockaddr_un holds 108 bytes on Linux and 104 elsewhere, with a closing zero.
_SOCKET_PATH_BYTES_MAX = 103
_SHORT_TEMP = Path(os.sep, "tmp")
_LOCK_FILE = "lock"
_SOCKET_FILE = "socket"
"""In a slot's folder: names the socket of who has it, or had it last."""


class Slot:
    """Folders that one embedded store has to itself.

    Attributes:
        run_dir: private (0700) and short-lived; its socket's path is short enough for the kernel.
        data_dir: what outlives the run; inside ``run_dir`` where it is temporary.
        number: how many slots of its data folder others had, which have what was learned so far.
        hidden: what a user should know of data of other versions; empty for nothing.
    """

    def __init__(
        self,
        run_dir: Path,
        data_dir: Path,
        lock: int | None = None,
        number: int = 0,
        hidden: str = "",
    ) -> None:
        self.run_dir = run_dir
        self.data_dir = data_dir
        self.number = number
        self.hidden = hidden
        self._lock = lock

    @property
    def socket(self) -> Path:
        """The server's unix socket."""
        return self.run_dir / "redis.sock"

    @property
    def config(self) -> Path:
        """The server's configuration file."""
        return self.run_dir / "redis.conf"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.run_dir / "redis.log"

    @property
    def inherited_fds(self) -> tuple[int, ...]:
        """What the server is to inherit: it then holds the slot as long as it lives."""
        return () if self._lock is None else (self._lock,)

    def give_back(self) -> None:
        """Remove the run folder and let go of the slot; the data stay.

        The slot is free when the last of those who inherited it has ended.
        """
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
        shutil.rmtree(self.run_dir, ignore_errors=True)


def take_slot(
    data_root: Path | None, *, is_temporary: bool, major: int, run_root: Path | None = None
) -> Slot:
    """Return a slot nobody else uses, the lowest that is free, so that data are found again.

    Args:
        data_root: folder of the slots; ``fleetmind`` in the user's data folder where not given.
        is_temporary: keep the data in the run folder instead.
        major: version of the server, whose files an older one may not read.
        run_root: folder for the run folder; the temporary one where not given.

    Raises:
        UsageError: no home folder is known, nor a data folder named.
        StoreUnavailable: no folder could be made or locked.
    """
    try:
        run_dir = _new_run_dir(run_root)
    except OSError as error:
        raise StoreUnavailable(
            f"no folder for the embedded store's socket ({error}): set TMPDIR to a folder that can "
            "be written to"
        ) from error
    try:
        if is_temporary:
            return Slot(run_dir, _private(run_dir / "data"))
        return _take_persistent(run_dir, data_root or _user_data_root(), major)
    except BaseException as error:
        shutil.rmtree(run_dir, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        raise _no_data_folder(error) from error


def first_socket(data_root: Path | None) -> Path | None:
    """Return the socket of who has the first slot, or had it last; None where nobody ever had.

    Args:
        data_root: as for `take_slot`.
    """
    named = (data_root or _user_data_root()) / _FIRST / _SOCKET_FILE
    try:
        return Path(named.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def first_data(data_root: Path | None) -> Mapping[int, float]:
    """Return when data of the first slot were last written, in Unix seconds by version of Redis.

    Args:
        data_root: as for `take_slot`.

    Raises:
        StoreUnavailable: they can't be looked at.
    """
    try:
        return data_times((data_root or _user_data_root()) / _FIRST)
    except OSError as error:
        raise _no_data_folder(error) from error


def check_first_slot(data_root: Path | None) -> None:
    """Check, with nothing made, that the first slot can be made or is there, and be written to.

    Args:
        data_root: as for `take_slot`.

    Raises:
        StoreUnavailable: it can't, as `take_slot` would say.
    """
    slot = (data_root or _user_data_root()) / _FIRST
    folder = next(each for each in (slot, *slot.parents) if os.path.lexists(each))
    if not folder.is_dir():
        raise _no_data_folder(NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR), str(folder)))
    lock = slot / _LOCK_FILE
    for path, mode in ((folder, os.W_OK | os.X_OK), (lock, os.R_OK | os.W_OK)):
        if os.path.lexists(path) and not os.access(path, mode):
            raise _no_data_folder(PermissionError(EACCES, "can't be written to", str(path)))


def _take_persistent(run_dir: Path, root: Path, major: int) -> Slot:
    _private(root)  # whoever may write there could put another slot in place of ours
    for number in range(_SLOTS_MAX):
        folder = _private(root / f"store-{number}")
        lock = _try_lock(folder / _LOCK_FILE)
        if lock is None:
            continue
        try:
            data_dir, hidden = data_folder(folder, major)
            slot = Slot(run_dir, data_dir, lock, number, hidden)
            (folder / _SOCKET_FILE).write_text(str(slot.socket), encoding="utf-8")
            return slot
        except BaseException:
            os.close(lock)
            raise
    raise StoreUnavailable(f"all {_SLOTS_MAX} slots in {root} are in use")


def _no_data_folder(error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        f"no folder for the embedded store's data ({error}): set HOME, or XDG_DATA_HOME, to a "
        "folder that can be written to"
    )


def _try_lock(path: Path) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            return None
        raise
    return descriptor


def _new_run_dir(root: Path | None) -> Path:
    run_dir = Path(tempfile.mkdtemp(prefix="fleetmind-store-", dir=root))
    if len(os.fsencode(run_dir / "redis.sock")) <= _SOCKET_PATH_BYTES_MAX:
        return run_dir
    run_dir.rmdir()
    return Path(tempfile.mkdtemp(prefix="fleetmind-store-", dir=_SHORT_TEMP))


def _private(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _user_data_root() -> Path:
    return user_folder("XDG_DATA_HOME", ".local/share")
