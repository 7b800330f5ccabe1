"""What a process of ours is started with: an environment without secrets, and a folder to work in.

Used by `cluster.placement.local.child_process` for all of a cluster, and by
`cluster.placement.ray.probe`.
"""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from cluster.import_path import ROOT, without_working_directory

_SECRET_VARIABLES = ("OPENAI_API_KEY", "FLEETMIND_REDIS_URL", "REDIS_URL")
_INTERPRETER_VARIABLES = ("PYTHONOPTIMIZE", "PYTHONWARNINGS")
"""With `error` in the second, or 2 in the first, Ray's own processes end as they are started, and
Ray says after 40 s that they may be overloaded."""
_PATH_VARIABLES = ("RAY_AUTH_TOKEN_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "TMPDIR")
WORKING_FOLDER = sysconfig.get_path("stdlib")
"""Where processes of the cluster run: Ray puts its driver's working directory first on the path of
every worker, on all machines. This one is on their path anyway, and only Python's files are in it.
"""


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a process of the cluster: without secrets, which are in a file.

    How our own interpreter is to run is not passed on to those of Ray and the libraries.
    Nothing in it is relative to the working directory, which is another one there.
    """
    left_out = {*_SECRET_VARIABLES, *_INTERPRETER_VARIABLES}
    variables = {name: value for name, value in own.items() if name not in left_out}
    for name in filter(variables.get, _PATH_VARIABLES):
        variables[name] = str(Path(variables[name]).absolute())
    variables["GRPC_ENABLE_FORK_SUPPORT"] = "0"
    # Ray starts its workers at nice 15, which makes agents wait for whatever else computes.
    variables.setdefault("RAY_worker_niceness", "0")
    given = without_working_directory(filter(None, own.get("PYTHONPATH", "").split(os.pathsep)))
    found = [str(Path(entry).absolute()) for entry in given if entry != ROOT]
    # Only where need be: this is searched before what is installed, and a checkout holds more.
    variables["PYTHONPATH"] = os.pathsep.join(found if _is_installed() else (ROOT, *found))
    return variables


@cache
def _is_installed() -> bool:
    """Say whether Python finds our folder by itself, be it a checkout (``pip install -e``)."""
    folders = {Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")}
    links = [path for folder in folders for path in folder.glob("*.pth")]
    lines = [line for path in links for line in path.read_text("utf-8", "replace").splitlines()]
    return Path(ROOT) in folders or ROOT in lines
