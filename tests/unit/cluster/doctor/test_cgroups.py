"""What control groups leave, read from trees of files as the kernel shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.doctor.cgroups import memory_left, threads_left

MB = 1_000_000


class Tree:
    """A stand-in for /sys/fs/cgroup and /proc/self/cgroup."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "cgroup"
        self.own = folder / "own"

    def put(self, group: str, **files: str) -> None:
        folder = self.root / group
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(f"{text}\n")

    @property
    def left(self) -> tuple[int | None, int | None]:
        return memory_left(self.root, self.own), threads_left(self.root, self.own)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_of_version_2_the_least_of_our_group_and_those_above_it_counts(tree: Tree) -> None:
    tree.own.write_text("0::/pod/me\n")
    tree.put("", pids__max="max", pids__current="3")
    tree.put("pod", memory__max=f"{900 * MB}", memory__current=f"{800 * MB}", pids__max="max")
    tree.put("pod/me", memory__max="max", memory__current="1", pids__max="50", pids__current="8")

    assert tree.left == (100 * MB, 42)


def test_the_cache_of_files_is_given_back_when_memory_is_needed(tree: Tree) -> None:
    tree.own.write_text("0::/\n")
    tree.put("", memory__max=f"{900 * MB}", memory__current=f"{800 * MB}")
    tree.put("", memory__stat=f"anon {100 * MB}\ninactive_file {600 * MB}")

    assert tree.left == (700 * MB, None)


def test_of_version_1_each_controller_has_a_folder_of_its_own(tree: Tree) -> None:
    tree.own.write_text("4:memory:/jobs/me\n3:cpu,pids:/\n0::/\n")
    tree.put("memory/jobs/me", memory__limit_in_bytes="500", memory__usage_in_bytes="400")
    tree.put("memory/jobs/me", memory__stat="inactive_file 999\ntotal_inactive_file 50")
    tree.put("pids", pids__max="20", pids__current="30")

    assert tree.left == (150, 0)


def test_a_container_sees_its_own_group_as_the_root(tree: Tree) -> None:
    tree.own.write_text("0::/a/path/of/the/host\n")
    tree.put("", pids__max="10", pids__current="4")

    assert tree.left == (None, 6)


def test_without_control_groups_nothing_limits(tree: Tree) -> None:
    assert tree.left == (None, None)
