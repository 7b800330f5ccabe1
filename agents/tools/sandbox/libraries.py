"""The Python environment whose libraries programs get: [sandbox] python of the settings.

`agents.factory` looks at it once, when an agent is built, so that a wrong path ends the start in
one sentence; `bubblewrap` lays it over what the machine has. The interpreter is asked where it
looks; what is installed there is read from the distributions' own records, and nothing is imported.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from cluster.kernel.errors import UsageError

NAMES_MAX = 40
"""Libraries that a model is told of."""
_VERSION_MIN = (3, 9)
_ANSWER_TIMEOUT_S = 10.0
_HOPS_MAX = 16
_QUESTION = (
    "import json, sys; print(json.dumps([list(sys.version_info[:2]), sys.prefix, sys.base_prefix, "
    "sys.path]))"
)
_FOLDERS = ("bin", "lib", "lib64", "pyvenv.cfg")
_LIBRARY_FOLDERS = frozenset({"site-packages", "dist-packages"})
_TOOLS = frozenset({"pip", "setuptools", "wheel", "distribute", "pkg-resources"})
_ORIGIN = "[sandbox] python"


@dataclass(frozen=True, slots=True)
class SandboxLibraries:
    """An environment, as a sandbox shows it."""

    python: str
    """Its interpreter; the link of a virtual environment, by which Python finds the libraries."""
    shown: tuple[str, ...]
    """Folders and files of it and of the Python it is based on."""
    names: tuple[str, ...]
    """Installed distributions, those first that no other needs; with the name to import, in
    brackets, where that is another."""


def find_libraries(path: str, *, is_root: bool | None = None) -> SandboxLibraries:
    """Look at an environment: its folder or its interpreter.

    Args:
        path: absolute.
        is_root: whether programs are run as another user; by default, whether we are root.

    Raises:
        UsageError: there is no such interpreter, it is too old, or programs can't read it.
    """
    python = _interpreter(Path(path))
    version, prefix, base, places = _asked(python)
    if version < _VERSION_MIN:
        raise UsageError(
            f"{_ORIGIN}: {python} is Python {'.'.join(map(str, version))}; programs need 3.9 or "
            "newer"
        )
    folders = [Path(place) for place in places if Path(place).name in _LIBRARY_FOLDERS]
    shown = list(_shown(python, prefix, base, folders))
    if os.geteuid() == 0 if is_root is None else is_root:
        _check_open((*shown, *folders, python))
    return SandboxLibraries(str(python), tuple(map(str, shown)), _names(folders))


def _interpreter(path: Path) -> Path:
    candidates = [path / "bin" / "python", path / "bin" / "python3"] if path.is_dir() else [path]
    found = next((each for each in candidates if each.is_file()), None)
    if found is None:
        raise UsageError(
            f"{_ORIGIN}: {path} is no Python; name an interpreter such as .venv/bin/python, or the "
            "folder of a virtual environment"
        )
    return found


def _asked(python: Path) -> tuple[tuple[int, ...], Path, Path, list[str]]:
    """Return the version of an interpreter, its prefix, that of its base, and its path."""
    try:
        answer = subprocess.run(
            [str(python), "-I", "-c", _QUESTION],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            cwd="/",
            text=True,
            timeout=_ANSWER_TIMEOUT_S,
        )
        version, prefix, base, places = json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise UsageError(f"{_ORIGIN}: {python} does not answer as a Python does") from error
    return tuple(version), Path(prefix), Path(base), places


def _shown(python: Path, prefix: Path, base: Path, folders: Iterable[Path]) -> Iterator[Path]:
    """Yield what a sandbox has to show, outer folders before what they have inside."""
    bases = dict.fromkeys((base, base.resolve(), python.resolve().parent.parent))
    wanted = [each / name for each in (prefix, *bases) for name in _FOLDERS]
    found: list[Path] = []
    for path in (*wanted, *folders, *_hops(python)):
        if path.exists() and not any(path.is_relative_to(each) for each in found):
            found.append(path)
            yield path


def _hops(python: Path) -> Iterator[Path]:
    """Yield the links by which an interpreter is reached."""
    for _ in range(_HOPS_MAX):
        yield python
        if not python.is_symlink():
            return
        python = Path(os.path.normpath(python.parent / python.readlink()))


def _check_open(shown: Iterable[Path]) -> None:
    for path in shown:
        closed = next((each for each in _on_the_way(path) if not _is_open(each)), None)
        if closed is not None:
            raise UsageError(
                f"{_ORIGIN}: programs run as a user who can't read {closed}, which is private; "
                "make the environment, and the Python it is based on, where everybody can read "
                "them, for example below /opt with the Python of the system"
            )


def _on_the_way(path: Path) -> Iterator[Path]:
    real = path.resolve()
    yield from reversed(real.parents)
    yield real


def _is_open(path: Path) -> bool:
    mode = path.stat().st_mode
    needed = stat.S_IXOTH if stat.S_ISDIR(mode) else stat.S_IROTH
    return mode & needed == needed


def _names(folders: Iterable[Path]) -> tuple[str, ...]:
    """Return the installed libraries, those first that no other needs."""
    found = {_key(each.name): each for each in distributions(path=[str(f) for f in folders])}
    known = {key: each for key, each in found.items() if key not in _TOOLS and not _is_linked(each)}
    requirements = [need for each in known.values() for need in each.requires or ()]
    needed = {_key(need) for need in requirements if "extra ==" not in need}
    ordered = sorted(known, key=lambda key: (key in needed, key))
    return tuple(_shown_name(known[key]) for key in ordered[:NAMES_MAX])


def _key(requirement: str) -> str:
    """Return the normalised name in a requirement such as ``Foo_Bar[x]>=1; extra``."""
    name = ""
    for character in requirement:
        if not (character.isalnum() or character in "-_."):
            break
        name += "-" if character in "-_." else character.lower()
    return name


def _is_linked(distribution: Distribution) -> bool:
    """Say whether its code lies elsewhere: a project under development, which isn't shown."""
    record = distribution.read_text("direct_url.json")
    return record is not None and '"editable": true' in record


def _shown_name(distribution: Distribution) -> str:
    modules = sorted(_modules(distribution))
    is_same = not modules or _key(distribution.name).replace("-", "_") in map(str.lower, modules)
    return distribution.name if is_same else f"{distribution.name} ({modules[0]})"


def _modules(distribution: Distribution) -> set[str]:
    """Return the names to import, as its list says or its files do."""
    if listed := distribution.read_text("top_level.txt"):
        names = set(listed.split())
    else:
        files = [file for file in distribution.files or () if file.suffix == ".py"]
        names = {file.parts[0].removesuffix(".py") for file in files}
    return {name for name in names if name.isidentifier() and not name.startswith("_")}
