"""The FIXED object of ``--json`` as the published OpenAPI describes it.

Used by `cluster.serving.tasks`. What is sent is what the record has, as text: nothing here is ever
filled in. A later version may have more fields.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class ResultCitation(BaseModel):
    """A verbatim quote of a source, and the lines it is in, from 1."""

    source: str
    start_line: int
    end_line: int
    quote: str
    page: int | None = Field(None, description="Of sources that have pages; there alone.")


class ResultProgram(BaseModel):
    """A program that a step wrote, and how its run ended."""

    step: str
    language: str
    source: str
    exit_code: int | None = Field(description="Null where it was not run.")
    stdout: str
    stderr: str


class ResultStep(BaseModel):
    """A step of the plan; the times and what follows are in `steps` alone."""

    id: str
    agent: str
    instruction: str
    needs: list[str]
    started_s: float | None = Field(None, description="Seconds since submission.")
    finished_s: float | None = None
    outcome: str | None = None
    attempts: int | None = None
    speculated: bool | None = None
    fallback: bool | None = None


class ResultPlan(BaseModel):
    """What was to be done."""

    steps: list[ResultStep]


class ResultClaim(BaseModel):
    """A sentence of the answer, and what backs it, as indexes of the result's lists."""

    text: str
    support: Literal["quoted", "paraphrased", "unverified"]
    citations: list[int]
    programs: list[int]


class ResultFailure(BaseModel):
    """Why a task has no answer."""

    kind: str
    message: str


class TaskResult(BaseModel):
    """What has become of a task; the same object that `fleetmind run --json` prints."""

    task: str
    status: Literal["answered", "clarify", "failed", "cancelled"]
    answer: str
    citations: list[ResultCitation]
    programs: list[ResultProgram]
    plan: ResultPlan
    steps: list[ResultStep]
    degraded: list[str] = Field(description="What was replaced by something plainer.")
    claims: list[ResultClaim]
    knowledge: dict[str, object]
    usage: dict[str, float]
    timing: dict[str, float | None] = Field(description="Seconds.")
    error: ResultFailure | None
