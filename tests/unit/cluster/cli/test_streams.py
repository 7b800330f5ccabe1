"""What a command's streams do not take: each is a process, with streams as a shell gives them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest

ROOT = Path(__file__).resolve().parents[4]
PROGRAM = """
import os, sys
from cluster import cli
from cluster.cli import entry

async def command(options, console):
    if options.command == 'down':  # stands in for what opens files
        return int(os.open(os.devnull, os.O_RDONLY) < 3)
    for _ in range(20):
        console.note("progress")
    if options.json:
        console.write_object({"answer": "x" * 200_000})
    else:
        console.write("the answer\\n")
    return 0

entry._load = lambda _: command
sys.argv[1:] = ARGUMENTS
cli.main()
"""
LOST = "fleetmind: stdout can't be written to: "
Ended = subprocess.CompletedProcess[str]


def ended(redirection: str, *arguments: str, stdout: int = PIPE, stderr: int = PIPE) -> Ended:
    """Run a command with its streams redirected, as a shell says it or by descriptors."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" "$@" {redirection}', *python(*arguments)],
        cwd=ROOT,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        text=True,
        timeout=60,
    )


def python(*arguments: str) -> list[str]:
    program = PROGRAM.replace("ARGUMENTS", repr(list(arguments or ["tasks"])))
    return [sys.executable, "-c", program]


@pytest.fixture
def left() -> Iterator[int]:
    """The writing end of a pipe whose reader has left."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def progress(text: str) -> int:
    return text.count("fleetmind: progress\n")


def test_a_reader_of_stderr_that_leaves_costs_nobody_the_answer(left: int) -> None:
    done = ended("", stderr=left)

    assert (done.returncode, done.stdout) == (0, "the answer\n")


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_a_stderr_that_takes_nothing_costs_nobody_the_answer(redirection: str) -> None:
    done = ended(redirection)

    assert (done.returncode, done.stdout) == (0, "the answer\n")


def test_a_command_ends_where_the_reader_of_both_has_left(left: int) -> None:
    assert ended("", stdout=left, stderr=left).returncode == 1


@pytest.mark.parametrize("arguments", [["tasks"], ["tasks", "--json"]])
@pytest.mark.parametrize(
    ("redirection", "reason"), [(">/dev/full", "No space left on device"), (">&-", "it is closed")]
)
def test_a_stdout_that_takes_nothing_is_one_sentence(
    redirection: str, reason: str, arguments: list[str]
) -> None:
    done = ended(redirection, *arguments)

    assert (done.returncode, progress(done.stderr)) == (1, 20)
    assert done.stderr.replace("fleetmind: progress\n", "") == f"{LOST}{reason}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["tasks", "--help"]])
def test_help_that_cannot_be_printed_is_one_sentence(arguments: list[str]) -> None:
    done = ended(">/dev/full", *arguments)

    assert (done.returncode, done.stderr) == (1, f"{LOST}No space left on device\n")


def test_the_object_of_a_command_that_failed_is_tried_once() -> None:
    done = ended(">/dev/full", "run", "--json", "--unknown")

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.endswith(f"{LOST}No space left on device\n")


def test_a_stdout_that_somebody_made_non_blocking_gets_all_of_it() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with subprocess.Popen(python("tasks", "--json"), cwd=ROOT, stdout=writing) as process:
        os.close(writing)
        with os.fdopen(reading, "rb") as file:
            said = file.read()
        assert process.wait(60) == 0
    assert len(said) == len('{"answer": ""}\n') + 200_000


@pytest.mark.parametrize("number", [0, 1, 2])
def test_no_file_gets_the_number_of_a_stream_that_is_closed(number: int) -> None:
    done = ended(f"{number}>&-", "down")

    assert done.returncode == 0
