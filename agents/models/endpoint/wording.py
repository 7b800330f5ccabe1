"""How a request is worded for an endpoint: what it has refused isn't sent again, nor its like.

Pure: a request, and refusals of it, in; what to send next out. What has been learnt is kept for
each model of each base URL, and forgotten with the process: two models behind one URL differ in
what they take, two clients of one model don't.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from weakref import WeakSet

from agents.models.endpoint import chat
from agents.models.endpoint.too_long import answer_tokens_max
from agents.models.port import AttemptTally, Request
from cluster.kernel.sections import EngineSettings

if TYPE_CHECKING:  # it imports the client
    from agents.models.endpoint.trouble import Refused

_KNOWN_MAX = 256
"""Models of endpoints that manners are kept of: more than the settings of one process name."""
_FAILED = frozenset({500, 501})
_WORDLESS = frozenset({"", HTTPStatus.INTERNAL_SERVER_ERROR.phrase})
_LOWERINGS_MAX = 2
"""Of the bound of one request: a router's, and that of the endpoint behind it. One that names a
lower bound each time would be asked hundreds of times in one attempt."""


class Manners:
    """What is known of how an endpoint wants one of its models asked, and how it answers."""

    __slots__ = ("answer_tokens_max", "refused", "repeats_text", "unexplained")

    def __init__(self) -> None:
        self.refused: frozenset[str] = frozenset()
        """Parts of a request that it refuses; only grows."""
        self.answer_tokens_max: int | None = None
        """The largest bound of an answer that it takes, where it has refused one; only falls."""
        self.unexplained: WeakSet[AttemptTally] = WeakSet()
        """The calls that it has failed without a word of its own, each by its tally."""
        self.repeats_text = False
        """Whether each chunk of its last stream that told had all of the text so far."""


def manners_of(base_url: str, model: str) -> Manners:
    """Return what this process knows of a model, the same object for all who ask it."""
    key = base_url.rstrip("/"), model
    if key not in _known:
        while len(_known) >= _KNOWN_MAX:
            del _known[next(iter(_known))]  # the oldest: it is learnt anew with one more request
        _known[key] = Manners()
    return _known[key]


_known: dict[tuple[str, str], Manners] = {}


class Wording:
    """One request, as it is sent; changes with each refusal that says what it is about."""

    def __init__(
        self,
        request: Request,
        model: str,
        manners: Manners,
        engine: EngineSettings,
        *,
        with_schema: bool = False,
    ) -> None:
        self._request = request
        self._model = model
        self._manners = manners
        self._engine = engine
        self._with_schema = with_schema
        self._refused = manners.refused
        self._bound = manners.answer_tokens_max
        self._lowerings = 0

    def content(self) -> dict[str, object]:
        """Return the body of the request, as far as the endpoint is known to take it."""
        return {
            "model": self._model,
            "messages": chat.messages(self._request, self._refused),
            "stream": True,
            **self._engine.options,
            **self._parts(),
        }

    def reword(self, refusal: Refused) -> bool:
        """Change what a refusal is about; say whether there is anything else to send now."""
        is_broken = refusal.status in _FAILED
        if not (refusal.is_about_content or is_broken):
            return False
        if not is_broken and self._lower(answer_tokens_max(refusal.body)):
            return True
        sent = set(self._parts())
        has_system = any(message.role == "system" for message in self._request.messages)
        if has_system and chat.SYSTEM_ROLE not in self._refused:
            sent.add(chat.SYSTEM_ROLE)
        part = chat.refused_part(refusal.words, sent, is_broken=is_broken)
        if part is None and self._fails_unexplained(refusal):
            part = chat.SYSTEM_ROLE if chat.SYSTEM_ROLE in sent else None
        if part is None:
            return False
        self._refused |= {part}
        return True

    def _fails_unexplained(self, refusal: Refused) -> bool:
        """Note a failure without a word; say whether the same call has had one before.

        Some servers' own error page is all that they answer where a chat template refuses a role.
        A single one tells nothing: anything may have failed for once, and for several calls that
        are under way at once.
        """
        if refusal.status not in _FAILED or refusal.words not in _WORDLESS:
            return False
        failed, call = self._manners.unexplained, self._request.tally
        is_again = call in failed
        failed.add(call)
        return is_again

    def remember(self) -> None:
        """Keep what was changed: only where it is accepted was that at fault, and not the rest."""
        known = self._manners
        known.unexplained.discard(self._request.tally)
        known.refused |= self._refused
        if self._bound is not None:
            known.answer_tokens_max = min(self._bound, known.answer_tokens_max or self._bound)

    def _lower(self, bound: int) -> bool:
        """Take a lower bound of the answer; say whether it is one, and may be taken."""
        asked = self._request.tokens_max
        is_lower = asked is not None and 0 < bound < min(asked, self._bound or asked)
        if not is_lower or self._lowerings == _LOWERINGS_MAX:
            return False
        self._lowerings += 1
        self._bound = bound
        return True

    def _parts(self) -> dict[str, object]:
        """Return the parts beside model and messages, but for those that the settings decide.

        A temperature of the settings stays, also where the endpoint complains of it.
        """
        wanted = chat.parts(
            self._request,
            self._refused,
            answer_tokens_max=self._bound,
            with_schema=self._with_schema,
            with_prediction=self._engine.predicted_outputs,
        )
        return {name: wanted[name] for name in wanted if name not in self._engine.options}
