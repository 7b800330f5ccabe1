"""What a chat client is shown of a task: the pieces of its answer, and of how it comes about.

Pure: events in, pieces out. The pieces of content, joined, are the text of the answer to the byte;
those that came before the end are sentences that were judged, and stand in it. All other thoughts
are reasoning: one step speaks at a time, so that what several agents think at once can be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cluster.kernel.events import (
    Answered,
    Clarified,
    Event,
    Failed,
    PlanReady,
    StepFinished,
    Thought,
    WasCancelled,
)
from cluster.kernel.feed import StepThoughts
from cluster.kernel.ids import ANSWER_STEP, PLAN_STEP, AgentId, StepId
from cluster.kernel.vocabulary import Answer, Failure

TAKES_OVER_CHARS: Final = 400
"""What a step has to say before it is listened to while another speaks."""
HELD_CHARS_MAX: Final = 200_000
"""Of the thoughts that come after content; what is beyond is left out."""
ANSWER_CHANGED: Final = "answer_changed"
"""Kind of the failure of an answer that doesn't go on as what was sent of it."""


class Piece(NamedTuple):
    """What is said next."""

    text: str
    is_content: bool
    """It is of the answer; else it is how that comes about."""


class _Speaker(NamedTuple):
    step: StepId
    agent: AgentId


@dataclass(slots=True)
class ReasoningText:
    """Thoughts of several steps as one text: each begins with a heading, none is cut by the word.

    Who speaks is listened to until its step has ended, or another has more to say than
    `TAKES_OVER_CHARS`.
    """

    _speaker: _Speaker | None = None
    _last: _Speaker | None = None  # whose heading stands last
    _waiting: dict[_Speaker, list[str]] = field(default_factory=dict)

    def think(self, event: Event, text: str) -> str:
        """Take a thought; return what is to be read of it now."""
        speaker = _Speaker(event.step, event.agent)
        if self._speaker in {None, speaker}:
            self._speaker = speaker
            return self._said(speaker, text)
        said = self._waiting.setdefault(speaker, [])
        said.append(text)
        if sum(map(len, said)) < TAKES_OVER_CHARS:
            return ""
        self._speaker = speaker
        return self._said(speaker, "".join(self._waiting.pop(speaker)))

    def end_step(self, step: StepId) -> str:
        """Let the next one speak where a step has ended; return what it has to say."""
        if self._speaker is None or self._speaker.step != step:
            return ""
        self._speaker = next(iter(self._waiting), None)
        if self._speaker is None:
            return ""
        return self._said(self._speaker, "".join(self._waiting.pop(self._speaker)))

    def end(self) -> str:
        """Return what has not been said yet."""
        left, self._waiting = self._waiting, {}
        return "".join(self._said(speaker, "".join(said)) for speaker, said in left.items())

    def whole(self, thoughts: StepThoughts) -> str:
        """Return what is to be read of all that a step has thought."""
        return self._said(_Speaker(StepId(thoughts.step), AgentId(thoughts.agent)), thoughts.text)

    def _said(self, speaker: _Speaker, text: str) -> str:
        if speaker == self._last:
            return text
        gap = "\n\n" if self._last else ""
        self._last = speaker
        heading = ", ".join(filter(None, speaker[::-1]))
        return f"{gap}**{heading}**\n\n{text}"


class AnswerText:
    """Folds a task's events into pieces, until its end.

    Whoever writes the answer may begin anew, as another Manager does after the loss of the first:
    then what it repeats is not said again.
    """

    __slots__ = ("_draft", "_held", "_held_chars", "_reasoning", "_sent", "_writer", "failure")

    def __init__(self) -> None:
        self.failure: Failure | None = None
        """Why there is no answer; None before the end, and where there is one."""
        self._sent = ""
        """The content so far."""
        self._draft = ""
        """What the present writer has said of it."""
        self._writer: tuple[int, AgentId] | None = None
        self._reasoning = ReasoningText()
        self._held: list[str] = []
        self._held_chars = 0

    def observe(self, event: Event, term: int = 0) -> tuple[Piece, ...]:
        """Take the next event, with its term where it is read from a feed; return what to say.

        Thoughts that come after the first content are held until the end: clients show reasoning in
        a place of its own, and begin another one where it goes on.
        """
        match event.detail:
            case Thought(text, is_final=True) if event.step == ANSWER_STEP:
                return self._content(self._drafted(text, (term, event.agent)))
            case Thought(text):
                return self._thought(self._reasoning.think(event, text))
            case StepFinished() | PlanReady():
                step = event.step if isinstance(event.detail, StepFinished) else PLAN_STEP
                return self._thought(self._reasoning.end_step(step))
            case Answered(Answer(text)) | Clarified(text):
                return self._end(text)
            case Failed() | WasCancelled() as end:
                return self._fail(_why(end))
            case _:
                return ()

    def _drafted(self, text: str, writer: tuple[int, AgentId]) -> str:
        """Return what is new in a piece of the answer."""
        if writer != self._writer:
            self._writer, self._draft = writer, ""
        self._draft += text
        # Where the new draft is another one, the end tells: nothing is sent meanwhile.
        return self._draft[len(self._sent) :] if self._draft.startswith(self._sent) else ""

    def _content(self, text: str) -> tuple[Piece, ...]:
        self._sent += text
        return (Piece(text, is_content=True),) if text else ()

    def _thought(self, text: str) -> tuple[Piece, ...]:
        if not text:
            return ()
        if not self._sent:
            return (Piece(text, is_content=False),)
        kept = text[: HELD_CHARS_MAX - self._held_chars]
        self._held.append(kept)
        self._held_chars += len(kept)
        return ()

    def _fail(self, failure: Failure) -> tuple[Piece, ...]:
        self.failure = failure
        return ()

    def _end(self, text: str) -> tuple[Piece, ...]:
        left = self._reasoning.end()
        if not text.startswith(self._sent):
            told = "the answer does not go on as what was sent of it: ask again"
            return self._fail(Failure(ANSWER_CHANGED, told))
        if not self._sent:
            return (*self._thought(left), *self._content(text))
        held = "".join((*self._held, left))
        content = self._content(text[len(self._sent) :])
        return (*content, Piece(held, is_content=False)) if held else content


def _why(end: Failed | WasCancelled) -> Failure:
    if isinstance(end, Failed):
        return end.failure
    return Failure("cancelled", end.reason or "the task was cancelled")
