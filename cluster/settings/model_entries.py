"""The models of `fleet.toml`: each with an endpoint and the key that belongs to it, and no other.

Called by `cluster.settings.sources`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from cluster.kernel.errors import UsageError
from cluster.kernel.model_uri import ModelUri
from cluster.kernel.sections import ModelEntry, ModelSettings
from cluster.settings.addresses import check_base_url, check_model_uri
from cluster.settings.secrets import Secrets
from cluster.settings.values import Settings

HIDDEN = ""
"""What a header has in public settings whose value is a secret."""
_MAIN = ""
_KEY_FILE_BYTES_MAX = 64 * 1024
_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)\}")
_NAMED_ONLY = re.compile(r"(?:(?:Bearer|Basic|Token) )?\$\{[A-Za-z_]\w*\}")
_Model = TypeVar("_Model", ModelSettings, ModelEntry)


def checked_entries(entries: Mapping[str, ModelEntry], origin: str) -> None:
    """Look whether each further model says which it is, and where.

    Raises:
        UsageError: names the origin, the key and what is allowed.
    """
    for name, entry in entries.items():
        key = f"{origin}: models.{name}"
        if not entry.uri:
            raise UsageError(f"{key}.uri is missing")
        check_model_uri(entry.uri, f"{key}.uri")
        if entry.base_url:
            check_base_url(entry.base_url, f"{key}.base_url")


def placed_entries(
    entries: Mapping[str, ModelEntry], model: ModelSettings, base: Path
) -> dict[str, ModelEntry]:
    """Return the further models as they are meant: paths anchored, at an endpoint.

    One without a base URL is at that of ``model``, unless it runs on this machine.
    """
    placed = {}
    for name, entry in entries.items():
        uri = ModelUri.parse(entry.uri).anchored(base)
        base_url = entry.base_url or (model.base_url if uri.is_endpoint else "")
        placed[name] = dataclasses.replace(entry, uri=str(uri), base_url=base_url)
    return placed


def entry_keys(
    entries: Mapping[str, ModelEntry], model: ModelSettings, api_key: str, base: Path
) -> dict[str, str]:
    """Return the key of each further model that has one: its own, or that of the same endpoint.

    Raises:
        UsageError: a file of a key can't be read, or holds something else.
    """
    keys = {}
    for name, entry in entries.items():
        if entry.api_key_path:
            keys[name] = key_in(entry.api_key_path, base, f"models.{name}.api_key_path")
        elif api_key and entry.base_url.rstrip("/") == model.base_url.rstrip("/"):
            keys[name] = api_key
    return keys


def sent_headers(
    entries: Mapping[str, ModelEntry],
    model: ModelSettings,
    variables: Mapping[str, str],
    origin: str,
) -> dict[str, dict[str, str]]:
    """Return the headers of each model that has any, as they are sent; of ``model`` by no name.

    A further model at the same endpoint that has none of its own has those of ``model``.

    Raises:
        UsageError: a variable that a value names is not set; never has a value.
    """
    sent = {_MAIN: _resolved(model.headers, variables, f"{origin}: model.headers")}
    for name, entry in entries.items():
        key = f"{origin}: models.{name}.headers"
        is_same = entry.base_url.rstrip("/") == model.base_url.rstrip("/")
        is_asked = ModelUri.parse(entry.uri).is_endpoint
        inherited = sent[_MAIN] if is_same and is_asked else {}
        sent[name] = _resolved(entry.headers, variables, key) or inherited
    return {name: headers for name, headers in sent.items() if headers}


def _resolved(
    headers: Mapping[str, str], variables: Mapping[str, str], origin: str
) -> dict[str, str]:
    def value_of(name: str, named: re.Match[str]) -> str:
        value = variables.get(named[1], "").strip()
        if not value:
            raise UsageError(f"{origin}.{name}: the variable {named[1]} is not set")
        return value

    return {
        name: _VARIABLE.sub(partial(value_of, name), value).strip()
        for name, value in headers.items()
    }


def without_header_values(settings: Settings) -> Settings:
    """Return settings that may be shown: of headers, only the names of variables are left."""
    models = {name: _bare(entry) for name, entry in settings.models.items()}
    return dataclasses.replace(settings, model=_bare(settings.model), models=models)


def with_header_values(settings: Settings, secrets: Secrets) -> Settings:
    """Return settings with the headers that are sent: to ask the models, and for nothing else."""
    sent = secrets.headers
    model = dataclasses.replace(settings.model, headers=dict(sent.get(_MAIN, {})))
    models = {
        name: dataclasses.replace(entry, headers=dict(sent.get(name, {})))
        for name, entry in settings.models.items()
    }
    return dataclasses.replace(settings, model=model, models=models)


def _bare(model: _Model) -> _Model:
    shown = {
        name: value if _NAMED_ONLY.fullmatch(value) else HIDDEN
        for name, value in model.headers.items()
    }
    return dataclasses.replace(model, headers=shown)


def check_priced(model: ModelSettings, entries: Mapping[str, ModelEntry]) -> None:
    """Look whether what a task costs is known: a bound on it would hold nothing else.

    Raises:
        UsageError: an endpoint's model has no price.
    """
    for key, each in {"model": model, **{f"models.{n}": e for n, e in entries.items()}}.items():
        is_priced = each.price_prompt is not None or each.price_completion is not None
        if ModelUri.parse(each.uri).scheme == "openai" and not is_priced:
            raise UsageError(
                f"cost_max bounds nothing: what [{key}] costs isn't known. Set its price_prompt and"
                " price_completion, 0 where it costs nothing"
            )


def key_in(name: str, base: Path, setting: str) -> str:
    """Return the key that a file holds.

    Raises:
        UsageError: it can't be read, or holds something else.
    """
    path = base / Path(name).expanduser()
    try:
        with path.open(encoding="utf-8-sig") as file:
            key = file.read(_KEY_FILE_BYTES_MAX).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{setting}: {path} can't be read: {error}") from error
    if not key or "\n" in key:
        raise UsageError(f"{setting}: {path} must hold the key on one line, nothing else")
    return key
