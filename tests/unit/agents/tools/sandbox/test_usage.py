"""Measuring a sandbox from outside, tried on the test's own process."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys

from agents.tools.sandbox.usage import SandboxUsage, mebibytes, process_ids
from cluster.kernel.sections import SandboxSettings

AMPLE = SandboxSettings(
    memory_bytes_max=1 << 60,
    processes_max=100_000,
    files_max=1 << 60,
    tmp_bytes_max=1 << 60,
    shared_bytes_max=1 << 60,
)


def own_usage() -> SandboxUsage:
    return SandboxUsage(os.getpid(), process_ids())


def test_nothing_is_exceeded_below_the_limits() -> None:
    assert own_usage().excess(AMPLE) == ""


def test_memory_over_its_limit_is_named() -> None:
    limits = dataclasses.replace(AMPLE, memory_bytes_max=1024 * 1024)

    assert own_usage().excess(limits) == "memory limit of 1 MiB"


def test_processes_started_later_are_counted() -> None:
    usage = own_usage()
    limits = dataclasses.replace(AMPLE, processes_max=1)
    wait_for_input = [sys.executable, "-I", "-S", "-c", "input()"]

    with (
        subprocess.Popen(wait_for_input, stdin=subprocess.PIPE) as first,
        subprocess.Popen(wait_for_input, stdin=subprocess.PIPE) as second,
    ):
        exceeded = usage.excess(limits)
        first.communicate(b"\n")
        second.communicate(b"\n")

    assert exceeded == "limit of 1 processes"


def test_folders_of_the_machine_are_not_taken_for_those_of_a_sandbox_that_is_not_complete() -> None:
    limits = dataclasses.replace(AMPLE, files_max=1, tmp_bytes_max=1, shared_bytes_max=1)

    assert own_usage().excess(limits) == ""


def test_a_sandbox_that_is_gone_exceeds_nothing() -> None:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", ""]) as gone:
        gone.wait()

    usage = SandboxUsage(gone.pid, process_ids())

    assert usage.excess(dataclasses.replace(AMPLE, processes_max=1, memory_bytes_max=1)) == ""


def test_sizes_are_written_for_people() -> None:
    assert mebibytes(512 * 1024 * 1024) == "512 MiB"
