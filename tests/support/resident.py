"""A resident cluster for tests, in surroundings of its own: nothing of the user's is touched.

For modules whose tests share one cluster: its commands are run synchronously.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cluster.placement.local.process_table import session_members
from tests.support.commands import ROOT, Ended, Surroundings, surroundings

COMMAND_TIMEOUT_S = 150.0


class ResidentCluster:
    """A resident cluster and the commands that use it, run in the checkout's folder."""

    def __init__(self, around: Surroundings, variables: Mapping[str, str]) -> None:
        self.environment = {**around.environment, **variables}

    @property
    def resident(self) -> dict[str, Any]:
        """What the file says by which clients find the cluster."""
        path = Path(self.environment["XDG_STATE_HOME"], "fleetmind", "cluster.json")
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    def fleetmind(self, *arguments: str) -> Ended:
        """Run a command of the CLI to its end."""
        return self.command([sys.executable, "-m", "cluster", *arguments])

    def command(self, command: Sequence[str], **variables: str) -> Ended:
        """Run a command to its end, in the cluster's environment and these variables."""
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**self.environment, **variables},
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command of the CLI whose stdout is read as it comes."""
        return subprocess.Popen(
            [sys.executable, "-m", "cluster", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )

    def actors(self) -> dict[str, dict[str, Any]]:
        """Return by name what ``ray list actors`` shows of those that aren't dead."""
        ray = str(Path(sys.executable).with_name("ray"))
        address = self.resident["dashboard_url"]
        # Ray's own tools send the token that lies in the home only where they are told to.
        ended = self.command(
            [ray, "list", "actors", "--format", "json", "--address", address], RAY_AUTH_MODE="token"
        )
        assert ended.exit_code == 0, ended.err
        listed: list[dict[str, Any]] = json.loads(ended.out)
        return {actor["name"]: actor for actor in listed if actor["state"] != "DEAD"}

    def processes(self) -> list[str]:
        """Return the command lines of all processes that were started in this environment."""
        mark = f"XDG_STATE_HOME={self.environment['XDG_STATE_HOME']}".encode()
        found = []
        for process in Path("/proc").iterdir():
            with suppress(OSError):  # it has ended meanwhile, or is no process
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        return found


@contextmanager
def resident_cluster(folder: Path, **variables: str) -> Iterator[ResidentCluster]:
    """Bring a cluster up, take it down in the end, and see that nothing of it is left.

    The folder must be empty; the variables are for all commands.
    """
    with surroundings(folder) as around:
        cluster = ResidentCluster(around, variables)
        up = cluster.fleetmind("up")
        assert up.exit_code == 0, up.err
        session = cluster.resident["session"]["pid"]
        assert len(cluster.processes()) > len(cluster.resident["agents"])
        yield cluster
        down = cluster.fleetmind("down")
        assert (down.exit_code, down.out) == (0, "the cluster is down\n"), down.err
        assert session_members(session) == []
        assert cluster.processes() == []
        assert list(around.files()) == []
