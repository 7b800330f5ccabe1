"""What a Ray job needs of this machine: its files in one folder, and its command line.

Ray uploads the folder, puts its copy first on the path of the job and of its workers, and runs the
command in it. So there are only the modules of the user's own agents at its top; all else is in a
folder below, where the command goes first: a document `redis.py` is never imported.

Ray shows command lines and environments to everybody with access (ray#28276), so nothing secret
goes into them, nor into the folder.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from urllib.parse import urlsplit

from cluster.kernel.errors import UsageError
from cluster.memory.knowledge.formats import kind_of_format
from cluster.memory.knowledge.omissions import Omission, Omissions, left_out_line
from cluster.memory.knowledge.reading import read_bytes
from cluster.memory.knowledge.sources import find_files, stream_descriptor
from cluster.settings import HIDDEN, Configuration
from cluster.settings.sources import FILE_NAME

_FILES = "_files"
"""The run's working directory below the job's."""
_KNOWLEDGE = "_knowledge"
_GOAL_FILE = "goal.txt"
_WORKFLOW_FILE = "_workflow.toml"
_GOAL_CHARS_SHOWN = 4000
"""Longer goals go into a file: a shell takes 128 KiB for one argument."""
_CODE_BYTES_MAX = 20_000_000
_NO_KEY = (
    "the model's key is not sent with the job: OPENAI_API_KEY must be set where the Ray cluster "
    "was started, or model.api_key_path name a file there"
)
_OURS = frozenset({"agents", "cluster"})


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A goal for a Ray cluster; ``flags`` are handed on to the run there as they are."""

    goal: str
    configuration: Configuration
    knowledge: tuple[str, ...] = ()
    config: str | None = None
    flags: tuple[str, ...] = ()
    address: str = ""
    """URL of the Ray dashboard; empty for what the environment names, else this machine's."""
    workflow: str = ""
    """Text of the workflow file, free of inputs; empty where a model plans."""


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What Ray is given."""

    entrypoint: str
    env_vars: dict[str, str]
    notes: tuple[str, ...] = ()
    """What the user should know of what is not sent along."""
    renamed: tuple[tuple[str, str], ...] = ()
    """Paths as the job knows them, and as the user named them."""

    def as_named(self, text: str) -> str:
        """Return what the job wrote with the user's names of the files."""
        for there, here in self.renamed:
            text = text.replace(there, here)
        return text


def prepare(request: JobRequest, folder: Path, python: str) -> JobSpec:
    """Put what the job needs into an empty folder and return its command line.

    Args:
        request: what is wanted.
        folder: becomes the job's working directory, and the first folder of its import path.
        python: the interpreter there.

    Raises:
        UsageError: a file can't be read, there is too much of it, or a secret would be shown.
    """
    settings, secrets = request.configuration.settings, request.configuration.secrets
    if _has_password(secrets.redis_url):
        raise UsageError(
            "the Redis URL has a password, which Ray would show with the job: set "
            "FLEETMIND_REDIS_URL where the Ray cluster runs, and leave it out here"
        )
    models = (settings.model, *settings.models.values())
    if any(HIDDEN in model.headers.values() for model in models):
        raise UsageError(
            "headers of a model have values in the settings' file, which Ray would show with the"
            " job: write ${NAME} there, and set that variable where the Ray cluster runs"
        )
    files = folder / _FILES
    files.mkdir()
    command = [python, "-P", "-m", "cluster", "run", "--framed", "--address", "auto"]
    command += ["--model", settings.model.uri, "--deadline", f"{settings.task.deadline_s:g}"]
    command += ["--coherence", settings.task.coherence]
    if settings.task.tokens_max is not None:
        command += ["--tokens-max", str(settings.task.tokens_max)]
    if settings.task.cost_max is not None:
        command += ["--cost-max", f"{settings.task.cost_max:g}"]
    if request.workflow:
        (files / _WORKFLOW_FILE).write_text(request.workflow, encoding="utf-8")
        command += ["--workflow", _WORKFLOW_FILE]
    if settings.store.redis:
        command += ["--redis", settings.store.redis]
    omissions = Omissions()
    staged = _stage_knowledge(request.knowledge, files, omissions)
    for path in staged.values():
        command += ["--knowledge", path]
    if request.config or Path(FILE_NAME).exists():
        shutil.copyfile(request.config or FILE_NAME, files / FILE_NAME)  # found by itself there
    _stage_code(request.configuration, folder)
    command += request.flags
    env_vars = {"OPENAI_BASE_URL": settings.model.base_url} if settings.model.base_url else {}
    renamed = tuple((there, here) for here, there in staged.items() if there != here)
    entrypoint = f"cd {_FILES} && exec {_with_goal(command, request.goal, files)}"
    return JobSpec(entrypoint, env_vars, _notes(request, omissions), renamed)


def _with_goal(command: Sequence[str], goal: str, folder: Path) -> str:
    if len(goal) <= _GOAL_CHARS_SHOWN:
        return shlex.join((*command, "--", goal))
    (folder / _GOAL_FILE).write_text(goal, encoding="utf-8")
    return f"{shlex.join((*command, '--', '-'))} < {_GOAL_FILE}"


def _notes(request: JobRequest, omissions: Omissions) -> tuple[str, ...]:
    """Say what of the knowledge is not sent along, and where the key is expected, which isn't."""
    left_out = left_out_line(omissions.left_out())
    notes = (left_out,) if left_out else ()
    is_asked = request.configuration.settings.model.uri.startswith("openai:")
    if is_asked and request.configuration.secrets.api_key:
        return (*notes, _NO_KEY)
    return notes


def _stage_knowledge(paths: Sequence[str], folder: Path, omissions: Omissions) -> dict[str, str]:
    """Copy the files and return, by what was named, the paths by which the job knows it.

    A relative path keeps its name, and so do the citations; others become ``_knowledge/N/NAME``.
    """
    places = {path: _place(path, number) for number, path in enumerate(paths)}
    for file in find_files(paths, omissions):
        target = folder / places[file.named] / file.below
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.write_bytes(read_bytes(file.path))
        except OSError as error:
            if file.is_named:
                raise UsageError(f"{file.shown_name} can't be read: {error.strerror}") from error
            omissions.add(kind_of_format(file.format), Omission.UNREADABLE, file.shown_name)
    return {path: str(place) for path, place in places.items()}


def _place(path: str, number: int) -> Path:
    named = Path(path)
    if stream_descriptor(path) is not None:
        return Path(_KNOWLEDGE, str(number), named.name)
    if named.is_absolute() or ".." in named.parts:
        return Path(_KNOWLEDGE, str(number), named.resolve().name or "files")
    return named


def _stage_code(configuration: Configuration, folder: Path) -> None:
    """Copy the modules of a user's own agents, which lie beside the configuration.

    Not those that are installed here: there they are too, and would be hidden.
    """
    classes = (agent.class_path for agent in configuration.settings.agents.values())
    names = {path.partition(":")[0].partition(".")[0] for path in classes} - _OURS
    for name in sorted(name for name in names if not _is_installed(name)):
        for base in configuration.settings.python_path:
            module, package = Path(base, f"{name}.py"), Path(base, name)
            if module.is_file():
                shutil.copyfile(module, folder / module.name)
            elif (package / "__init__.py").is_file():
                _copy_package(package, folder / name)
            else:
                continue
            break


def _is_installed(name: str) -> bool:
    return name in sys.stdlib_module_names or PathFinder.find_spec(name) is not None


def _copy_package(package: Path, target: Path) -> None:
    size = sum(path.stat().st_size for path in package.rglob("*.py"))
    if size > _CODE_BYTES_MAX:
        raise UsageError(f"the package {package} is too large to be sent along with a job")
    for path in package.rglob("*.py"):
        copy = target / path.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def _has_password(url: str) -> bool:
    try:
        return urlsplit(url).password is not None
    except ValueError:
        return True
