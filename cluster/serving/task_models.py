"""What requests of the task API look like, and their answers, as the published OpenAPI has them.

Used by `cluster.serving.tasks`. Requests are read strictly: a number is no text, and a field that
is not known is an error, so that a misspelt one is no silent default.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from cluster.kernel.feed import TaskSummary
from cluster.kernel.submission import GOAL_CHARS_MAX
from cluster.serving.webhooks import key_of_secret

MESSAGES_MAX = 1_000
NAMESPACE = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_TOKENS_MAX_MAX = 10**12
_COST_MAX_MAX = 1e9
_DEADLINE_S_MAX = 24 * 3600.0
_URL_CHARS_MAX = 2_000


class _Request(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class EarlierMessage(_Request):
    """A message of the conversation that the goal continues."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(max_length=GOAL_CHARS_MAX)]


class WebhookRequest(_Request):
    """Where the end of the task is told, as Standard Webhooks has it."""

    url: Annotated[str, Field(max_length=_URL_CHARS_MAX, pattern="^https?://")]
    secret: Annotated[
        str,
        Field(
            max_length=128,
            description="`whsec_` and 24 to 64 random bytes in base64: the key of the signature.",
            examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        ),
    ]

    @field_validator("secret")
    @classmethod
    def _has_key(cls, secret: str) -> str:
        key_of_secret(secret)
        return secret


class TaskRequest(_Request):
    """A task for the team."""

    goal: Annotated[str, Field(min_length=1, max_length=GOAL_CHARS_MAX)]
    namespace: Annotated[
        str | None,
        Field(pattern=NAMESPACE, description="Of the knowledge to answer from; see the docs."),
    ] = None
    conversation: Annotated[
        list[EarlierMessage],
        Field(max_length=MESSAGES_MAX, description="What was said before, the oldest first."),
    ] = []
    deadline_s: Annotated[
        float | None, Field(gt=0, le=_DEADLINE_S_MAX, description="Time it may take.")
    ] = None
    tokens_max: Annotated[
        int | None, Field(ge=1, le=_TOKENS_MAX_MAX, description="Of all model calls together.")
    ] = None
    cost_max: Annotated[float | None, Field(gt=0, le=_COST_MAX_MAX)] = None
    coherence: Literal["chained", "broadcast"] | None = None
    agent: Annotated[
        str | None, Field(max_length=64, description="The only role that works on it.")
    ] = None
    wait: Annotated[
        bool, Field(description="Answer with the result, when it is there, instead of at once.")
    ] = False
    on_disconnect: Annotated[
        Literal["continue", "cancel"],
        Field(description="`cancel`, with `wait`: the task ends with the connection."),
    ] = "continue"
    webhook: WebhookRequest | None = None

    @field_validator("goal")
    @classmethod
    def _says_something(cls, goal: str) -> str:
        if not goal.strip():
            raise ValueError("the goal is empty")
        return goal

    @field_validator("on_disconnect")
    @classmethod
    def _is_waited_for(cls, what: str, info: ValidationInfo) -> str:
        if what == "cancel" and not info.data.get("wait"):
            raise ValueError("'cancel' needs 'wait': true: otherwise no connection is kept")
        return what


class TaskAccepted(BaseModel):
    """The task is durable: it goes on whoever goes away. The same for every repetition of a key."""

    id: str
    object: Literal["task"] = "task"
    url: str
    events_url: str
    result_url: str

    @classmethod
    def of(cls, task: str) -> Self:
        """Return what is said of a task when it is handed in."""
        url = f"/v1/tasks/{task}"
        return cls(id=task, url=url, events_url=f"{url}/events", result_url=f"{url}/result")


class TaskView(BaseModel):
    """A task, as lists show it; instants are Unix seconds."""

    id: str
    object: Literal["task"] = "task"
    goal: str
    status: Literal["running", "answered", "clarify", "failed", "cancelled"]
    owner: str = Field(description="Name of the token; empty for users of the machine.")
    is_detached: bool
    created_at: float
    ended_at: float | None

    @classmethod
    def of(cls, summary: TaskSummary) -> Self:
        """Return how a task is shown; raises ValidationError for a status that none has."""
        return cls(
            id=summary.task,
            goal=summary.goal,
            status=summary.status,  # type: ignore[arg-type] # validated
            owner=summary.owner,
            is_detached=summary.is_detached,
            created_at=summary.submitted_wall_s,
            ended_at=summary.ended_wall_s or None,
        )


class TaskList(BaseModel):
    """A part of the tasks, the newest first."""

    object: Literal["list"] = "list"
    data: list[TaskView]
    has_more: bool = Field(description="More follow: ask again with `after` as the last one's id.")


class TaskEnd(BaseModel):
    """What `DELETE` came to."""

    id: str
    object: Literal["task.end"] = "task.end"
    status: str = Field(description="How the task has ended.")
    deleted: bool = Field(description="Its record is gone; false where it was cancelled just now.")
