"""A response as OpenAI's API has it, and the events that tell how it comes about.

Pure, but for the log, which has why a task has failed.

The same events of a task make the same events here with the same numbers, whoever reads them, so
that a stream can be taken up at another replica after the number that was seen last.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from cluster.kernel.events import Event
from cluster.kernel.feed import Gap, TaskRecord
from cluster.kernel.ids import TaskId
from cluster.kernel.tasks.report import JsonObject, TaskReport
from cluster.kernel.vocabulary import Citation, Failure
from cluster.serving.annotations import file_citations
from cluster.serving.completion import told_of, usage_of
from cluster.serving.content import AnswerText, Piece, ReasoningText
from cluster.serving.failure_log import FailureLog
from cluster.serving.problems import SERVERS, Problem

_STATUS: Final[Mapping[str, str]] = {
    "running": "in_progress",
    "answered": "completed",
    "clarify": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}
"""What a task's status is called there."""
GONE: Final = "what was streamed is kept no longer: retrieve the response without its stream"


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """What a response says of its request."""

    task: TaskId
    """It is the response's id too."""
    model: str
    created: int
    """Unix seconds."""
    is_background: bool = False
    instructions: str | None = None
    previous: str | None = None
    """The response that it continues."""

    def to_json(
        self,
        status: str,
        output: Iterable[JsonObject] = (),
        error: JsonObject | None = None,
        report: JsonObject | None = None,
    ) -> JsonObject:
        """Return the response in a state."""
        return {
            "id": self.task,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": self.is_background,
            "model": self.model,
            "instructions": self.instructions,
            "previous_response_id": self.previous,
            "output": list(output),
            "error": error,
            "incomplete_details": None,
            "metadata": {},
            "parallel_tool_calls": False,
            "tool_choice": "none",
            "tools": [],
            "usage": None if report is None else _usage(report),
            "fleetmind": {"task": self.task} if report is None else told_of(report),
        }


class ResponseStory:
    """Folds the events of a task into those of a response; numbers begin at 0."""

    def __init__(self, head: ResponseHead, failures: FailureLog) -> None:
        self._head = head
        self._failures = failures
        self._text = AnswerText()
        self._report = TaskReport(head.task)
        self.events_made = 0
        """Of the response: the number of the next one."""
        self._output: list[JsonObject] = []  # the items that are whole
        self._open: _Item | None = None
        self.has_ended = False
        self.has_gap = False
        """Whether it has ended because what follows is kept no longer: no number counts then."""
        self.problem: Problem | None = None
        """Why there is no answer, as a client is told it, once that is known."""
        self.told: JsonObject | None = None
        """The FIXED object, where the events alone don't say what was used."""

    @property
    def task(self) -> TaskId:
        """Return whose events it takes."""
        return self._head.task

    def events(self, event: Event, term: int = 0) -> Iterator[JsonObject]:
        """Take the next event of the task, its term where it is of a feed; yield what it makes.

        What is kept no longer leaves a gap that can't be numbered: then an error is the last.
        """
        if isinstance(event.detail, Gap):
            yield from self._break_off()
            return
        if not self.events_made:
            begun = self._head.to_json("in_progress")
            yield self._event("response.created", response=begun)
            yield self._event("response.in_progress", response=begun)
        self._report.observe(event)
        for piece in self._text.observe(event, term):
            yield from self._say(piece)
        if event.is_terminal:
            yield from self._end()

    def to_json(self) -> JsonObject:
        """Return the response as it is."""
        if not self.has_ended:
            return self._head.to_json("in_progress", self._output)
        error = None if self.problem is None else _error(self.problem)
        return self._head.to_json(
            self._status, self._output, error, self.told or self._report.to_json()
        )

    @property
    def _status(self) -> str:
        if self.problem is None:
            return "completed"
        return "cancelled" if self._report.status == "cancelled" else "failed"

    def _say(self, piece: Piece) -> Iterator[JsonObject]:
        if self._open is not None and self._open.is_content != piece.is_content:
            yield from self._close("completed")
        if self._open is None:
            self._open = _Item(self._head.task, len(self._output), is_content=piece.is_content)
            for kind, fields in self._open.beginning():
                yield self._event(kind, **fields)
        self._open.texts.append(piece.text)
        kind, fields = self._open.delta(piece.text)
        yield self._event(kind, **fields)

    def _close(self, status: str) -> Iterator[JsonObject]:
        item, self._open = self._open, None
        if item is None:
            return
        answer = self._report.answer
        annotations = file_citations(answer.text, answer.citations) if answer else []
        for kind, fields in item.ending(annotations, status):
            yield self._event(kind, **fields)
        self._output.append(item.to_json(annotations, status))

    def _end(self) -> Iterator[JsonObject]:
        self.has_ended = True
        failure = self._text.failure
        if failure is not None:
            self.problem = self._failures.problem_of(self.task, failure)
        is_failed = self.problem is not None
        yield from self._close("incomplete" if is_failed else "completed")
        kind = "response.failed" if is_failed else "response.completed"
        yield self._event(kind, response=self.to_json())
        if self.problem is not None and self._status == "failed":
            # Clients raise on an event that has `error`, and show the one above.
            yield self._event("error", **self.problem.to_json())

    def _break_off(self) -> Iterator[JsonObject]:
        self.has_ended = self.has_gap = True
        error = Problem(410, GONE, kind="server_error", code="gap")
        yield self._event("error", **error.to_json())

    def _event(self, kind: str, **fields: object) -> JsonObject:
        number, self.events_made = self.events_made, self.events_made + 1
        return {"type": kind, "sequence_number": number, **fields}


_Told = Iterator[tuple[str, JsonObject]]


@dataclass(slots=True)
class _Item:
    """An item of the output while it is written: a message, or reasoning as its summary."""

    task: TaskId
    index: int
    is_content: bool
    texts: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"{'msg' if self.is_content else 'rs'}_{self.task}_{self.index}"

    @property
    def _place(self) -> JsonObject:
        part = "content_index" if self.is_content else "summary_index"
        return {"item_id": self.id, "output_index": self.index, part: 0}

    def to_json(self, annotations: list[JsonObject], status: str) -> JsonObject:
        parts = [self._part("".join(self.texts), annotations)] if self.texts else []
        if self.is_content:
            kind = {"type": "message", "role": "assistant", "content": parts}
        else:
            kind = {"type": "reasoning", "summary": parts}
        return {"id": self.id, "status": status, **kind}

    def beginning(self) -> _Told:
        item = self.to_json([], "in_progress")
        yield "response.output_item.added", {"output_index": self.index, "item": item}
        yield f"{self._of_part}.added", {**self._place, "part": self._part("", [])}

    def delta(self, text: str) -> tuple[str, JsonObject]:
        return f"{self._of_text}.delta", {**self._place, "delta": text, **self._logprobs}

    def ending(self, annotations: list[JsonObject], status: str) -> _Told:
        text = "".join(self.texts)
        for number, annotation in enumerate(annotations if self.is_content else ()):
            told = {**self._place, "annotation_index": number, "annotation": annotation}
            yield "response.output_text.annotation.added", told
        yield f"{self._of_text}.done", {**self._place, "text": text, **self._logprobs}
        yield f"{self._of_part}.done", {**self._place, "part": self._part(text, annotations)}
        item = self.to_json(annotations, status)
        yield "response.output_item.done", {"output_index": self.index, "item": item}

    def _part(self, text: str, annotations: list[JsonObject]) -> JsonObject:
        if not self.is_content:
            return {"type": "summary_text", "text": text}
        return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}

    @property
    def _of_part(self) -> str:
        return "response.content_part" if self.is_content else "response.reasoning_summary_part"

    @property
    def _of_text(self) -> str:
        return "response.output_text" if self.is_content else "response.reasoning_summary_text"

    @property
    def _logprobs(self) -> JsonObject:
        return {"logprobs": []} if self.is_content else {}


def response_of(record: TaskRecord, model: str, failures: FailureLog) -> JsonObject:
    """Return the response that a task's record tells of."""
    summary = record.summary
    task = TaskId(summary.task)
    head = ResponseHead(task, model, int(summary.submitted_wall_s), summary.is_detached)
    status = _STATUS[summary.status]
    if not record.report_json:
        return head.to_json(status)
    report = json.loads(record.report_json)
    failure = report["error"]
    error = None
    if status == "failed":
        why = Failure(failure["kind"], failure["message"])
        error = _error(failures.problem_of(task, why))
    output = _output_of(record, report, task) if status == "completed" else []
    return head.to_json(status, output, error, report)


def answer_in(report: Mapping[str, object]) -> str:
    """Return what the FIXED object has for the user: the answer, or the question to them."""
    failure = report["error"]
    if report["status"] == "clarify" and isinstance(failure, Mapping):
        return str(failure["message"])
    return str(report["answer"])


def _output_of(record: TaskRecord, report: Mapping[str, Any], task: TaskId) -> list[JsonObject]:
    output = []
    reasoning = ReasoningText()
    thoughts = "".join(reasoning.whole(each) for each in record.thoughts)
    if thoughts:
        output.append(_Item(task, 0, is_content=False, texts=[thoughts]).to_json([], "completed"))
    text = answer_in(report)
    citations = [Citation(**each) for each in report["citations"]]
    message = _Item(task, len(output), is_content=True, texts=[text])
    return [*output, message.to_json(file_citations(text, citations), "completed")]


def _error(problem: Problem) -> JsonObject:
    """Return OpenAI's object, of which ``code`` is one of its own."""
    code = "rate_limit_exceeded" if problem.status == HTTPStatus.TOO_MANY_REQUESTS else SERVERS
    return {"code": code, "message": problem.message}


def _usage(report: Mapping[str, object]) -> JsonObject:
    used = usage_of(report)
    return {
        "input_tokens": used.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": used.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": used.total_tokens,
    }
