"""What goes wrong with a model endpoint, as one sentence for a person and a word on trying again.

Used by its neighbours; `agents.models.endpoint.openai_compatible` owns the retries. What an
endpoint says about an error is quoted short, on one line, and never with the API key in it.
"""

from __future__ import annotations

import email.utils
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from agents.models.endpoint.reported import reported, title_of
from agents.models.endpoint.too_long import TooLong, is_too_long, too_long
from agents.models.endpoint.unreached import (
    CHECK_URL,
    LOOK_AT_LOG,
    OF_THE_PROXY,
    Unreached,
    not_let_through,
    unreached,
)

BODY_BYTES_MAX = 64 << 20
"""More than any answer: 100,000 tokens as events of 250 bytes are 25 MB."""
EVENT_BYTES_MAX = 4 << 20
"""Of what is read as one JSON: 64 MB of empty objects are 1.7 GB in memory, and take 1.4 s."""
_QUOTE_MAX = 300
_DATA_QUOTE_MAX = 60
"""Of what is no sentence."""
_BAD_CONTENT = (400, 422)
_FORBIDDEN = 403
_KEY_REFUSED = (401, _FORBIDDEN)
_NOT_FOUND = 404
_NO_SUCH_METHOD = 405
_REDIRECTS = range(300, 400)
_TOO_MANY = 429
_NOT_PAID = 402
_BUSY = (_TOO_MANY, 498, 503, 529)
"""The endpoint works and has no room, or isn't ready yet: 498 is what Groq's says of that, 529
Anthropic's."""
_TRY_AGAIN = (408, 409, 425, _TOO_MANY)
_SERVER_ERRORS = 500
OF_ALL_REQUESTS = frozenset({401, OF_THE_PROXY, *_REDIRECTS})
"""What has nothing to do with what was asked for."""
_HIDDEN_LENGTH_MIN = 4
"""Of a secret that is looked for in an endpoint's words: a shorter one is part of many."""

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
        is_busy: bool = False,
        is_withdrawal: bool = False,
        is_askers_fault: bool = False,
        length: TooLong | None = None,
    ) -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy
        self.is_retryable = is_retryable
        self.is_busy = is_busy
        """The endpoint works, and has no room or isn't ready: it is worth waiting for."""
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
        return self.status in _BAD_CONTENT and not is_too_long(self.body)

    @property
    def is_redirect(self) -> bool:
        """Whether the endpoint says that it is elsewhere."""
        return self.status in _REDIRECTS

    @property
    def is_about_access(self) -> bool:
        """Whether this endpoint would take no chat, whatever is in it, at least for now."""
        known = (*_KEY_REFUSED, _NOT_PAID, _NOT_FOUND, _NO_SUCH_METHOD, *_BUSY)
        return self.status in known

    @property
    def is_object(self) -> bool:
        """Whether the body is an error as an API has it; a firewall has a page, or a few words."""
        try:
            return isinstance(json.loads(self.text), dict | list)
        except MALFORMED:
            return False

    @property
    def words(self) -> str:
        """What the endpoint says, without the request that some quote in full."""
        try:
            body = json.loads(self.text)
        except (ValueError, RecursionError):
            return self.text
        found = body.get("detail") if isinstance(body, dict) else None
        if not isinstance(found, list):
            return self.text
        said = [(each.get("loc"), each.get("msg")) for each in found if isinstance(each, dict)]
        return str(said)

    @property
    def body(self) -> object:
        """What the endpoint says of the error, as the JSON that it mostly is."""
        try:
            body = json.loads(self.text)
        except (ValueError, RecursionError):
            return self.text
        if isinstance(body, list) and len(body) == 1:  # as Gemini's
            [body] = body
        return body.get("error", body) if isinstance(body, dict) else body


MALFORMED = (ValueError, RecursionError)
"""What a body comes to that is no JSON, or nested without end."""

FAILURES = (Trouble, Refused, aiohttp.ClientError, *MALFORMED)
"""What an attempt may raise."""

OF_THE_LIST = (Trouble, Refused, aiohttp.ClientPayloadError, *MALFORMED)
"""What a list of models may come to where a chat may be answered: all but no connection."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Whom the sentences are about."""

    base_url: str
    model: str
    api_key: str
    hidden: tuple[str, ...] = ()
    """What else is a secret: what the headers hold that the settings have for it."""
    proxy: str = ""
    """What it is asked through, as it may be printed; empty where it is asked directly."""

    def __str__(self) -> str:
        parts = urlsplit(self.base_url)
        host = parts.netloc.rpartition("@")[2]
        return f"the model endpoint {parts.scheme}://{host}{parts.path.rstrip('/')}"

    def quote(self, text: object) -> str:
        """Return what the endpoint said, fit to be printed; of a web page the title."""
        words = " ".join(str(text or "").split())
        words = title_of(words) if words.startswith("<") else words
        for secret in (self.api_key, *self.hidden):
            if len(secret) >= _HIDDEN_LENGTH_MIN:
                words = words.replace(secret, "[key]")
        printable = "".join(char if char.isprintable() else "?" for char in words)
        return printable[:_QUOTE_MAX].rstrip(". ")

    def trouble(self, error: BaseException) -> Trouble:
        """Return what one of the `FAILURES` means."""
        if isinstance(error, Trouble):
            return error
        if isinstance(error, Refused):
            return self._refused(error)
        if isinstance(error, aiohttp.InvalidURL):
            return Trouble(f"{self} has a URL that can't be asked", CHECK_URL)
        if isinstance(error, aiohttp.ClientHttpProxyError):
            return self._unreached(not_let_through(error.status, str(self), self.proxy))
        if isinstance(error, aiohttp.ClientError):
            return self._unreached(unreached(error, str(self), self.proxy))
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
        return Trouble(what, LOOK_AT_LOG, is_retryable=True)

    def unreadable(self, said: str, *, was_speaking: bool) -> Trouble:
        """Return the trouble of what is no JSON; where chunks came before, it was damaged."""
        words = self.quote(said)[:_DATA_QUOTE_MAX]
        if was_speaking:
            what = f"{self} sent a chunk that can't be read ({words})"
            return Trouble(what, LOOK_AT_LOG, is_retryable=True)
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
            return Trouble(what, LOOK_AT_LOG, is_retryable=True)
        words = self.quote(said)
        quoted = f" ({words})" if words else ""
        if "event-stream" not in content_type:
            kind = self.quote(content_type.partition(";")[0]) or "an unnamed type"
            return Trouble(f"{self} sent {kind} instead of an event stream{quoted}", _NOT_THE_API)
        what = f"{self} ended its stream without an answer{quoted}"
        return Trouble(what, LOOK_AT_LOG, is_retryable=True)

    def gave_up(self, reason: str) -> Trouble:
        """Return the trouble of a finish reason that says that the endpoint itself stopped."""
        what = f"{self} broke its answer off (finish reason {self.quote(reason)!r})"
        return Trouble(what, LOOK_AT_LOG, is_retryable=True)

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
        return Trouble(what, LOOK_AT_LOG)

    def without_list(self) -> Trouble:
        """Return the trouble of an endpoint that answers something else than its models."""
        return Trouble(f"{self} sent what is no list of models", _NOT_THE_API)

    def without_models(self, others: int = 0) -> Trouble:
        """Return the trouble of an endpoint that has no model to choose, but others that many."""
        what = f"none of its {others} models answers a chat" if others else "lists no model"
        return Trouble(
            f"of {self} {what}" if others else f"{self} {what}",
            "load one there, or name one as in openai:NAME",
        )

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

    def _unreached(self, found: Unreached) -> Trouble:
        return Trouble(found.what, found.remedy, is_retryable=found.is_retryable)

    def _refused(self, error: Refused) -> Trouble:
        said = self.quote(_message(error.body))
        answer = f"({error.status}: {said})" if said else f"({error.status})"
        return self._refused_whoever_asks(error, answer) or self._refused_request(error, answer)

    def _refused_whoever_asks(self, error: Refused, answer: str) -> Trouble | None:
        """Return the trouble of what is asked, whatever the request says; None where it is none."""
        status = error.status
        if error.is_redirect:
            return self._redirected(error)
        if status == OF_THE_PROXY and self.proxy:
            return self._unreached(not_let_through(status, str(self), self.proxy))
        if status == _FORBIDDEN and not error.is_object:
            what = f"a firewall or a gateway before {self} refused the request {answer}"
            return Trouble(what, "see to that with whoever runs it")
        if status in _KEY_REFUSED:
            what = "refused the API key" if self.api_key or self.hidden else "wants an API key"
            return Trouble(f"{self} {what} {answer}", "set OPENAI_API_KEY to one it accepts")
        if status == _NOT_FOUND:
            unknown = f"knows no model {self.model!r}, or is" if self.model else "is"
            remedy = "check the model's name and the base URL (it often ends in /v1)"
            return Trouble(f"{self} {unknown} no such API {answer}", remedy)
        return None

    def _refused_request(self, error: Refused, answer: str) -> Trouble:
        status, body = error.status, error.body
        length = too_long(body)
        if length is not None:
            return self._too_long(answer, length)
        if _is_spent(body) or status == _NOT_PAID:
            return Trouble(f"{self} says that the quota is used up {answer}", "see to the account")
        if status in (*_TRY_AGAIN, *_BUSY) or status >= _SERVER_ERRORS:
            return self._failed(error, answer)
        if is_too_long(body) or "context" in answer.lower():
            return self._too_long(answer, None)
        return Trouble(
            f"{self} did not accept the request {answer}",
            "check the model's name",
            is_askers_fault=True,
        )

    def _failed(self, error: Refused, answer: str) -> Trouble:
        """Return the trouble of an endpoint that may do better when it is asked again."""
        what = "failed"
        if error.status in _BUSY:
            is_full = error.status == _TOO_MANY
            what = "wants fewer requests" if is_full else "is not ready yet"
        return Trouble(
            f"{self} {what} {answer}",
            "try again later",
            is_retryable=True,
            is_busy=error.status in _BUSY,
            retry_after_s=_retry_after_s(error.headers),
        )

    def _redirected(self, error: Refused) -> Trouble:
        """Return the trouble of an endpoint that is elsewhere: a request isn't sent there as it is.

        Its key would go to whoever is named there, and most clients make a question without a body
        of it.
        """
        place = self.quote(_shown(error.headers.get("location", ""))) or "it doesn't say where"
        return Trouble(
            f"{self} answers that it is elsewhere ({error.status}: {place})",
            "set the base URL to where the API is",
        )

    def _too_long(self, answer: str, length: TooLong | None) -> Trouble:
        return Trouble(
            f"{self} has too small a context for the prompt {answer}",
            "ask for less at once, or use a model with a larger context",
            is_askers_fault=True,
            length=length,
        )


def _shown(url: str) -> str:
    """Return a URL without what may be a secret in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _message(body: object) -> object:
    """Return the endpoint's own words, wherever in the body they stand."""
    if isinstance(body, Mapping):
        return body.get("message") or body.get("error") or body.get("detail") or ""
    return body


def _is_spent(body: object) -> bool:
    """Say whether an account's quota is used up; some name that in the type and have no code."""
    names = (body.get("code"), body.get("type")) if isinstance(body, Mapping) else ()
    return "insufficient_quota" in names


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
