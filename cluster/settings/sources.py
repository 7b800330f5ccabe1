"""Where settings come from, lowest to highest: defaults, `fleet.toml`, environment, flags."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cluster.kernel.errors import UsageError
from cluster.kernel.model_uri import EMBEDDED, ModelUri
from cluster.settings.addresses import CHECKS, without_credentials
from cluster.settings.bounds import check_share
from cluster.settings.model_entries import (
    checked_entries,
    entry_keys,
    key_in,
    placed_entries,
    sent_headers,
    without_header_values,
)
from cluster.settings.secrets import Secrets
from cluster.settings.values import SAMPLED_SHARE_VARIABLE, Settings

FILE_NAME = "fleet.toml"
_VARIABLES: Mapping[str, Sequence[str]] = {
    "model.uri": ("FLEETMIND_MODEL",),
    "model.base_url": ("OPENAI_BASE_URL",),
    "store.redis": ("FLEETMIND_REDIS_URL", "REDIS_URL"),
    "ray.address": ("RAY_ADDRESS",),
}
"""By key: the variables that set it; the first that is not empty counts."""
_API_KEY = "OPENAI_API_KEY"
_SERVED_FILES = frozenset({"serve.tls_cert", "serve.tls_key"})
"""Other processes read them, in other folders."""


class Flag(NamedTuple):
    """One setting given in a call or on the command line."""

    key: str
    value: str | float
    origin: str
    """How the user knows it, for error messages, as in ``--model``."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Resolved settings, the secrets that belong to them, and the keys somebody gave."""

    settings: Settings
    secrets: Secrets
    given: frozenset[str] = frozenset()
    """Dotted keys that came from a file, the environment or a flag."""


def load(
    config: str | os.PathLike[str] | None = None,
    flags: Sequence[Flag] = (),
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Configuration:
    """Resolve the settings.

    Args:
        config: a file to read instead of `fleet.toml` in the folder; it must exist.
        flags: what goes before everything else.
        environment: instead of this process's.
        folder: instead of the working directory.

    Raises:
        UsageError: a wrong key or value; names its origin and what is allowed.
    """
    variables = os.environ if environment is None else environment
    here = folder.absolute() if folder else _working_folder()
    path = _config_path(config, here)
    settings, given = _from_file(path) if path else (Settings(), frozenset[str]())
    for key in given & CHECKS.keys():
        CHECKS[key](_get(settings, key), f"{path}: {key}")
    checked_entries(settings.models, str(path))
    base = path.parent if path else here
    settings = _replaced(settings, "model.uri", _anchored(settings.model.uri, base))
    if settings.sandbox.python:
        # Not resolved: the link is how Python finds an environment.
        python = str(base / Path(settings.sandbox.python).expanduser())
        settings = _replaced(settings, "sandbox.python", python)
    if settings.knowledge.cache:
        cache = str(base / Path(settings.knowledge.cache).expanduser())
        settings = _replaced(settings, "knowledge.cache", cache)
    for key in _SERVED_FILES & given:
        settings = _replaced(settings, key, str(base / Path(str(_get(settings, key))).expanduser()))
    for flag in (*_from_environment(variables), *flags):
        if flag.key in CHECKS:
            CHECKS[flag.key](flag.value, flag.origin)
        value = _anchored(str(flag.value), here) if flag.key == "model.uri" else flag.value
        if flag.key in _SERVED_FILES:
            value = str(here / Path(str(value)).expanduser())
        settings = _replaced(settings, flag.key, value)
        given |= {flag.key}
    settings = dataclasses.replace(
        settings, models=placed_entries(settings.models, settings.model, base)
    )
    api_key = _api_key(settings, variables, base)
    model_keys = entry_keys(settings.models, settings.model, api_key, base)
    secrets = Secrets(
        redis_url=settings.store.redis,
        api_key=api_key,
        model_keys=model_keys,
        headers=sent_headers(settings.models, settings.model, variables, str(path)),
    )
    settings = without_header_values(settings)
    settings = _replaced(settings, "store.redis", without_credentials(settings.store.redis))
    if not settings.model.uri:
        settings = _replaced(settings, "model.uri", _default_model(settings, variables))
    settings = dataclasses.replace(
        settings,
        python_path=tuple(dict.fromkeys((str(base), str(here)))),
        telemetry=_telemetry(variables),
    )
    return Configuration(settings, secrets, given)


def _config_path(config: str | os.PathLike[str] | None, here: Path) -> Path | None:
    if config is not None:
        return here / Path(config).expanduser()
    path = here / FILE_NAME
    try:
        return path if path.exists() else None
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise UsageError("the working directory is gone: change to one that exists") from error


def _from_file(path: Path) -> tuple[Settings, frozenset[str]]:
    # Pydantic takes a sixth of a second to import: only where there is a file to check.
    from cluster.settings.config_file import read_config

    return read_config(path)


def _from_environment(variables: Mapping[str, str]) -> Iterator[Flag]:
    for key, names in _VARIABLES.items():
        # With the line's end that `$(cat file)` drops and an environment file keeps.
        given = [(name, variables.get(name, "").strip()) for name in names]
        name, value = next((each for each in given if each[1]), ("", ""))
        if value:
            yield Flag(key, value, name)


def _get(settings: Settings, key: str) -> object:
    section, _, name = key.partition(".")
    value: object = getattr(getattr(settings, section), name)
    return value


def _replaced(settings: Settings, key: str, value: str | float) -> Settings:
    section, _, name = key.partition(".")
    changed = dataclasses.replace(getattr(settings, section), **{name: value})
    return dataclasses.replace(settings, **{section: changed})


def _anchored(uri: str, folder: Path) -> str:
    """Return a model URI that means the same in every folder; none stays none."""
    return str(ModelUri.parse(uri).anchored(folder)) if uri else ""


def _default_model(settings: Settings, variables: Mapping[str, str]) -> str:
    has_endpoint = settings.model.base_url or settings.model.api_key_path
    return "openai:" if has_endpoint or variables.get(_API_KEY, "").strip() else str(EMBEDDED)


def _api_key(settings: Settings, variables: Mapping[str, str], base: Path) -> str:
    key = variables.get(_API_KEY, "").strip()
    if key or not settings.model.api_key_path:
        return key
    return key_in(settings.model.api_key_path, base, "model.api_key_path")


def _telemetry(variables: Mapping[str, str]) -> dict[str, str]:
    """Pick the OTEL_* variables; those with headers carry credentials and stay behind."""
    share = variables.get(SAMPLED_SHARE_VARIABLE)
    if share is not None:
        check_share(share, SAMPLED_SHARE_VARIABLE)
    return {
        name: value
        for name, value in sorted(variables.items())
        if name.startswith("OTEL_") and not name.endswith("HEADERS")
    }
