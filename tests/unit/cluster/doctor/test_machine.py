"""Disks, limits and ports: what is too little, and for whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.doctor.diagnosis import Severity
from cluster.doctor.machine import (
    NEEDS,
    FolderFacts,
    LimitFacts,
    PortFacts,
    judge_disk,
    judge_limits,
    judge_ports,
)

ROOM = 10 * NEEDS.room_bytes
DATA = FolderFacts("what was learned", "/srv/data", "XDG_DATA_HOME", "", ROOM)
UNLIMITED = LimitFacts(None, None, "the container", None, "what else runs here")
PORTS = PortFacts("", "", "", "127.0.0.1, 127.0.0.1:8000")


def test_room_in_all_folders_is_told_by_the_least() -> None:
    temp = FolderFacts("what runs", "/temp", "TMPDIR", "", 2 * ROOM)

    found = judge_disk([DATA, temp])

    assert found.severity is Severity.OK
    assert found.says == "at least 870 MB are free in each of /srv/data, /temp"


def test_a_folder_that_can_not_be_written_is_named_with_the_variable_that_moves_it() -> None:
    found = judge_disk([replace(DATA, problem="Read-only file system")])

    assert found.severity is Severity.WRONG
    assert found.says == (
        "what was learned can't be kept in /srv/data (Read-only file system): make that "
        "possible, or set XDG_DATA_HOME to another folder"
    )


def test_a_disk_that_is_nearly_full_is_a_warning() -> None:
    found = judge_disk([replace(DATA, free_bytes=1_000_000)])

    assert found.severity is Severity.WARNING
    assert "1 MB are free in /srv/data" in found.says


def test_why_no_cluster_can_have_its_folder_is_told() -> None:
    assert judge_disk([DATA], "/x is not yours").says == "/x is not yours"


def test_without_limits_all_is_well() -> None:
    found = judge_limits(UNLIMITED)

    assert (found.severity, found.says) == (
        Severity.OK,
        "any number of open files a process, any number of threads, memory without a limit",
    )


@pytest.mark.parametrize(
    ("facts", "severity", "said"),
    [
        (replace(UNLIMITED, files=NEEDS.files - 1), Severity.WRONG, "`ulimit -Hn`"),
        (replace(UNLIMITED, files=NEEDS.files), Severity.WARNING, "raise `nofile`"),
        (replace(UNLIMITED, files=NEEDS.wanted_files), Severity.OK, "4,096 open files"),
        (
            replace(UNLIMITED, threads=NEEDS.threads - 1),
            Severity.WRONG,
            "499 more threads are allowed by the container",
        ),
        (replace(UNLIMITED, threads=NEEDS.threads), Severity.OK, "500 more threads"),
        (
            replace(UNLIMITED, memory_bytes=NEEDS.memory_bytes - 1),
            Severity.WARNING,
            "of memory are left by what else runs here",
        ),
        (
            replace(UNLIMITED, memory_bytes=NEEDS.memory_bytes),
            Severity.OK,
            "1,000 MB of memory",
        ),
    ],
)
def test_a_limit_below_what_a_cluster_uses_is_named(
    facts: LimitFacts, severity: Severity, said: str
) -> None:
    found = judge_limits(facts)

    assert found.severity is severity
    assert said in found.says


def test_ports_that_are_free_are_told() -> None:
    found = judge_ports(PORTS)

    assert (found.severity, found.says) == (
        Severity.OK,
        "can be listened on: 127.0.0.1, 127.0.0.1:8000",
    )


def test_a_host_that_agents_can_not_have_is_wrong_and_a_port_that_is_taken_a_warning() -> None:
    assert judge_ports(replace(PORTS, agents="no such host")).severity is Severity.WRONG
    assert judge_ports(replace(PORTS, loopback="no loopback")).severity is Severity.WRONG
    taken = judge_ports(replace(PORTS, ingress="port 8000 is in use"))
    assert (taken.severity, taken.says) == (
        Severity.WARNING,
        "`fleetmind serve`: port 8000 is in use",
    )
