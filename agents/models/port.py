"""The port to a language model: one request in, a stream of deltas out, exactly one finish.

Adapters: `openai_compatible`, `simulated`. Policies wrap a model and are models themselves.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Protocol

from cluster.kernel.sections import ModelTier

ATTEMPTS_MAX = 3


@dataclass(frozen=True, slots=True)
class PromptPart:
    """A piece of a message, and when it is left out where the model can't take in all of it."""

    text: str
    rank: int = 0
    """With 0 it has to stay; of the others those with the highest rank go first."""
    kind: str = ""
    """What it is one of, in the words that a user is told: ``passages``."""
    may_be_cut: bool = False
    """Whether its beginning is worth having where there is no room for its end."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat; ``role`` is ``system``, ``user`` or ``assistant``."""

    role: str
    text: str
    parts: tuple[PromptPart, ...] = ()
    """What the text is put together from; without any it has to stay as it is."""

    @classmethod
    def of(cls, role: str, parts: Iterable[PromptPart]) -> Message:
        """Return the message that is put together from parts."""
        all_parts = tuple(parts)
        return cls(role, "".join(part.text for part in all_parts), all_parts)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: these become the request headers of the FIXED contract."""

    task: str = ""
    agent: str = ""
    """The role: ``manager``, ``researcher``, ``coder``, …"""
    step: str = ""
    traceparent: str = ""


class Commitment:
    """Whether something of what a call has said is in use: then it can't begin anew.

    Set by who uses it, such as the first steps of a plan that is still being written; looked at by
    policies before they say `Restarted`.
    """

    __slots__ = ("is_made",)

    def __init__(self) -> None:
        self.is_made = False

    def make(self) -> None:
        """Use what has come so far, for good."""
        self.is_made = True


class Repeats(Enum):
    """What whoever asks an endpoint does by itself where that one can't answer.

    After a failure, and while the call may make another request, it asks again; but where another
    replica is left to ask.
    """

    NEVER = "nothing: whoever called asks another replica instead"
    FAILURES = "asks again after a failure; whoever called waits where there is no room"
    BOUNDED = "asks again in both cases: another tier is left to ask"
    UNTIL_ROOM = "asks again after a failure, and without end where there is no room"


class AttemptTally:
    """How many requests a call has made, of whichever endpoints; counted by the adapters."""

    __slots__ = ("__weakref__", "made")

    def __init__(self) -> None:
        self.made = 0

    def count(self) -> None:
        """Count one more, which begins now."""
        self.made += 1

    def give_back(self) -> None:
        """Count the last one as not made: its endpoint had no room for it and did nothing."""
        self.made -= 1


@dataclass(frozen=True, slots=True)
class Request:
    """A chat completion to be streamed."""

    messages: tuple[Message, ...]
    asker: Asker = field(default_factory=Asker)
    timeout_s: float = 60.0
    """Upper bound of the whole call, retries included."""
    tokens_max: int | None = None
    wants_json: bool = False
    """Ask for one JSON object (``response_format``) where the endpoint supports it."""
    json_schema: Mapping[str, object] | None = None
    """What that object is like; a model that can be held to it (a local one) is."""
    temperature: float | None = None
    prediction: str | None = None
    """What most of the answer will be, where it is known: an endpoint may write that faster."""
    priority: float = 0.0
    """Of calls that wait for the same endpoint, the highest goes first."""
    tier: ModelTier = "deep"
    """Of several models, what kind is wanted at best; one that can't be had is not waited for."""
    commitment: Commitment = field(default_factory=Commitment, compare=False, repr=False)
    """Of this call and of all attempts at it; a request for another call has its own."""
    tally: AttemptTally = field(default_factory=AttemptTally, compare=False, repr=False)
    """Shared likewise."""
    attempts_max: int = ATTEMPTS_MAX
    """Of the requests that the tally counts. A model that is asked at all makes one, whatever was
    made before."""
    attempts_kept: int = 0
    """Of these, how many are kept for tiers that may be asked later: none of them is made in place
    of one that has failed."""
    repeats: Repeats = Repeats.UNTIL_ROOM
    """What is done where an endpoint can't answer, by whoever asks that one."""

    @property
    def may_ask_more(self) -> bool:
        """Whether one more request may be made, such as with another prompt or bound."""
        return self.tally.made < self.attempts_max

    @property
    def may_ask_anew(self) -> bool:
        """Whether one may be made in place of one that has failed."""
        return self.tally.made < self.attempts_max - self.attempts_kept

    @property
    def characters(self) -> int:
        """How long its messages are together."""
        return sum(len(message.text) for message in self.messages)


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of text; ``is_reasoning`` where it came as ``reasoning_content``."""

    text: str
    is_reasoning: bool = False
    is_embedded: bool = False
    """Whether a model of the catalogue wrote it, whichever model was to be asked first."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The last item of every whole stream: why it ended, and what it used."""

    reason: str
    """``stop`` or ``length``."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    """In the currency of the model's prices; 0 where it has none."""
    cached_tokens: int = 0
    """Of the prompt, what the endpoint says that it had read before."""
    void_tokens: int = 0
    """What the endpoint wrote before it for the same call in vain, and counts."""
    first_s: float = field(default=0.0, compare=False)
    """How long the first words took of the request that was answered, without what was tried before
    it or was waited for; 0 where the adapter doesn't measure it."""


class Deed(StrEnum):
    """What a policy may have done to a call."""

    HEDGED = "hedged"
    """A second request was sent."""
    FELL_BACK = "fell_back"
    """Another model answers."""
    CUT_SHORT = "cut_short"
    """The rest was not waited for."""
    FITTED = "fitted"
    """Parts of the prompt were left out."""
    WAITED = "waited"
    """The endpoint has no room yet, or still loads its model: it is asked again until it has."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a policy has done; it changes nothing of the text."""

    deed: Deed
    reason: str = ""
    after_s: float = 0.0
    """Since the call began."""
    wasted_tokens: int = 0
    saved_tokens: int = 0
    saved_s: float = 0.0
    hedges: int = 0
    unsent_characters: int = 0
    """Of the request's messages."""


@dataclass(frozen=True, slots=True)
class Restarted:
    """What was streamed so far is void: another attempt begins with what follows."""

    reason: str
    is_counted: bool = False
    """Whether what is void is among the ``void_tokens`` of the `Finish`."""


StreamItem = Delta | Note | Restarted | Finish


class Model(Protocol):
    """Anything that streams chat completions."""

    def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        """Yield deltas, then exactly one Finish; policies say between them what they did.

        Closing the generator early (`contextlib.aclosing`) closes the connection, so that the
        server stops generating.

        Raises:
            ModelError: the endpoint refused or failed after the adapter's retries, the time is up,
                or the stream ended without a finish reason; with `is_withdrawal` where it
                took its answer back. Never after a Finish. Text of two attempts is never
                joined: after the first delta, `Restarted` comes before a retry.
        """
        ...

    async def warm(self) -> None:
        """Do what the first request would wait for: its connection is open, its model is known.

        Raises nothing: what doesn't come about is done, and reported, with the first request. A
        policy passes it on to each model that it may ask.
        """
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...
