"""When an edit was made and whose it is: hybrid logical clocks and the identities of edits. Pure.

A stamp is a hybrid logical clock's (Kulkarni et al., "Logical Physical Clocks", 2014): wall time
where the clocks agree, and still later than all that its author had seen where they don't.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from cluster.kernel.ids import StepId, TaskId

PERSON = "person/"
"""What the step of an edit by a person begins with; the rest is unique to it."""
AttemptKey: TypeAlias = tuple[TaskId, StepId]
"""A step, whatever the attempt at it."""


class Stamp(NamedTuple):
    """When and by whom, to be compared; authors decide where the times are equal."""

    wall_ms: int
    counter: int
    author: str

    def next(self, wall_ms: int, author: str) -> Stamp:
        """Return a stamp of now that is later than this one, which is the latest that was seen."""
        if wall_ms > self.wall_ms:
            return Stamp(wall_ms, 0, author)
        return Stamp(self.wall_ms, self.counter + 1, author)


NO_STAMP = Stamp(0, 0, "")


class EditId(NamedTuple):
    """What makes an edit one edit, however often it is sent or its step is run."""

    task: TaskId
    step: StepId
    generation: int
    """Number of the attempt at the step, ascending."""
    ordinal: int
    """Number of the edit among those of the attempt to the document, from 1."""

    @property
    def attempt_key(self) -> AttemptKey:
        """The step."""
        return self.task, self.step


class Writer(NamedTuple):
    """Who made a value, when, and in which entry of the log."""

    stamp: Stamp
    version: int
    task: TaskId
    step: StepId

    @property
    def is_person(self) -> bool:
        """Whether it was a person and no agent."""
        return self.step.startswith(PERSON)


NOBODY = Writer(NO_STAMP, 0, TaskId(""), StepId(""))
"""Who wrote what is there by default."""


def writer_to_plain(writer: Writer) -> list[int | str]:
    """Return a writer as a plain value."""
    return [*writer.stamp, writer.version, writer.task, writer.step]


def writer_from_plain(plain: object) -> Writer:
    """Read a writer; raises `ValueError` where it is none."""
    match plain:
        case [int(wall_ms), int(counter), str(author), int(version), str(task), str(step)]:
            stamp = Stamp(wall_ms, counter, author)
            return Writer(stamp, version, TaskId(task), StepId(step))
    raise ValueError(f"not a writer: {plain!r:.80}")
