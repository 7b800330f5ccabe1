"""`fleet.toml`: read and checked against the types of `cluster.settings.values`.

The only part of the settings that imports pydantic, and only where there is a file to check.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.kernel.errors import UsageError
from cluster.kernel.sections import EngineSettings, ModelEntry
from cluster.settings.toml_table import (
    UNKNOWN_KEY,
    KeyPath,
    Table,
    nearest,
    read_table,
    unknown_key,
    wrong_value,
)
from cluster.settings.values import DEFAULT_AGENTS, AgentSettings, Settings

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_NOT_IN_A_FILE = frozenset({"python_path", "telemetry"})
_HEADERS = "headers"
_ROLE = re.compile(r"[a-z][a-z0-9_]{0,31}")
_CLASS_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def read_config(path: Path) -> tuple[Settings, frozenset[str]]:
    """Return the settings of a file over the defaults, and the keys that the file gives.

    Keys are dotted (``model.uri``); of an agent, the role's (``agents.reviewer``).

    Raises:
        UsageError: names the file, the key and what is allowed.
    """
    table = read_table(path, "file of settings")
    unknown = _unknown_places(table)
    known = {key: table[key] for key in table if (key,) not in unknown}
    known["agents"] = _agents_over_defaults(table.get("agents", {}), str(path))
    settings = _validated(json.dumps(known, default=str), str(path), unknown)
    for role, agent in settings.agents.items():
        _check_agent(role, agent, str(path))
    return settings, _given_keys(table)


def from_public_json(text: str) -> Settings:
    """Return the settings that `Settings.public_json` wrote, in this process or another.

    Raises:
        UsageError: the text is of another version, or is not what `public_json` writes.
    """
    return _validated(text, "the cluster's settings")


def _validated(text: str, origin: str, unknown: Sequence[KeyPath] = ()) -> Settings:
    """Return the settings that a JSON text holds.

    Args:
        text: an object of sections.
        origin: where it is from, for error messages.
        unknown: keys that were found to be none of ours already.

    Raises:
        UsageError: names the origin, all unknown keys, or else a wrong one, and what is allowed.
    """
    import pydantic

    errors: list[ErrorDetails] = []
    try:
        settings = pydantic.TypeAdapter(Settings).validate_json(text, strict=True)
    except pydantic.ValidationError as error:
        errors = error.errors()
    if places := (*unknown, *(_place(each) for each in errors if each["type"] == UNKNOWN_KEY)):
        raise UsageError(f"{origin}: {_unknown_keys(places)}")
    if errors:
        raise UsageError(_sentence(origin, errors[0]))
    return settings


def _unknown_places(table: Table) -> list[KeyPath]:
    """Return the keys of a file that are fields of ours, or look like it, and can't be in one."""
    agents = table.get("agents")
    sections = agents.items() if isinstance(agents, dict) else ()
    return [
        *((key,) for key in table if key not in _section_names()),
        *(
            ("agents", role, "class_path")
            for role, section in sections
            if isinstance(section, dict) and "class_path" in section
        ),
    ]


def _section_names() -> list[str]:
    return [field.name for field in fields(Settings) if field.name not in _NOT_IN_A_FILE]


def _given_keys(table: Table) -> frozenset[str]:
    return frozenset(
        f"{section}.{key}"
        for section, content in table.items()
        if isinstance(content, dict)
        for key in content
    )


def _agents_over_defaults(given: object, origin: str) -> object:
    """Lay the roles of the file over the default ones; ``class`` becomes the field's name."""
    if not isinstance(given, dict):
        return given
    agents: dict[str, object] = {role: asdict(agent) for role, agent in DEFAULT_AGENTS.items()}
    for role, section in given.items():
        if not _ROLE.fullmatch(role):
            raise UsageError(
                f"{origin}: [agents.{role}] is no name of a role; allowed are lower-case letters, "
                "digits and _, as in [agents.reviewer]"
            )
        if not isinstance(section, dict):
            agents[role] = section
            continue
        renamed = {("class_path" if key == "class" else key): section[key] for key in section}
        defaults = agents.get(role, {})
        agents[role] = {**(defaults if isinstance(defaults, dict) else {}), **renamed}
    return agents


def _check_agent(role: str, agent: AgentSettings, origin: str) -> None:
    if not _CLASS_PATH.fullmatch(agent.class_path):
        raise UsageError(
            f"{origin}: agents.{role}.class must be written module:Class, not {agent.class_path!r}"
        )


def _sentence(origin: str, error: ErrorDetails) -> str:
    """Turn pydantic's first finding into one sentence with the key and what is allowed."""
    key = ".".join(_place(error))
    if _HEADERS in error["loc"]:  # without what is there, which may be a secret
        return f'{origin}: {key} must be texts, as in headers = {{ api-key = "${{NAME}}" }}'
    if error["type"] == "dataclass_type":
        return f"{origin}: {key} must be a section, as in [{key}]"
    return f"{origin}: {wrong_value(key, error)}"


def _place(error: ErrorDetails) -> KeyPath:
    return tuple("class" if part == "class_path" else str(part) for part in error["loc"])


def _unknown_keys(places: Sequence[KeyPath]) -> str:
    """Name unknown keys, each with the nearest one there is, and what is allowed beside them."""
    if len(places) == 1:
        [place] = places
        return f"unknown key {unknown_key(place, _allowed_keys(place[:-1]))}"
    named = []
    for place in places:
        near = nearest(place[-1], _allowed_keys(place[:-1]))
        named.append(".".join(place) + (f" (did you mean {near}?)" if near else ""))
    sections = dict.fromkeys(place[:-1] for place in places)
    heads = [f"in [{'.'.join(each)}]" if each else "as sections" for each in sections]
    allowed_in = [
        f"{head}: {', '.join(_allowed_keys(each))}"
        for head, each in zip(heads, sections, strict=True)
    ]
    return f"unknown keys {', '.join(named)}; allowed {'; '.join(allowed_in)}"


def _allowed_keys(section: KeyPath) -> Sequence[str]:
    if not section:
        return _section_names()
    if section[0] == "agents":
        return _agent_keys()
    if section == ("model", "engine") or (section[0] == "models" and section[2:] == ("engine",)):
        return [field.name for field in fields(EngineSettings)]
    if section[0] == "models":
        return [field.name for field in fields(ModelEntry)]
    default: Mapping[str, object] = {
        field.name: getattr(Settings(), field.name) for field in fields(Settings)
    }
    value = default[section[0]]
    return [field.name for field in fields(value)] if is_dataclass(value) else []


def _agent_keys() -> list[str]:
    return ["class", *(field.name for field in fields(AgentSettings) if field.name != "class_path")]
