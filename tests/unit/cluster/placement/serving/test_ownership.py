"""One process at a time serves a Ray cluster, and the kernel knows when it is gone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.placement.serving.ownership import SERVED_ALREADY, only_server_of

HOLDER = """
import sys
from cluster.placement.serving.ownership import only_server_of
with only_server_of("127.0.0.1:6379"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_second_one_is_refused_until_the_first_has_ended() -> None:
    with (
        only_server_of("127.0.0.1:6379"),
        pytest.raises(UsageError, match=SERVED_ALREADY),
        only_server_of("127.0.0.1:6379"),
    ):
        pass
    with only_server_of("127.0.0.1:6379"):
        pass


def test_another_cluster_may_be_served_at_the_same_time() -> None:
    with only_server_of("127.0.0.1:6379"), only_server_of("127.0.0.1:6380"):
        pass


def test_a_killed_one_holds_it_no_longer() -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder, holder.stdin:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(UsageError), only_server_of("127.0.0.1:6379"):
            pass
        holder.kill()
        holder.wait()
        with only_server_of("127.0.0.1:6379"):
            pass


def test_a_folder_that_cannot_be_made_is_named(state: Path) -> None:
    state.write_text("a file", encoding="utf-8")
    with pytest.raises(UsageError, match="set HOME, or XDG_STATE_HOME"), only_server_of("h:1"):
        pass
