"""What every agent is: a model, tools, and a method for each type of message it handles.

Subclassed by `agents.manager`, `agents.researcher`, `agents.coder` and by users. The runtime sees
only `Agent.handle`; it runs in the agent's own process and passes a `Turn` with every message.
"""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, is_dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from agents.deciding import decided, deciding_methods
from agents.declared import DeclaredReads
from agents.evidence.strictness import SupportMode
from agents.models.call import Thinking
from agents.models.port import Asker, Commitment, Message, Model, Request
from agents.models.reply import Author, IsEnough
from agents.models.tails import Tails
from agents.subscribing import subscribing_methods, woken
from agents.tools.ports import Knowledge, Sandbox
from cluster.kernel.decisions import ConflictRequest
from cluster.kernel.errors import DeadlinePassed, UsageError
from cluster.kernel.ids import role_of
from cluster.kernel.routing import Effort
from cluster.kernel.sections import ModelTier
from cluster.kernel.tail.endpoint_speed import EndpointSpeed
from cluster.kernel.time_shares import CALL_SHARE
from cluster.kernel.topic_news import TopicNews
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Assignment, ComposeRequest, PlanRequest, VerifyRequest

if TYPE_CHECKING:  # only the Manager has any
    from agents.routes import Routes

ATTEMPTS_MAX = 3
PASSAGES_MAX = 14

AgentT = TypeVar("AgentT")
MessageT = TypeVar("MessageT")
ReplyT = TypeVar("ReplyT")
_MARK = "__fleetmind_handles__"
_READS = "__fleetmind_reads__"
_PURE = "__fleetmind_pure__"
# A handler may think in tasks of its own: they inherit it, and turns run in tasks of their own.
_PRIORITY: ContextVar[float] = ContextVar("fleetmind_priority", default=0.0)
"""Of the model calls of the turn that runs."""
_TIER: ContextVar[ModelTier] = ContextVar("fleetmind_tier", default="deep")
"""What kind of model the turn that runs is worth."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What an agent works with; made by `agents.factory`, in tests by hand."""

    model: Model
    knowledge: Knowledge
    sandbox: Sandbox
    attempts_max: int = ATTEMPTS_MAX
    """How often the model may write or repair one program."""
    run_timeout_s: float = 10.0
    """What one run of a program may take."""
    cuts_loops: bool = False
    """Whether the model is one that falls into repeating itself: it is stopped then."""
    support: SupportMode = SupportMode.MARKED
    """What a sentence needs to be shown, whoever writes it."""
    is_embedded: bool = False
    """Whether the model of the settings is one of the catalogue; an `Author` says who answered."""
    returns_early: bool = True
    """Whether a text is used as soon as it is whole, before its stream has ended."""
    judges_early: bool = True
    """Whether the sentences of an answer are judged while the model writes it."""
    passages_max: int = PASSAGES_MAX
    """How many passages a question is answered from."""
    passage_chars_max: int | None = None
    """How much of the documents the model is shown at once; all that was found without it."""
    tokens_max: int | None = None
    """Where the model is to stop at the latest, whatever an agent asks for."""
    temperature: float | None = None
    """How freely the model chooses its words; the endpoint's own where it is None."""

    @property
    def is_strict(self) -> bool:
        """Whether a sentence of the settings' model has to stand in a source to be shown."""
        return self.support.is_strict(is_embedded=self.is_embedded)

    def author(self) -> Author:
        """Return who will probably write a reply; `Agent.think` says in it who has."""
        return Author(is_embedded=self.is_embedded)


def handles(
    message_type: type[MessageT], *, reads: Iterable[object] | None = None, pure: bool = False
) -> Callable[
    [Callable[[AgentT, MessageT, Turn], Coroutine[Any, Any, ReplyT]]],
    Callable[[AgentT, MessageT, Turn], Coroutine[Any, Any, ReplyT]],
]:
    """Mark a method ``async def m(self, message, turn)`` as the one that answers a message type.

    Args:
        message_type: a dataclass, a pydantic model or a protobuf class.
        reads: fields of shared state (``Board.facts``), ``knowledge`` and ``results``: a step is
            done again where one of these has changed before its result has arrived, and nothing
            else that it has read. Without it all counts that it has read and not written itself.
        pure: it changes nothing elsewhere, and to edit or publish is an error in it: a step that
            takes long may be given to a second replica too, and the first result counts.

    Raises:
        UsageError: it is no such type, the method has another form, or it can't read such a thing.
    """
    declared = None if reads is None else DeclaredReads.of(reads)
    if not _is_message_type(message_type):
        name = getattr(message_type, "__name__", repr(message_type))
        raise UsageError(
            f"@handles({name}) needs a message type: a pydantic model, a protobuf class or a "
            "dataclass"
        )

    def mark(
        method: Callable[[AgentT, MessageT, Turn], Coroutine[Any, Any, ReplyT]],
    ) -> Callable[[AgentT, MessageT, Turn], Coroutine[Any, Any, ReplyT]]:
        _check_method(message_type, method)
        setattr(method, _MARK, message_type)
        setattr(method, _READS, declared)
        setattr(method, _PURE, pure)
        return method

    return mark


def _is_message_type(candidate: object) -> bool:
    return inspect.isclass(candidate) and (
        is_dataclass(candidate)
        or hasattr(candidate, "model_validate")
        or hasattr(candidate, "SerializeToString")
    )


def _check_method(message_type: type, method: Callable[..., object]) -> None:
    name = getattr(method, "__qualname__", repr(method))
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if inspect.iscoroutinefunction(method):
        parameters = inspect.signature(method).parameters.values()
        if [parameter.kind in positional for parameter in parameters] == [True] * 3:
            return
    raise UsageError(
        f"{name} is marked with @handles({message_type.__name__}), so it has to be "
        "`async def` and take (self, message, turn)"
    )


class Agent:
    """Base class of agents: finds the method for a message, and thinks with the model.

    A subclass sets ``purpose``, one sentence on what it is for: the Manager plans with it. One
    instance handles many tasks, their turns interleaved; what belongs to one task stays in its
    turn.
    """

    purpose: ClassVar[str] = ""
    _methods: ClassVar[Mapping[type, str]] = MappingProxyType({})
    _deciding: ClassVar[Mapping[str, str]] = MappingProxyType({})
    _subscribing: ClassVar[Mapping[str, str]] = MappingProxyType({})

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._tails = Tails()
        self.endpoint_speeds: Mapping[str, EndpointSpeed] = {}
        """What is known of the endpoints behind the model; grows with each call."""
        self.routes: Routes | None = None
        """Where easy goals go, of the agent that plans; None where all go to the team."""
        self.has_hidden_thoughts = False
        """Whether a reply of its model has begun as a thought whose beginning nothing told."""
        self.has_plain_replies = False
        """Whether a whole one has shown that none does: that is a matter of the template."""

    def __init_subclass__(cls, **keywords: object) -> None:
        """Read the table of handled types; raises UsageError where two methods want the same."""
        super().__init_subclass__(**keywords)
        own: dict[type, str] = {}
        for name, method in vars(cls).items():
            message_type = getattr(method, _MARK, None)
            if message_type is None:
                continue
            if message_type in own:
                raise UsageError(
                    f"{cls.__name__} has two methods for {message_type.__name__}: "
                    f"{own[message_type]} and {name}"
                )
            own[message_type] = name
        cls._methods = MappingProxyType({**cls._methods, **own})
        cls._deciding = MappingProxyType({**cls._deciding, **deciding_methods(cls)})
        cls._subscribing = MappingProxyType({**cls._subscribing, **subscribing_methods(cls)})

    @classmethod
    def handlers(cls) -> Mapping[type, str]:
        """Return the handled message types, each with the name of its method."""
        return cls._methods

    @classmethod
    def pure(cls) -> tuple[str, ...]:
        """Return the names of the handled types whose methods change nothing elsewhere."""
        methods = ((each.__name__, getattr(cls, name)) for each, name in cls._methods.items())
        return tuple(name for name, method in methods if getattr(method, _PURE, False))

    @classmethod
    def decides(cls) -> tuple[str, ...]:
        """Return the fields of shared state whose conflicts it decides, as ``Board.verdict``."""
        return tuple(cls._deciding)

    @classmethod
    def subscribes(cls) -> tuple[str, ...]:
        """Return the topics that wake it."""
        return tuple(cls._subscribing)

    async def handle(self, message: object, turn: Turn) -> object:
        """Answer a message with the method for its type.

        An assignment goes to the method for the type of one of its results, the newest first, and
        to that for `Assignment` where there is none; a conflict of shared state to the method that
        decides its field, news of a topic to the one that subscribes to it.

        What is left of a model's stream when its text is whole is read beside the turn, and ends
        with it.

        Raises:
            UsageError: no method handles it.
            ModelError: an endpoint has taken back what the turn has used.
        """
        before = _PRIORITY.set(priority_of(message))
        before_tier = _TIER.set(tier_of(message))
        try:
            async with self._tails.during(turn):
                return await self._handled(message, turn)
        finally:
            _PRIORITY.reset(before)
            _TIER.reset(before_tier)

    async def _handled(self, message: object, turn: Turn) -> object:
        if isinstance(message, ConflictRequest):
            deciding = self._deciding.get(f"{message.state}.{message.field}")
            if deciding is not None:
                return await decided(getattr(self, deciding), message, turn)
        if isinstance(message, TopicNews) and message.topic in self._subscribing:
            return await woken(getattr(self, self._subscribing[message.topic]), message, turn)
        chosen = self._chosen(message)
        name = self._methods.get(type(chosen))
        if name is None:
            handled = ", ".join(each.__name__ for each in self._methods) or "nothing"
            raise UsageError(
                f"{type(self).__name__} handles {handled}, and was sent {type(message).__name__}"
                + _results(message)
            )
        method = cast("Callable[[object, Turn], Awaitable[object]]", getattr(self, name))
        declared: DeclaredReads | None = getattr(method, _READS, None)
        if declared is not None:
            declared.narrow(turn.reads)
        if getattr(method, _PURE, False) or (isinstance(message, Assignment) and message.is_pure):
            turn.only_reads(f"{type(self).__name__}.{name}")
        return await method(chosen, turn)

    def _chosen(self, message: object) -> object:
        if isinstance(message, Assignment):
            for result in reversed(message.results):
                if type(result.value) in self._methods:
                    return result.value
        return message

    async def think(
        self,
        turn: Turn,
        system: str,
        user: str | Message,
        *,
        wants_json: bool = False,
        json_schema: Mapping[str, object] | None = None,
        tokens_max: int | None = None,
        prediction: str | None = None,
        is_enough: IsEnough | None = None,
        commitment: Commitment | None = None,
        author: Author | None = None,
    ) -> str:
        """Ask the model and return its text; the user sees every piece of it as it comes.

        A `Spent` event follows, also where the call fails. Text that the model had to break off is
        returned up to its last whole sentence, and the answer says so: unless ``is_enough`` is told
        by its ``run_out``, which gets all of the text and sees to it.

        Args:
            turn: the turn that thinks: it gives the deadline, and says who asks.
            system: the system prompt; nothing that was retrieved belongs here.
            user: the user prompt; as a message where parts of it may be left out.
            wants_json: ask for one JSON object.
            json_schema: what the object is like; a local model can write nothing else.
            tokens_max: where the model is to stop at the latest.
            prediction: what most of the text will be, where that is known.
            is_enough: given each piece of text, says when the rest isn't needed; what it raises
                ends the call. Reasoning is not given to it; where text turns out to have been
                reasoning, its ``reset`` is called, if it has one.
            commitment: made once something of the text is in use; then no other attempt begins.
            author: told who writes, before ``is_enough`` is given what was written.

        Raises:
            ModelError: the endpoint failed, or its stream broke.
            DeadlinePassed: the turn's time was up.
        """
        timeout_s = turn.remaining_s() * CALL_SHARE
        if timeout_s <= 0:
            raise DeadlinePassed(f"no time was left for the model in step {turn.step!r}")
        asked = user if isinstance(user, Message) else Message("user", user)
        request = Request(
            messages=(Message("system", system), asked),
            asker=Asker(turn.task, role_of(turn.agent), turn.step, turn.traceparent),
            timeout_s=timeout_s,
            tokens_max=_least(tokens_max, self.parts.tokens_max),
            temperature=self.parts.temperature,
            wants_json=wants_json,
            json_schema=json_schema,
            prediction=prediction,
            priority=_PRIORITY.get(),
            tier=_TIER.get(),
            commitment=commitment or Commitment(),
        )
        cuts_loops = self.parts.cuts_loops
        is_plain = self.has_plain_replies and not self.has_hidden_thoughts
        thinking = Thinking(
            turn, request, is_enough, cuts_loops=cuts_loops, has_preface=is_plain, author=author
        )
        tails = self._tails.of(turn) if self.parts.returns_early else None
        try:
            return await thinking.run(self.parts.model, tails)
        finally:
            self.has_hidden_thoughts |= thinking.has_hidden_thought
            self.has_plain_replies |= thinking.has_plain_reply

    def speeds(self) -> Mapping[str, EndpointSpeed]:
        """Return what is known of the model endpoints, which its host keeps for the next day."""
        return self.endpoint_speeds

    async def warm(self) -> None:
        """Do what its first turn would have to wait for; its host calls it once it has started.

        A subclass adds what is its own. What it raises is logged: the turn does it, then.
        """
        await asyncio.to_thread(_nothing)  # the first that is asked for loads what runs threads
        await self.parts.model.warm()

    async def close(self) -> None:
        """Give the model's connections back and kill what still runs in the sandbox."""
        try:
            await self._tails.close()
            await self.parts.sandbox.close()
        finally:
            await self.parts.model.close()


def tier_of(message: object) -> ModelTier:
    """Return what kind of model a message is worth: goals of little effort never reach a large one.

    Nor does the second look at what was answered to them. What is asked beside the goal's own work,
    such as who is right, is a few tokens of any model.
    """
    asked = message.composed if isinstance(message, VerifyRequest) else message
    effort = asked.effort if isinstance(asked, Assignment | ComposeRequest) else ""
    return "fast" if effort in {Effort.INSTANT, Effort.QUICK} else "deep"


def priority_of(message: object) -> float:
    """Return how urgent the model calls for a message are, the most urgent having the most.

    Nothing of a task runs before its plan, and its user waits for the answer: both go before all
    steps, and these in the order of what hangs on them. A second look at an answer can wait.
    """
    match message:
        case Assignment():
            return message.priority
        case PlanRequest() | ComposeRequest() | ConflictRequest():
            return math.inf
        case VerifyRequest():
            return -math.inf
    return 0.0


def _nothing() -> None:
    """Be done."""


def _least(*bounds: int | None) -> int | None:
    return min((bound for bound in bounds if bound is not None), default=None)


def _results(message: object) -> str:
    if not isinstance(message, Assignment) or not message.results:
        return ""
    return " with " + ", ".join(type(result.value).__name__ for result in message.results)
