"""A chat completion, whole or in chunks, as OpenAI's API has it. Pure: made of a task's events.

Beside OpenAI's fields, ``reasoning_content`` has the thoughts and ``fleetmind`` what only we know:
it comes with the last chunk. A question to the user, where the goal can't be answered as it is, is
content like any other, and ``fleetmind.status`` is ``clarify`` then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from json.encoder import encode_basestring
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from cluster.kernel.events import Event
from cluster.kernel.ids import TaskId
from cluster.kernel.tasks.report import JsonObject, TaskReport
from cluster.kernel.vocabulary import Failure
from cluster.serving.annotations import url_citations
from cluster.serving.content import AnswerText, Piece
from cluster.serving.sse import one_line

_TOLD: Final = ("task", "status", "citations", "programs", "claims", "degraded", "usage", "timing")
"""What of the FIXED object goes with a completion."""
_TEXT: Final = "text"


class CompletionUsage(BaseModel):
    """Tokens of all model calls together, as their endpoints count them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CompletionMessage(BaseModel):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None
    reasoning_content: str
    annotations: list[JsonObject]


class CompletionChoice(BaseModel):
    """The only one there is."""

    index: int = 0
    message: CompletionMessage
    finish_reason: Literal["stop"] = "stop"
    logprobs: None = None


class ChatCompletion(BaseModel):
    """The answer to a chat, in one piece."""

    model_config = ConfigDict(extra="forbid")

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: CompletionUsage
    fleetmind: JsonObject


class Completion:
    """Folds the events of a task into the answer to a chat.

    Args:
        task: whose events they are.
        model: as the request names it.
        created: Unix seconds.
        has_usage: whether the last chunk is to say what was used.
    """

    def __init__(self, task: TaskId, model: str, *, created: int, has_usage: bool = False) -> None:
        self._task = task
        self._model = model
        self._created = created
        self._has_usage = has_usage
        self._text = AnswerText()
        self._report = TaskReport(task)
        self._content: list[str] = []
        self._reasoning: list[str] = []
        before, _, after = one_line(self._chunk({_TEXT: ""})).partition(f'{{"{_TEXT}":""}}')
        self._around = before, after
        """What stands around the delta of each chunk."""

    @property
    def failure(self) -> Failure | None:
        """Why there is no answer, once that is known."""
        return self._text.failure

    def observe(self, event: Event) -> None:
        """Take the next event."""
        for piece in self._observed(event):
            (self._content if piece.is_content else self._reasoning).append(piece.text)

    def chunks(self, event: Event) -> Iterator[str]:
        """Take the next event; yield the chunks it makes, as JSON.

        All but the text of a chunk is the same each time, and there may be thousands a second.
        """
        before, after = self._around
        for piece in self._observed(event):
            if piece.is_content:
                self._content.append(piece.text)
            name = "content" if piece.is_content else "reasoning_content"
            yield f'{before}{{"{name}":{encode_basestring(piece.text)}}}{after}'

    def first_chunk(self) -> JsonObject:
        """Return the chunk that says that the task was taken."""
        delta: JsonObject = {"role": "assistant", "content": ""}
        return {**self._chunk(delta), "fleetmind": {"task": self._task}}

    def last_chunks(self) -> Iterator[JsonObject]:
        """Yield what follows the answer: its citations, its end, what was used."""
        annotations = self._annotations()
        if annotations:
            yield self._chunk({"annotations": annotations})
        end = self._chunk({}, "stop")
        if not self._has_usage:
            yield {**end, "fleetmind": self._told()}
            return
        yield end
        usage = self._usage().model_dump()
        yield {**end, "choices": [], "usage": usage, "fleetmind": self._told()}

    def to_json(self) -> JsonObject:
        """Return the whole completion."""
        message = CompletionMessage(
            content="".join(self._content),
            reasoning_content="".join(self._reasoning),
            annotations=self._annotations(),
        )
        whole = ChatCompletion(
            id=self._id,
            created=self._created,
            model=self._model,
            choices=[CompletionChoice(message=message)],
            usage=self._usage(),
            fleetmind=self._told(),
        )
        return whole.model_dump()

    @property
    def _id(self) -> str:
        return f"chatcmpl-{self._task}"

    def _observed(self, event: Event) -> tuple[Piece, ...]:
        self._report.observe(event)
        return self._text.observe(event)

    def _chunk(self, delta: JsonObject, finish_reason: str | None = None) -> JsonObject:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            "choices": [
                {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
            ],
        }

    def _annotations(self) -> list[JsonObject]:
        answer = self._report.answer
        return [] if answer is None else url_citations(answer.text, answer.citations)

    def _usage(self) -> CompletionUsage:
        return usage_of(self._report.to_json())

    def _told(self) -> JsonObject:
        return told_of(self._report.to_json())


def told_of(report: Mapping[str, object]) -> JsonObject:
    """Return what of the FIXED object goes with an answer, as ``fleetmind``."""
    return {name: report[name] for name in _TOLD if name in report}


def usage_of(report: Mapping[str, object]) -> CompletionUsage:
    """Return the tokens that the FIXED object says were used."""
    used = report.get("usage")
    assert isinstance(used, Mapping)
    prompt, completion = used["prompt_tokens"], used["completion_tokens"]
    return CompletionUsage(
        prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion
    )
