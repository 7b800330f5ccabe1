"""Sockets lie in folders that are closed to others; what dead processes left is removed."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

from cluster.transport.socket_folder import make_socket_path, remove_socket_path


def folder_of_a_dead_process(base: Path) -> Path:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    ours = Path(make_socket_path(base)).parent
    return ours.rename(ours.with_name(ours.name.replace(f"{os.getpid()}-", f"{process.pid}-")))


def test_the_folder_is_closed_to_others(tmp_path: Path) -> None:
    path = Path(make_socket_path(tmp_path))

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_folder_too_deep_for_a_socket_is_passed_over(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 90)
    deep.mkdir()

    path = make_socket_path(deep)

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
    remove_socket_path(path)
    assert not Path(path).parent.exists()


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    left = folder_of_a_dead_process(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(left / "links.sock"))

    make_socket_path(tmp_path)

    assert not left.exists()


def test_a_socket_that_answers_stays_whatever_its_process_id_says(tmp_path: Path) -> None:
    left = folder_of_a_dead_process(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(left / "links.sock"))
        listening.listen()

        make_socket_path(tmp_path)

        assert left.exists()


def test_a_running_process_keeps_its_folder(tmp_path: Path) -> None:
    first = Path(make_socket_path(tmp_path))

    make_socket_path(tmp_path)

    assert first.parent.exists()
