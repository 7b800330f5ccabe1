"""An error that an endpoint tells of in a stream, or under 200: its words and their meaning. Pure.

Used by `agents.models.endpoint.trouble`. Providers have many forms for it: an object with message,
code and type, a word, what FastAPI makes of an exception, a router's object around another's.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

_STATUSES = range(400, 600)
_STATUS_NAMES = ("status", "code", "status_code", "error_code")
_DIGITS = 3
_KINDS = {
    "invalid_request_error": 400,
    "badrequesterror": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "server_error": 500,
    "overloaded_error": 529,
}
"""The status that goes with an error's code or type, where it names none."""
_FILTERS = frozenset({"contentfilter", "contentpolicyviolation", "datainspectionfailed"})

_TITLE = re.compile(r"<title[^<>]{0,200}>([^<]{1,200})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reported:
    """What can be told of an error."""

    said: str
    """In the endpoint's own words."""
    code: str = ""
    """Its name among programs, as ``insufficient_quota``."""
    status: int = 0
    """Of HTTP, as if it had been refused under that; 0 where nothing tells."""
    kind: str = ""
    """Its ``type``: of some errors that alone is the name among programs."""

    @property
    def is_filter(self) -> bool:
        """Whether what was said is not allowed, by the prompt or by the model."""
        return self.code.replace("_", "") in _FILTERS

    @property
    def body(self) -> str:
        """It as the body of a refusal."""
        return json.dumps({"message": self.said, "code": self.code, "type": self.kind})


def reported(error: object) -> Reported:
    """Return what can be told of an error as an endpoint sends it."""
    if not isinstance(error, Mapping):
        return Reported(worded(error))
    code, kind = (_word(error, name) for name in ("code", "type"))
    status = _status(error) or _KINDS.get(code) or _KINDS.get(kind, 0)
    return Reported(_words(error), code, status, kind)


def title_of(page: str) -> str:
    """Return the title of a web page; empty where it has none."""
    found = _TITLE.search(page)
    return html.unescape(found[1]).strip() if found else ""


def worded(value: object) -> str:
    """Return what an endpoint has sent as words: itself where it is a text."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except RecursionError:  # what could just be read is too deep to be written
        return ""


def _words(error: Mapping[object, object]) -> str:
    """Return the words of an error; of a router's, those of the endpoint behind it too."""
    names = ("message", "error", "detail", "msg")
    said = next((error[name] for name in names if error.get(name)), "")
    if isinstance(said, Mapping):
        said = said.get("message") or said
    words = worded(said)
    metadata = error.get("metadata")
    behind = metadata.get("raw") if isinstance(metadata, Mapping) else None
    return f"{words}: {behind}" if isinstance(behind, str) and behind else words


def _word(error: Mapping[object, object], name: str) -> str:
    found = error.get(name)
    return found.lower() if isinstance(found, str) else ""


def _status(error: Mapping[object, object]) -> int:
    for name in _STATUS_NAMES:
        named = error.get(name)
        if isinstance(named, str) and len(named) == _DIGITS and named.isdecimal():
            named = int(named)
        if type(named) is int and named in _STATUSES:
            return named
    return 0
