"""The questions of the trial, read from `questions.toml`; that file says what each field means."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict

ASYNCIO = Path(asyncio.__file__).parent
"""What is learned: the package of the interpreter that runs the trial."""
_FILE = Path(__file__).with_name("questions.toml")


class _Expected(BaseModel):
    """A table of the file; a wrong key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ExpectedPassage(_Expected):
    """Where the answer stands."""

    file: str
    contains: str


class ExpectedProgram(_Expected):
    """What a right program has and prints, and what it must not."""

    source: tuple[str, ...]
    printed: tuple[str, ...]
    not_source: tuple[str, ...] = ()
    not_printed: tuple[str, ...] = ()


class Question(_Expected):
    """One goal and what is expected of its answer."""

    topic: str
    goal: str
    passage: ExpectedPassage
    facts: tuple[str, ...]
    program: ExpectedProgram | None = None

    @property
    def asked(self) -> str:
        """What is to be answered in sentences: the goal up to its question mark."""
        return f"{self.goal.partition('?')[0]}?"


class _Questions(_Expected):
    questions: tuple[Question, ...]


def read_questions(path: Path = _FILE) -> dict[int, Question]:
    """Return the questions by their numbers, from 1."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return dict(enumerate(_Questions(**table).questions, start=1))
