"""What goes wrong with a model endpoint, as one sentence for a person and a word on trying again.

Used by its neighbours; `agents.models.endpoint.openai_compatible` owns the retries. What an
endpoint says about an error is quoted short, on one line, and never with the API key in it.
"""

from __future__ import annotations

import email.utils
import json
import math
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from agents.models.endpoint.reported import reported
from agents.models.endpoint.too_long import TooLong, too_long

CONNECT_TIMEOUT_S = 10.0
BODY_BYTES_MAX = 64 << 20
"""More than any answer: 100,000 tokens as events of 250 bytes are 25 MB."""
EVENT_BYTES_MAX = 4 << 20
"""Of what is read as one JSON: 64 MB of empty objects are 1.7 GB in memory, and take 1.4 s."""
_QUOTE_MAX = 300
_DATA_QUOTE_MAX = 60
"""Of what is no sentence."""
_BAD_CONTENT = (400, 422)
_KEY_REFUSED = (401, 403)
_NOT_FOUND = 404
_TOO_MANY = 429
_TRY_AGAIN = (408, 409, 425, _TOO_MANY)
_SERVER_ERRORS = 500

_CHECK_URL = "check the base URL"
_LOOK_AT_LOG = "look at the endpoint's log if it happens again"
_NOT_THE_API = "check that the base URL is that of an OpenAI-compatible API (it often ends in /v1)"


class Trouble(Exception):
    """Why one attempt failed, what to do about it, and whether another attempt may do better."""

    def __init__(
        self,
        what: str,
        remedy: str,
        *,
        is_retryable: bool = False,
        retry_after_s: float | None = None,
        is_withdrawal: bool = False,
        is_askers_fault: bool = False,
        length: TooLong | None = None,
    ) -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy
        self.is_retryable = is_retryable
        self.is_withdrawal = is_withdrawal
        """The endpoint took back what it had said."""
        self.is_askers_fault = is_askers_fault
        """The endpoint refused the request, not the service."""
        self.length = length
        """Where the prompt was too long, by how much."""
        self.retry_after_s = retry_after_s
        """How long the endpoint asks to wait; none where it doesn't say."""


class Refused(Exception):
    """An endpoint answers a request with an error; ``text`` is the body of that."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str]) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text
        self.headers = headers

    @property
    def is_about_content(self) -> bool:
        """Whether the same messages may be accepted with other options."""
        return self.status in _BAD_CONTENT and too_long(self.body) is None

    @property
    def body(self) -> object:
        """What the endpoint says of the error, as the JSON that it mostly is."""
        try:
            body = json.loads(self.text)
        except (ValueError, RecursionError):
            return self.text
        return body.get("error", body) if isinstance(body, dict) else body


MALFORMED = (ValueError, RecursionError)
"""What a body comes to that is no JSON, or nested without end."""

FAILURES = (Trouble, Refused, aiohttp.ClientError, *MALFORMED)
"""What an attempt may raise."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Whom the sentences are about."""

    base_url: str
    model: str
    api_key: str

    def __str__(self) -> str:
        parts = urlsplit(self.base_url)
        host = parts.netloc.rpartition("@")[2]
        return f"the model endpoint {parts.scheme}://{host}{parts.path.rstrip('/')}"

    def quote(self, text: object) -> str:
        """Return what the endpoint said, fit to be printed; empty where it is a web page."""
        words = " ".join(str(text or "").split())
        if words.startswith("<"):
            return ""
        if self.api_key:
            words = words.replace(self.api_key, "[key]")
        printable = "".join(char if char.isprintable() else "?" for char in words)
        return printable[:_QUOTE_MAX].rstrip(". ")

    def trouble(self, error: BaseException) -> Trouble:
        """Return what one of the `FAILURES` means."""
        if isinstance(error, Trouble):
            return error
        if isinstance(error, Refused):
            return self._refused(error)
        if isinstance(error, aiohttp.InvalidURL):
            return Trouble(f"{self} has a URL that can't be asked", _CHECK_URL)
        if isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError):
            return self._unreachable(error)
        return Trouble(f"{self} sent what is no event stream of chat chunks", _NOT_THE_API)

    def failed_midway(self, error: object) -> Trouble:
        """Return the trouble of a stream, or of an answer under 200, that tells of an error.

        One that names a status is what it would be under that status.
        """
        found = reported(error)
        said = self.quote(found.said)
        if (length := too_long(error)) is not None:
            return self._too_long(f"({said})", length)
        if found.is_filter:
            return self.stopped_for(found.said, is_filter=True)
        if found.status:
            return self._refused(Refused(found.status, found.body, {}))
        what = f"{self} reported an error instead of going on" + (f" ({said})" if said else "")
        return Trouble(what, _LOOK_AT_LOG, is_retryable=True)

    def unreadable(self, said: str, *, was_speaking: bool) -> Trouble:
        """Return the trouble of what is no JSON; where chunks came before, it was damaged."""
        words = self.quote(said)[:_DATA_QUOTE_MAX]
        if was_speaking:
            what = f"{self} sent a chunk that can't be read ({words})"
            return Trouble(what, _LOOK_AT_LOG, is_retryable=True)
        quoted = f" ({words})" if words else ""
        return Trouble(f"{self} sent what is no event stream of chat chunks{quoted}", _NOT_THE_API)

    def too_talkative(self, bytes_max: int, of: str) -> Trouble:
        """Return the trouble of an answer, or a part of it, that is longer than any is."""
        what = f"{self} sent more than {bytes_max >> 20} MB for one {of}"
        return Trouble(what, _NOT_THE_API)

    def cut_short(self, *, was_speaking: bool, content_type: str = "", said: str = "") -> Trouble:
        """Return the trouble of a stream that ended before its answer; ``said`` is all it told."""
        if was_speaking:
            what = f"{self} cut its stream off before the end of the answer"
            return Trouble(what, _LOOK_AT_LOG, is_retryable=True)
        words = self.quote(said)
        quoted = f" ({words})" if words else ""
        if "event-stream" not in content_type:
            kind = self.quote(content_type.partition(";")[0]) or "an unnamed type"
            return Trouble(f"{self} sent {kind} instead of an event stream{quoted}", _NOT_THE_API)
        what = f"{self} ended its stream without an answer{quoted}"
        return Trouble(what, _LOOK_AT_LOG, is_retryable=True)

    def gave_up(self, reason: str) -> Trouble:
        """Return the trouble of a finish reason that says that the endpoint itself stopped."""
        what = f"{self} broke its answer off (finish reason {self.quote(reason)!r})"
        return Trouble(what, _LOOK_AT_LOG, is_retryable=True)

    def unknown_end(self, reason: str) -> str:
        """Return what is to be said of a finish reason that is none of those that are known."""
        return f"{self} ended its answer for an unknown reason ({self.quote(reason)}); it is used"

    def late(self, timeout_s: float, *, was_speaking: bool) -> Trouble:
        """Return the trouble of an endpoint that did not finish in the time there was."""
        what = "was still answering when" if was_speaking else "had not answered when"
        return Trouble(
            f"{self} {what} the {timeout_s:.3g} s for it were over",
            "allow more time, or see what keeps it busy",
        )

    def stalled(self, silent_s: float) -> Trouble:
        """Return the trouble of an endpoint that stopped in the middle and kept the connection."""
        what = f"{self} stopped in the middle of its answer and was silent for {silent_s:.3g} s"
        return Trouble(what, _LOOK_AT_LOG)

    def without_models(self) -> Trouble:
        """Return the trouble of an endpoint that has no model to choose."""
        return Trouble(f"{self} lists no model", "load one there, or name one as in openai:NAME")

    def stopped_for(self, reason: str, *, is_filter: bool = False) -> Trouble:
        """Return the trouble of a finish reason that leaves no answer."""
        if is_filter:
            named = "" if reason == "content_filter" else f" ({self.quote(reason)})"
            return Trouble(
                f"{self} stopped its answer by its content filter{named}",
                "rephrase the goal",
                is_withdrawal=True,
                is_askers_fault=True,
            )
        return Trouble(
            f"{self} ended its answer without any text (finish reason {self.quote(reason)!r})",
            "use another model",
        )

    def _unreachable(self, error: aiohttp.ClientError) -> Trouble:
        # The client's own errors are of the system's types too, without what these say.
        causes = [cause for cause in _causes(error) if not isinstance(cause, aiohttp.ClientError)]
        for cause in causes:
            if isinstance(cause, socket.gaierror):
                return Trouble(f"{self} has a host name that nobody knows", _CHECK_URL)
            if isinstance(cause, ssl.SSLError):
                said = self.quote(cause.reason or cause)
                return Trouble(f"{self} can't be trusted, its TLS failed ({said})", _CHECK_URL)
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            what = f"took no connection within {CONNECT_TIMEOUT_S:g} s"
        elif any(isinstance(cause, ConnectionRefusedError) for cause in causes):
            what = "refuses connections"
        elif isinstance(error, aiohttp.ClientConnectorError):
            what = "can't be reached"
        else:
            return Trouble(f"{self} broke the connection off", _LOOK_AT_LOG, is_retryable=True)
        return Trouble(f"{self} {what}", f"start it, or {_CHECK_URL}", is_retryable=True)

    def _refused(self, error: Refused) -> Trouble:
        status, body = error.status, error.body
        said = self.quote(_message(body))
        answer = f"({status}: {said})" if said else f"({status})"
        if status in _KEY_REFUSED:
            what = "refused the API key" if self.api_key else "wants an API key"
            return Trouble(f"{self} {what} {answer}", "set OPENAI_API_KEY to one it accepts")
        if status == _NOT_FOUND:
            return Trouble(
                f"{self} knows no model {self.model!r}, or is no such API {answer}",
                "check the model's name and the base URL",
            )
        if isinstance(body, Mapping) and body.get("code") == "insufficient_quota":
            return Trouble(f"{self} says that the quota is used up {answer}", "see to the account")
        if status in _TRY_AGAIN or status >= _SERVER_ERRORS:
            what = "wants fewer requests" if status == _TOO_MANY else "failed"
            return Trouble(
                f"{self} {what} {answer}",
                "try again later",
                is_retryable=True,
                retry_after_s=_retry_after_s(error.headers),
            )
        length = too_long(body)
        if length is not None or "context" in said.lower():
            return self._too_long(answer, length)
        return Trouble(
            f"{self} did not accept the request {answer}",
            "check the model's name",
            is_askers_fault=True,
        )

    def _too_long(self, answer: str, length: TooLong | None) -> Trouble:
        return Trouble(
            f"{self} has too small a context for the prompt {answer}",
            "ask for less at once, or use a model with a larger context",
            is_askers_fault=True,
            length=length,
        )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and everything it came from, groups opened."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop()
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__]
        if isinstance(cause, BaseExceptionGroup):
            waiting += cause.exceptions


def _message(body: object) -> object:
    """Return the endpoint's own words, wherever in the body they stand."""
    if isinstance(body, Mapping):
        return body.get("message") or body.get("error") or body.get("detail") or ""
    return body


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the wait that Retry-After names, in seconds or as a date; none where it has none."""
    text = headers.get("retry-after", "").strip()
    try:
        wait_s = float(text)
    except ValueError:
        try:
            wait_s = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, wait_s) if math.isfinite(wait_s) else None
