"""Model files of the Hugging Face Hub: how they are named, where they lie, how they are fetched.

The official client asks the hub, sends its token and goes on where a connection broke. What it
leaves to its callers is done here: to go on where an earlier command was ended, and to compare what
has come with the size and the SHA-256 that the hub tells of it. Importing this imports no client.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, Self
from urllib.parse import urlsplit

from agents.models.local.incoming_file import Awaited, BytesDone, IncomingFile
from cluster.kernel.errors import ModelError, UsageError
from cluster.kernel.loopback import except_from_proxies
from cluster.kernel.model_uri import HUB_PREFIX
from cluster.user_folders import user_folder

_PUBLIC_HUB = "https://huggingface.co"
_FOLDER = "hub"
_NAME = re.compile(r"[\w.+-]{1,200}", re.ASCII)
_SHARD = re.compile(r"-\d{5}-of-(\d{5})\.gguf")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PART = ".part"

PIECE_BYTES = 1 << 16
"""What the client hands over at once, and what is lost where a line breaks: its own 10 MiB would
never come over one that breaks sooner. 600 MB came at 855 MB/s over loopback so, and at 372 in
pieces of 10 MiB (medians of 3)."""


def models_folder() -> Path:
    """Return the folder of the user's that models are fetched into."""
    return user_folder("XDG_CACHE_HOME", ".cache") / "models"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits; blocks for a second a gigabyte."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class HubFile:
    """A GGUF file in a repository of the hub, named ``hf:OWNER/NAME/FILE``."""

    repository: str
    file: str

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return what a name means.

        Raises:
            UsageError: it names no GGUF file, or one that is a part of a model.
        """
        owner, _, rest = name.removeprefix(HUB_PREFIX).partition("/")
        repository, _, file = rest.partition("/")
        parts = owner, repository, *file.split("/")
        if not all(_NAME.fullmatch(part) and part.strip(".") for part in parts):
            raise UsageError(
                f"{name!r} names no file of the Hugging Face Hub: it is hf:OWNER/NAME/FILE.gguf"
            )
        if not file.endswith(".gguf"):
            raise UsageError(f"{name!r} names no GGUF file, which is all that llama.cpp reads")
        if shard := _SHARD.search(file):
            raise UsageError(
                f"{name!r} is one of the {int(shard[1])} parts of a model: choose a model that is "
                "one file"
            )
        return cls(f"{owner}/{repository}", file)

    @property
    def name(self) -> str:
        """As in ``llama:NAME``."""
        return f"{HUB_PREFIX}{self.repository}/{self.file}"

    @property
    def path(self) -> Path:
        """Where it lies, or will lie, in the user's cache folder."""
        return models_folder() / _FOLDER / self.repository / self.file

    @property
    def is_here(self) -> bool:
        """Say whether it has been fetched: it has its name when it is whole and was compared."""
        return self.path.is_file()

    @property
    def description(self) -> str:
        """Say what it is, in some words."""
        return f"{self.path.stat().st_size / 1e6:,.0f} MB" if self.is_here else "not fetched"


@dataclass(frozen=True, slots=True)
class _Told:
    """What the hub says of a file."""

    sha256: str
    size_bytes: int
    commit: str


def pulled_files() -> Iterator[HubFile]:
    """Yield what has been fetched from the hub, in the order of its names."""
    folder = models_folder() / _FOLDER
    for path in sorted(folder.glob("*/*/**/*.gguf")):
        owner, name, *file = path.relative_to(folder).parts
        yield HubFile(f"{owner}/{name}", "/".join(file))


def pull_from_hub(file: HubFile, progress: BytesDone) -> Path:
    """Fetch a file, unless it is here as the hub has it, and return its path. Blocks.

    HF_ENDPOINT names another hub, and the token is that of the client: HF_TOKEN, or what `hf auth
    login` has kept. What has come of a file stays where the fetching ends, and is gone on with.

    Raises:
        ModelError: it could not be fetched, or isn't what the hub says it is.
    """
    with _in_our_words(file):
        told = _look_up(file)
        if file.is_here and sha256_of(file.path) == told.sha256:
            return file.path
        file.path.parent.mkdir(parents=True, exist_ok=True)
        with _part_of(file, told) as (part, kept):
            _check_room(file, told, kept)
            _fetch(file, told, kept, progress)
            kept.flush()
            os.fsync(kept.fileno())  # before it has a name that says that it is whole
            _check(file, told, part)
            part.replace(file.path)
    return file.path


@contextmanager
def _part_of(file: HubFile, told: _Told) -> Iterator[tuple[Path, BinaryIO]]:
    """Open what has come of a file, at its end; parts that are left of other versions are removed.

    The part is named by what it is to become, so that no two versions get into one. One that holds
    nothing is removed.
    """
    part = file.path.with_name(f".{file.path.name}.{told.sha256[:12]}{_PART}")
    for other in file.path.parent.iterdir():
        is_part = other.name.startswith(f".{file.path.name}.") and other.suffix == _PART
        if is_part and other != part:
            _remove_left(other)
    with part.open("ab") as kept:
        # Between opening and locking, the other process may have removed it or given it its name.
        if not (_try_lock(kept) and _is_at(part, kept)):
            raise ModelError(f"{file.name} is being fetched by another process: wait")
        if kept.tell() > told.size_bytes:
            kept.truncate(0)
        try:
            yield part, kept
        finally:
            if not kept.seek(0, os.SEEK_END) and _is_at(part, kept):
                part.unlink()


def _remove_left(part: Path) -> None:
    """Remove a part, but for one that another process is fetching into."""
    with suppress(FileNotFoundError), part.open("rb") as kept:
        if _try_lock(kept):
            part.unlink()


def _try_lock(kept: BinaryIO) -> bool:
    """Lock a file until it is closed; False where another process has it locked."""
    try:
        fcntl.flock(kept, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: Path, kept: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(kept.fileno()))
    except FileNotFoundError:
        return False


def _check_room(file: HubFile, told: _Told, kept: BinaryIO) -> None:
    needed = told.size_bytes - kept.seek(0, os.SEEK_END)
    free = shutil.disk_usage(file.path.parent).free
    if needed > free:
        raise ModelError(
            f"{file.name} needs {needed / 1e6:,.0f} MB in {file.path.parent}, and {free / 1e6:,.0f}"
            " MB are free there: make room, or set XDG_CACHE_HOME to another disk"
        )


def _check(file: HubFile, told: _Told, part: Path) -> None:
    """Raise, and remove what has come, where it isn't what the hub has told."""
    size, sha256 = part.stat().st_size, sha256_of(part)
    if size != told.size_bytes or sha256 != told.sha256:
        part.unlink()
        raise ModelError(
            f"{file.name} came as {size:,} bytes with the SHA-256 {sha256[:12]}..., and "
            f"{_shown_hub()} says {told.size_bytes:,} and {told.sha256[:12]}...; it was not kept, "
            "look at what stands between you and the hub"
        )


def _hub() -> str:
    return os.environ.get("HF_ENDPOINT", "").strip().rstrip("/") or _PUBLIC_HUB


def _shown_hub() -> str:
    """Return the hub's URL without what may be secret in it."""
    parts = urlsplit(_hub())
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _client() -> Any:
    """Import the client, which reads its settings now: no telemetry, no talk of its own.

    For its telemetry it would look for what runs it, and ask the hub for a list of names to tell
    it by.
    """
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    except_from_proxies(_hub(), os.environ)
    import huggingface_hub
    from huggingface_hub.utils.logging import set_verbosity

    huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY = True  # it may be imported already

    set_verbosity(logging.CRITICAL)
    return huggingface_hub


def _look_up(file: HubFile) -> _Told:
    """Ask the hub for a file's size and hash."""
    hub = _client()
    url = hub.hf_hub_url(file.repository, file.file, endpoint=_hub())
    known = hub.get_hf_file_metadata(url, token=None, endpoint=_hub())
    if known.size is None or not _SHA256.fullmatch(known.etag or ""):
        raise ModelError(
            f"{_shown_hub()} tells no SHA-256 of {file.name}, so that it can't be compared with it:"
            " it has to be kept there as a large file (Git LFS, Xet), as models are"
        )
    if known.size > (size_max := hub.constants.MAX_HTTP_DOWNLOAD_SIZE):
        raise ModelError(
            f"{file.name} has {known.size / 1e9:,.0f} GB, and the hub gives no file of more than "
            f"{size_max / 1e9:,.0f} GB by plain HTTP: choose a smaller one"
        )
    return _Told(known.etag, known.size, known.commit_hash or "main")


def _fetch(file: HubFile, told: _Told, kept: BinaryIO, progress: BytesDone) -> None:
    """Append what is missing of a file.

    Plain HTTP also where the hub offers Xet, by which no part can be gone on with.
    """
    hub = _client()
    from huggingface_hub.file_download import http_get

    hub.constants.DOWNLOAD_CHUNK_SIZE = PIECE_BYTES
    incoming = IncomingFile(kept, Awaited(file.name, _shown_hub(), told.size_bytes), progress)
    as_file: Any = incoming
    http_get(
        hub.hf_hub_url(file.repository, file.file, revision=told.commit, endpoint=_hub()),
        as_file,
        resume_size=incoming.tell(),
        headers={**hub.utils.build_hf_headers(token=None), "accept-encoding": "identity"},
        expected_size=told.size_bytes,
        tqdm_class=incoming.bar,
    )
    progress(told.size_bytes, told.size_bytes)


@contextmanager
def _in_our_words(file: HubFile) -> Iterator[None]:
    """Say in a sentence what the client, or the disk, complains of; never with the token."""
    _client()
    from httpx2 import HTTPError, InvalidURL
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError as error:
        raise _failed(file, "is given to those only who were granted access", _ASK) from error
    except errors.RemoteEntryNotFoundError as error:
        remedy = f"see which files {_shown_hub()}/{file.repository} has"
        raise _failed(file, f"is not in the repository {file.repository}", remedy) from error
    except errors.RepositoryNotFoundError as error:
        what = (
            f"is not there: {_shown_hub()} has no repository {file.repository}, or doesn't show it"
        )
        raise _failed(file, what, "check the name, or set HF_TOKEN where it is private") from error
    except errors.OfflineModeIsEnabled as error:
        raise _failed(file, "can't be fetched offline", "unset HF_HUB_OFFLINE") from error
    except errors.HfHubHTTPError as error:
        raise _failed(file, *_refused(error.response.status_code)) from error
    except (HTTPError, InvalidURL, errors.FileMetadataError) as error:
        what = f"could not be fetched from {_shown_hub()} ({type(error).__name__}: {_line(error)})"
        raise _failed(file, what, "check the network, its proxy and HF_ENDPOINT") from error
    except errors.HFValidationError as error:
        raise UsageError(f"{file.name}: the hub has no such names ({_line(error)})") from error
    except OSError as error:
        if error.errno is None:  # the client's own: fewer bytes came than it was told of
            what = f"did not come whole from {_shown_hub()}"
            raise _failed(file, what, "try again: it goes on where it was") from error
        reason = os.strerror(error.errno)
        what = f"can't be kept in {file.path.parent} ({reason})"
        raise _failed(
            file, what, "set XDG_CACHE_HOME to a folder that can be written to"
        ) from error


_ASK = "ask for it on its page, and set HF_TOKEN"


def _refused(status: int) -> tuple[str, str]:
    """Return what a status of HTTP means, and what to do about it."""
    if status == HTTPStatus.NOT_FOUND:
        # Of the hub, a 404 says what is missing; this one comes from somewhere else.
        return f"is not there: {_shown_hub()} answers 404", "check the name and HF_ENDPOINT"
    what = f"was refused by {_shown_hub()} ({status})"
    if status in {401, 403}:
        return what, "set HF_TOKEN to a token that may read it"
    return what, "try again later: it goes on where it was"


def _failed(file: HubFile, what: str, remedy: str) -> ModelError:
    return ModelError(f"{file.name} {what}; {remedy}")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
