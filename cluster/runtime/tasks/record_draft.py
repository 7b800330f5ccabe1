"""The record of a task while it comes about: what its owner sees, folded into what is kept.

Pure; `cluster.runtime.tasks.feed_writer` feeds it what it sees, and first, where the task had an
owner before, what that one has written to the feed.
"""

from __future__ import annotations

import json

from cluster.kernel.events import Event, Hedged, Submitted, Thought
from cluster.kernel.feed import StepThoughts, TaskRecord, TaskSummary
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.tasks.report import TaskReport
from cluster.kernel.usage import Usage

THOUGHT_CHARS_MAX = 256_000
"""Of all thoughts of a task; what comes later isn't kept in its record."""
RUNNING = "running"
_CHARS_A_TOKEN = 4
"""Of English; other languages have fewer, so that this never counts too much."""


class RecordDraft:
    """Accumulates one task. Whatever an answer is corrected to later is in no record."""

    def __init__(self, task: TaskId) -> None:
        self.task = task
        self.is_accepted = False
        """Its submission has been seen."""
        self._report = TaskReport(task)
        self._submitted = Submitted("")
        self._thoughts: dict[tuple[StepId, AgentId, bool], bytearray] = {}
        """As UTF-8: a token as a string of its own takes three times as much."""
        self._chars = 0
        self._said_chars = 0
        """Of all thoughts, those that aren't kept too."""
        self._ended_s = 0.0

    @property
    def is_ended(self) -> bool:
        """Say whether the terminal event has been seen."""
        return self._report.is_finished

    @property
    def is_detached(self) -> bool:
        """Say whether it is a task that belongs to the cluster."""
        return self._submitted.is_detached

    @property
    def tokens(self) -> int:
        """What its model calls have used, prompt and completion together; never less than was said.

        A call that is ended with its task may not have told what it has used.
        """
        used = self._report.used.prompt_tokens + self._report.used.completion_tokens
        return max(used, self._said_chars // _CHARS_A_TOKEN)

    def observe(self, event: Event) -> None:
        """Take in the next event."""
        if not self.is_ended:
            self._ended_s = max(self._ended_s, event.at_s)
        self._report.observe(event)
        if isinstance(event.detail, Thought):
            self._think(event, event.detail)
        elif isinstance(event.detail, Submitted):
            self._submitted, self.is_accepted = event.detail, True

    def replay(self, event: Event) -> None:
        """Take in an event of an earlier owner, whose usage is told by `count`."""
        if not isinstance(event.detail, Hedged):
            self.observe(event)

    def count(self, usage: Usage) -> None:
        """Count what earlier owners have used, as the journal has it."""
        self._report.count(usage)

    def _think(self, event: Event, thought: Thought) -> None:
        """Keep a thought; what was judged stands in the answer."""
        if not thought.is_final:
            self._said_chars += len(thought.text)
        text = thought.text[: THOUGHT_CHARS_MAX - self._chars]
        if text and not thought.is_final:
            self._chars += len(text)
            key = (event.step, event.agent, thought.is_reasoning)
            self._thoughts.setdefault(key, bytearray()).extend(text.encode(errors="replace"))

    def summary(self) -> TaskSummary:
        """Return its line in the list of tasks."""
        begun_at = self._submitted.submitted_wall_s
        return TaskSummary(
            self.task,
            self._submitted.goal,
            self._report.status or RUNNING,
            self._submitted.owner,
            self._submitted.is_detached,
            begun_at,
            begun_at + self._ended_s if self.is_ended else 0.0,
        )

    def record(self) -> TaskRecord:
        """Return what is kept of it, once it has ended."""
        thoughts = tuple(
            StepThoughts(step, agent, text.decode(), is_reasoning)
            for (step, agent, is_reasoning), text in self._thoughts.items()
        )
        return TaskRecord(self.summary(), json.dumps(self._report.to_json()), thoughts)
