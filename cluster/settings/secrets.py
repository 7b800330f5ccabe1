"""What must not be printed, logged or handed on in an environment: it travels as a 0600 file.

Ray shows arguments and environments of jobs and actors, so they are given the file's path.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from cluster.kernel.errors import UsageError

_TEXTS = frozenset({"token", "redis_url", "api_key", "scope"})
_KEYS = "model_keys"
_HEADERS = "headers"


@dataclass(frozen=True, slots=True)
class Secrets:
    """Token of the cluster's streams, URL of the store, keys of models; empty where unset."""

    token: str = field(default="", repr=False)
    scope: str = ""
    """Of a cluster that keeps it from one start to the next; see `cluster.memory.kept_scope`."""
    redis_url: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    """Of [model]."""
    model_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of each [models.NAME] that has one."""
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    """What is sent beside the key: by the NAME of each [models.NAME], and of [model] by an empty
    one; only of those that have any."""

    def write_secrets(self, path: str | os.PathLike[str]) -> None:
        """Write them to ``path``, readable by this user only; an older file is replaced whole.

        Raises:
            UsageError: the file can't be written.
        """
        target = Path(path)
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            draft.unlink(missing_ok=True)
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(asdict(self), file)
            draft.replace(target)
        except OSError as error:
            raise UsageError(f"the secrets can't be written to {target}: {error}") from error

    @classmethod
    def read_secrets(cls, path: str | os.PathLike[str]) -> Secrets:
        """Return what `write_secrets` wrote.

        Raises:
            UsageError: there is no such file, others may read it, or it holds something else.
        """
        try:
            with Path(path).open(encoding="utf-8") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise UsageError(f"{path} may be read by others; run `chmod 600 {path}`")
                values = json.load(file)
        except (OSError, ValueError) as error:
            raise UsageError(f"the secrets in {path} can't be read: {error}") from error
        values = values if isinstance(values, dict) else {_KEYS: None}
        keys, headers = values.get(_KEYS, {}), values.get(_HEADERS, {})
        texts = {key: value for key, value in values.items() if key in _TEXTS}
        has_headers = isinstance(headers, dict) and all(map(_are_texts, headers.values()))
        if not (has_headers and _are_texts(keys) and _are_texts(texts)):
            raise UsageError(f"{path} is no file of secrets")
        return cls(**texts, model_keys=keys, headers=headers)


def _are_texts(values: object) -> bool:
    return isinstance(values, dict) and all(isinstance(each, str) for each in values.values())
