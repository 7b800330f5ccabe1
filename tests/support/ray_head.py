"""A Ray cluster as its users start it, `ray start --head`, for the tests that join it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.child_environment import environment
from cluster.placement.local.process_table import kill_session
from cluster.placement.local.run_dir import make_run_dir


@dataclass(frozen=True, slots=True)
class RayHead:
    """Where it is, and the file with its token."""

    address: str
    dashboard_url: str
    token_path: Path


@contextmanager
def ray_head() -> Iterator[RayHead]:
    """Run it for as long as the context lasts; token authentication is on."""
    run_dir = make_run_dir()
    token_path = run_dir / "token"
    token_path.write_text("a" * 64, encoding="utf-8")
    gcs, dashboard, client = free_ports(3)
    command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block"]
    command += ["--temp-dir", str(run_dir / "ray"), "--port", str(gcs), "--num-cpus", "2"]
    command += ["--dashboard-port", str(dashboard), "--dashboard-host", "127.0.0.1"]
    command += ["--ray-client-server-port", str(client), "--dashboard-agent-listen-port", "0"]
    command += ["--object-store-memory", "80000000", "--disable-usage-stats"]
    variables = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token_path)}
    variables["XDG_DATA_HOME"] = str(run_dir / "data")  # jobs begin with an empty store
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**environment(os.environ), **variables},
        start_new_session=True,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            said = ""
            while "Ray runtime started" not in said:
                line = process.stdout.readline()
                assert line, said
                said += line
            yield RayHead(f"127.0.0.1:{gcs}", f"http://127.0.0.1:{dashboard}", token_path)
        finally:
            kill_session(process.pid, 10.0)
            shutil.rmtree(run_dir, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [server.getsockname()[1] for server in servers]
