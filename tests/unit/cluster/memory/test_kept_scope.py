"""The scope that outlives a cluster: the same at each start, never that of two at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.memory.directory import SCOPE_CHARS, scope_of
from cluster.memory.kept_scope import kept_scope, read_scope

ROOT = Path(__file__).resolve().parents[4]
KILLED = """
import os, signal, sys
from pathlib import Path
from cluster.memory.kept_scope import kept_scope
with kept_scope(Path(sys.argv[1])) as scope:
    print(scope, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_scope_is_the_same_at_each_start_and_belongs_to_this_user_only(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    before = read_scope(folder)
    with kept_scope(folder) as first:
        pass
    with kept_scope(folder) as second:
        pass

    assert (before, len(first), second, read_scope(folder)) == ("", SCOPE_CHARS, first, first)
    assert (folder / "scope").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == ["scope"]


def test_a_second_cluster_at_the_same_time_does_not_have_it(tmp_path: Path) -> None:
    with kept_scope(tmp_path) as first, kept_scope(tmp_path) as beside:
        assert (bool(first), beside) == (True, "")
        assert read_scope(tmp_path) == first
    with kept_scope(tmp_path) as again:
        assert again == first


def test_a_cluster_that_was_killed_leaves_it_to_the_next_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    with kept_scope(tmp_path) as scope:
        assert scope == done.stdout.strip()


def test_clusters_with_different_data_have_different_scopes(tmp_path: Path) -> None:
    with kept_scope(tmp_path / "a") as one, kept_scope(tmp_path / "b") as other:
        assert one != other


@pytest.mark.parametrize("text", ["", "0123", "0123456789ABCDEF", "../../../../../x", "\x00" * 16])
def test_a_file_that_holds_something_else_is_named_and_not_replaced(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "scope").write_text(text, encoding="utf-8")

    with pytest.raises(UsageError, match="scope holds something else than a cluster's scope"):
        read_scope(tmp_path)
    with pytest.raises(UsageError, match="remove it"), kept_scope(tmp_path):
        pass

    assert (tmp_path / "scope").read_text(encoding="utf-8") == text


def test_a_folder_that_can_not_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file", encoding="utf-8")

    with pytest.raises(UsageError, match="set XDG_DATA_HOME"), kept_scope(tmp_path / "data"):
        pass


def test_a_kept_scope_goes_before_the_one_of_the_token() -> None:
    assert scope_of("secret", "0123456789abcdef") == "0123456789abcdef"
    assert scope_of("secret") == scope_of("secret", "") != scope_of("another")
    assert "secret" not in scope_of("secret")
