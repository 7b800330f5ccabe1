"""What the machine has left for a cluster: room on disks, memory, threads, files, addresses.

The needs are those of a cluster of three agents on two cores, measured; docs/doctor.md has how.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cluster.doctor.diagnosis import Diagnosis

_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Needs:
    """What a cluster uses, its model apart."""

    threads: int
    """Of its 27 processes, Ray's dashboard included; more cores have more."""
    files: int
    """Of the process that has the most, with one task; each task and each link adds to it."""
    wanted_files: int
    """Below that Ray itself warns of connections that fail."""
    memory_bytes: int
    """Of all processes together, what they share counted once."""
    room_bytes: int
    """Ray's object store (80 MiB) lies in the temporary folder where /dev/shm is too small for it;
    the rest is logs, sockets and journals after one task."""


NEEDS = Needs(
    threads=500,
    files=81,
    wanted_files=4096,
    memory_bytes=1000 * _MB,
    room_bytes=87 * _MB,
)


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """A folder that something is kept in, or the one that it would be made in."""

    purpose: str
    path: str
    variable: str
    """The variable of the environment that names another one."""
    problem: str
    """What the system says of writing there; empty where it can be done."""
    free_bytes: int = 0


@dataclass(frozen=True, slots=True)
class LimitFacts:
    """What this user's processes may still have; None where nothing limits it."""

    files: int | None
    """Descriptors of one process."""
    threads: int | None
    """Of all processes of the user, or of the container, beside those that run."""
    threads_by: str
    """What limits them, as its administrator knows it."""
    memory_bytes: int | None
    memory_by: str


@dataclass(frozen=True, slots=True)
class PortFacts:
    """Whether our servers can listen; each text says why not, and is empty where they can."""

    agents: str
    """Where agents listen for each other."""
    loopback: str
    """Whether this machine reaches itself."""
    ingress: str
    """Where `fleetmind serve` would listen."""
    shown: str
    """The addresses that were tried."""


def judge_disk(folders: Sequence[FolderFacts], complaint: str = "") -> Diagnosis:
    """Say where nothing can be written, or will soon be full.

    Args:
        folders: that something is kept in.
        complaint: why a cluster could not have its private folder; empty where it could.
    """
    wrong = [complaint] if complaint else []
    wrong += [
        f"{each.purpose} can't be kept in {each.path} ({each.problem}): make that possible, or set "
        f"{each.variable} to another folder"
        for each in folders
        if each.problem
    ]
    full = [
        f"{each.free_bytes / _MB:,.0f} MB are free in {each.path}, and {each.purpose} may need "
        f"{NEEDS.room_bytes / _MB:,.0f}: make room, or set {each.variable} to another disk"
        for each in folders
        if not each.problem and each.free_bytes < NEEDS.room_bytes
    ]
    least = min((each.free_bytes for each in folders), default=0)
    paths = ", ".join(dict.fromkeys(each.path for each in folders))
    return Diagnosis.of(
        "disk", wrong, full, f"at least {least / _MB:,.0f} MB are free in each of {paths}"
    )


def judge_limits(facts: LimitFacts) -> Diagnosis:
    """Say which limit is below what a cluster uses."""
    wrong: list[str] = []
    warnings: list[str] = []
    if facts.files is not None and facts.files < NEEDS.wanted_files:
        (wrong if facts.files < NEEDS.files else warnings).append(
            f"a process may have {facts.files} open files at most (`ulimit -Hn`), a cluster with "
            f"one task has {NEEDS.files}, and Ray wants {NEEDS.wanted_files}: raise `nofile` in "
            "limits.conf, or with the container's --ulimit"
        )
    if facts.threads is not None and facts.threads < NEEDS.threads:
        wrong.append(
            f"{facts.threads} more threads are allowed by {facts.threads_by}, and a cluster has "
            f"{NEEDS.threads}: raise it, or end what else runs"
        )
    if facts.memory_bytes is not None and facts.memory_bytes < NEEDS.memory_bytes:
        warnings.append(
            f"{facts.memory_bytes / _MB:,.0f} MB of memory are left by {facts.memory_by}, and a "
            f"cluster uses {NEEDS.memory_bytes / _MB:,.0f} without its model: make room, or what "
            "runs may be killed"
        )
    return Diagnosis.of("limits", wrong, warnings, _left(facts))


def _left(facts: LimitFacts) -> str:
    files = "any number of" if facts.files is None else f"{facts.files:,}"
    threads = "any number of" if facts.threads is None else f"{facts.threads:,} more"
    memory = (
        "memory without a limit"
        if facts.memory_bytes is None
        else f"{facts.memory_bytes / _MB:,.0f} MB of memory"
    )
    return f"{files} open files a process, {threads} threads, {memory}"


def judge_ports(facts: PortFacts) -> Diagnosis:
    """Say where nothing can listen; that only matters to `fleetmind serve` where it is its port."""
    wrong = [each for each in (facts.agents, facts.loopback) if each]
    warnings = [f"`fleetmind serve`: {facts.ingress}"] if facts.ingress else []
    return Diagnosis.of("ports", wrong, warnings, f"can be listened on: {facts.shown}")
