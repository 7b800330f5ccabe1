"""Gathers the facts of this machine: what is installed, limits, folders, addresses.

All of it blocks, and nothing is left behind. Called by `cluster.doctor.examination`.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import socket
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from packaging.requirements import Requirement

from cluster.doctor.cgroups import memory_left, threads_left
from cluster.doctor.installed import InstalledFacts
from cluster.doctor.machine import FolderFacts, LimitFacts, PortFacts
from cluster.kernel.errors import ClusterError, PlacementError, UsageError
from cluster.placement.local.run_dir import new_run_dir
from cluster.placement.serving.control import check_can_serve
from cluster.settings import Settings
from cluster.supply import installed_agents
from cluster.user_folders import user_folder

_DISTRIBUTION = "fleetmind"
_TRIED_BYTES = 1 << 20
_CONNECT_TIMEOUT_S = 2.0
_PROC = Path("/proc")


def installed_facts() -> InstalledFacts:
    """Look at the interpreter and at the metadata of what is installed."""
    complaint = ""
    try:
        installed_agents()
    except UsageError as error:
        complaint = str(error)
    try:
        own = distribution(_DISTRIBUTION)
    except PackageNotFoundError:
        return InstalledFacts(platform.python_version(), "", (), {}, complaint)
    requirements = own.requires or []
    names = {Requirement(each).name for each in requirements}
    versions = {name: found for name in names if (found := _version(name))}
    needed = own.metadata["Requires-Python"] or ""
    return InstalledFacts(platform.python_version(), needed, requirements, versions, complaint)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def folder_facts() -> list[FolderFacts]:
    """Try to write where a cluster keeps something; a folder that isn't there is not made."""
    return [
        _folder("what was learned", "XDG_DATA_HOME", ".local/share"),
        _folder("models and index segments", "XDG_CACHE_HOME", ".cache"),
        _folder("the record of the resident cluster", "XDG_STATE_HOME", ".local/state"),
        _tried("the files of a cluster that runs", "TMPDIR", Path(tempfile.gettempdir())),
    ]


def run_dir_complaint() -> str:
    """Return why no cluster can have its private folder; empty where it can."""
    try:
        run_dir = new_run_dir()
        run_dir.mkdir(mode=0o700)
        run_dir.rmdir()
    except (PlacementError, OSError) as error:
        return str(error)
    return ""


def _folder(purpose: str, variable: str, usual: str) -> FolderFacts:
    try:
        return _tried(purpose, variable, user_folder(variable, usual))
    except (RuntimeError, ClusterError) as error:  # nobody knows where this user's home is
        return FolderFacts(purpose, f"~/{usual}", variable, str(error))


def _tried(purpose: str, variable: str, path: Path) -> FolderFacts:
    """Write, and have it put on the disk: only so a full one, or a quota, is noticed."""
    there = next(each for each in (path, *path.parents) if os.path.lexists(each))
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(bytes(_TRIED_BYTES))
            file.flush()
            os.fsync(file.fileno())
        free_bytes = shutil.disk_usage(there).free
    except OSError as error:
        return FolderFacts(purpose, str(path), variable, error.strerror or str(error))
    return FolderFacts(purpose, str(path), variable, "", free_bytes)


def limit_facts() -> LimitFacts:
    """Read what the kernel, and a container, leave this user."""
    # Ray raises its soft limit to the hard one.
    files = _limited(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    threads, threads_by = threads_left(), "the container (pids.max)"
    of_user = _limited(resource.getrlimit(resource.RLIMIT_NPROC)[1])
    if of_user is not None and os.geteuid() != 0:  # root is not held to it
        left = max(0, of_user - _threads_of(os.getuid()))
        if threads is None or left < threads:
            threads, threads_by = left, f"`ulimit -u` ({of_user})"
    memory, memory_by = memory_left(), "the container's limit"
    available = _available_bytes()
    if memory is None or (available is not None and available < memory):
        memory, memory_by = available, "what else runs here"
    return LimitFacts(files, threads, threads_by, memory, memory_by)


def _limited(limit: int) -> int | None:
    return None if limit == resource.RLIM_INFINITY else limit


def _threads_of(uid: int) -> int:
    """Count the threads of a user: that is what RLIMIT_NPROC limits."""
    threads = 0
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if entry.stat().st_uid == uid:
                threads += len(os.listdir(entry / "task"))  # noqa: PTH208 - only how many
        except OSError:
            continue  # it has ended meanwhile
    return threads


def _available_bytes() -> int | None:
    """Return what the kernel believes can be had without swapping."""
    for line in (_PROC / "meminfo").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return None


def port_facts(settings: Settings, check_host: Callable[[str], None], *, is_up: bool) -> PortFacts:
    """Try to listen where a cluster would.

    Args:
        settings: with the hosts.
        check_host: raises UsageError where agents can't listen at a host.
        is_up: whether a resident cluster may have the ingress's port.
    """
    host, serve = settings.network.host, settings.serve
    return PortFacts(
        agents=_complaint(lambda: check_host(host)),
        loopback=_loopback_complaint(),
        ingress=_complaint(lambda: check_can_serve(serve, may_be_in_use=is_up)),
        shown=f"{host}, {serve.host}:{serve.port}",
    )


def _loopback_complaint() -> str:
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), _CONNECT_TIMEOUT_S).close()
    except OSError as error:
        return (
            f"this machine does not reach itself at 127.0.0.1 ({error.strerror or error}): bring "
            "its loopback interface up"
        )
    return ""


def _complaint(check: Callable[[], object]) -> str:
    try:
        check()
    except UsageError as error:
        return str(error)
    return ""
