"""What the sandbox finds on this machine: bubblewrap, an interpreter, what a sandbox may see.

`bubblewrap` asks once; `command` makes an argument vector of the answer. The interpreter is
the system's and never that of a virtual environment, because programs run as somebody who can't
read this user's home and get nothing but the standard library.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from agents.tools.sandbox.machine import SandboxMachine
from agents.tools.sandbox.seccomp import ARCHITECTURES
from cluster.kernel.errors import ClusterError

_NOT_RUN = "programs are not run here because"
_HELP_TIMEOUT_S = 5.0
_SHOWN = ("/usr/bin", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo", "/etc/ld.so.cache")
_SHORTCUTS = ("/bin", "/lib", "/lib64")
_RESOURCES = {
    "as": resource.RLIMIT_AS,
    "core": resource.RLIMIT_CORE,
    "cpu": resource.RLIMIT_CPU,
    "fsize": resource.RLIMIT_FSIZE,
    "nofile": resource.RLIMIT_NOFILE,
    "nproc": resource.RLIMIT_NPROC,
}
_SWITCHES = (
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
    "/proc/sys/kernel/unprivileged_userns_clone",
    "/proc/sys/user/max_user_namespaces",
)


def discover() -> SandboxMachine:
    """Return what this machine has; runs ``bwrap --help`` and blocks for some milliseconds.

    Raises:
        ClusterError: something is missing; the text says what, and how to get it.
    """
    if platform.system() != "Linux" or platform.machine() not in ARCHITECTURES:
        raise ClusterError(
            f"{_NOT_RUN} the sandbox needs Linux on {' or '.join(ARCHITECTURES)}; "
            "run the Coder on such a machine"
        )
    is_root = os.geteuid() == 0
    bubblewrap = _bubblewrap()
    python = _python(is_root=is_root)
    shown, links = _visible(Path(python).parent.parent)
    return SandboxMachine(
        bubblewrap=bubblewrap,
        bubblewrap_options=_options(bubblewrap),
        python=python,
        prlimit=_of_util_linux("prlimit"),
        setpriv=_of_util_linux("setpriv") if is_root else "",
        shown=shown,
        links=links,
        architecture=platform.machine(),
        ceilings=_ceilings(),
        is_process_limit_private=is_root or _kernel() >= (5, 14),
    )


def explain_refusal(complaint: str, switches: Mapping[str, str]) -> str:
    """Make one sentence, with a remedy, of what bubblewrap or setpriv said when they failed.

    Args:
        complaint: what they said last.
        switches: the kernel's settings for user namespaces by path, as far as it has them.
    """
    apparmor, debian, count = (switches.get(path, "") for path in _SWITCHES)
    if apparmor == "1":
        remedy = (
            "AppArmor forbids unprivileged user namespaces: as root, "
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
        )
    elif debian == "0":
        remedy = (
            "the kernel forbids unprivileged user namespaces: as root, "
            "sysctl -w kernel.unprivileged_userns_clone=1"
        )
    elif count == "0":
        remedy = (
            "the kernel forbids user namespaces: as root, sysctl -w user.max_user_namespaces=10000"
        )
    else:
        remedy = (
            "allow user namespaces; in a container, start it with "
            "--security-opt seccomp=unconfined --security-opt apparmor=unconfined"
        )
    return f"{_NOT_RUN} the sandbox can't start ({complaint}); {remedy}"


def namespace_switches() -> dict[str, str]:
    """Read the kernel's settings for user namespaces, as far as it has them."""
    return {
        path: Path(path).read_text(encoding="ascii").strip()
        for path in _SWITCHES
        if os.access(path, os.R_OK)
    }


def _bubblewrap() -> str:
    brought_along = str(Path(sys.prefix, "sandbox", "usr", "bin", "bwrap"))
    found = shutil.which("bwrap") or shutil.which(brought_along)
    if found is None:
        raise ClusterError(
            f"{_NOT_RUN} bubblewrap is missing; install it, "
            "for example with: apt-get install bubblewrap"
        )
    return str(Path(found).resolve())


def _options(bubblewrap: str) -> frozenset[str]:
    try:
        answer = subprocess.run(
            [bubblewrap, "--help"],
            capture_output=True,
            check=False,
            text=True,
            timeout=_HELP_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClusterError(
            f"{_NOT_RUN} {bubblewrap} does not work ({error}); install it anew"
        ) from error
    return frozenset(word for word in answer.stdout.split() if word.startswith("--"))


def _python(*, is_root: bool) -> str:
    candidates = ("/usr/bin/python3", "/usr/local/bin/python3", f"{sys.base_prefix}/bin/python3")
    for candidate in candidates:
        real = Path(candidate).resolve()
        if not str(real).startswith(("/usr/", "/opt/")) or not os.access(real, os.X_OK):
            continue
        if not is_root or _is_open_to_everybody(real):
            return str(real)
    raise ClusterError(
        f"{_NOT_RUN} there is no Python under /usr or /opt that everybody may execute; "
        "install one, for example with: apt-get install python3"
    )


def _is_open_to_everybody(program: Path) -> bool:
    needed = stat.S_IROTH | stat.S_IXOTH
    folders = all(parent.stat().st_mode & stat.S_IXOTH for parent in program.parents)
    return folders and program.stat().st_mode & needed == needed


def _visible(prefix: Path) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    own = (str(prefix / "bin"), str(prefix / "lib"))
    shown = [path for path in dict.fromkeys((*_SHOWN, *own)) if Path(path).exists()]
    links = []
    for shortcut in _SHORTCUTS:
        path = Path(shortcut)
        if path.is_symlink():
            links.append((shortcut, str(path.readlink())))
        elif path.is_dir():
            shown.append(shortcut)
    return tuple(shown), tuple(links)


def _of_util_linux(name: str) -> str:
    # Without regard to PATH: it has to lie where a sandbox sees it.
    found = shutil.which(name, path="/usr/bin:/bin")
    if found is None:
        raise ClusterError(
            f"{_NOT_RUN} {name} is missing; install it, "
            "for example with: apt-get install util-linux"
        )
    return found


def _ceilings() -> dict[str, int]:
    hard = {name: resource.getrlimit(number)[1] for name, number in _RESOURCES.items()}
    return {name: limit for name, limit in hard.items() if limit != resource.RLIM_INFINITY}


def _kernel() -> tuple[int, ...]:
    return tuple(int(part) for part in platform.release().split(".")[:2] if part.isdigit())
