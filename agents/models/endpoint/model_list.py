"""The models that an endpoint lists, and the first of them that can be asked. Pure.

Used by `agents.models.endpoint.openai_compatible` where no model is named. The list comes from
outside: an object with ``data`` or ``models``, or a bare array; of objects, or of names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_LISTS = ("data", "models")
_NAMES = ("id", "name", "model")
_KINDS = ("type", "task")
_OF_OTHER_KINDS = frozenset(
    {
        *("embedding", "embeddings", "feature-extraction", "rerank", "reranker", "moderation"),
        *("image", "audio", "transcribe", "transcription", "speech", "video"),
    }
)
_NO_CHAT = re.compile(
    r"embed|rerank|whisper|moderation|dall-e|\btts\b|\btranscribe\b|(?:^|/)(?:bge|gte|e5)-|minilm",
    re.IGNORECASE,
)
"""Names of models that answer no chat, where a list has nothing but names. Made from 66 names of
providers, which the test of this module has, and right on all of these (docs/endpoints.md)."""


def listed_models(page: object) -> Sequence[object]:
    """Return what an endpoint lists, as it stands there; empty where it is no list."""
    if isinstance(page, Mapping):
        page = next((page[key] for key in _LISTS if isinstance(page.get(key), list)), None)
    return page if isinstance(page, list) else []


def first_chat_model(listed: Sequence[object]) -> str:
    """Return the name of the first model that may answer a chat; empty where there is none."""
    return next((name for each in listed if (name := _name(each)) and _may_chat(each, name)), "")


def _name(entry: object) -> str:
    if isinstance(entry, Mapping):
        entry = next((entry[key] for key in _NAMES if entry.get(key)), None)
    return entry if isinstance(entry, str) else ""


def _may_chat(entry: object, name: str) -> bool:
    """Say whether a model may answer a chat: by what the endpoint says of it, else by its name."""
    if isinstance(entry, Mapping):
        abilities = entry.get("capabilities")
        if isinstance(abilities, Mapping) and isinstance(abilities.get("completion_chat"), bool):
            return bool(abilities["completion_chat"])
        if any(str(entry.get(key, "")).lower() in _OF_OTHER_KINDS for key in _KINDS):
            return False
    return _NO_CHAT.search(name) is None
