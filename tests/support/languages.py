"""Tasks in five languages, the same five in each: documents, what the models say, what backs it.

The data lies in `tests/unit/agents/languages`. Their content is parallel, so that shares of levels
can be compared between languages.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agents.models.simulated.script import ANY_STEP, Line, Lines
from cluster.kernel.vocabulary import Passage

LANGUAGES = ("en", "de", "es", "zh", "ja")
_FOLDER = Path(__file__).resolve().parents[1] / "unit" / "agents" / "languages"

FALSE_CHANGES = ("number", "negation", "unit", "only", "name")
"""The planted false sentence of each task, in the order of the tasks."""


class _Read(BaseModel):
    """A table of the data; a wrong key or value is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Document(_Read):
    """A short document: a heading and prose, the first of a task with a list."""

    source: str
    title: str
    text: str

    @property
    def passage(self) -> Passage:
        """The whole document as one passage."""
        lines = len(self.text.splitlines())
        return Passage(self.source, 1, lines, self.text, title=self.title)


class Said(_Read):
    """A sentence without its marks, the documents it rests on (from 1), and its level."""

    text: str
    passages: tuple[int, ...]
    support: Literal["quoted", "paraphrased", "contradicted"]
    change: Literal[
        "none", "lead-in", "inflection", "paraphrase", "number", "negation", "unit", "only", "name"
    ]
    """How it differs from what the document says."""


class Reply(_Read):
    """What an agent's model says, and its sentences in order.

    The Researcher's ``[n]`` is the n-th document; the Manager's is the n-th sentence of the
    finding, with the contradicted one left out: each has a quote of its own.
    """

    reply: str
    sentences: tuple[Said, ...]


class LanguageTask(_Read):
    """One task."""

    id: str
    goal: str
    documents: tuple[Document, ...]
    research: Reply
    answer: Reply

    @property
    def lines(self) -> Lines:
        """The replies as a script of the simulated model; the plan is its own."""
        return {
            "researcher": {ANY_STEP: Line(self.research.reply)},
            "manager": {"answer": Line(self.answer.reply)},
        }


class _Language(_Read):
    language: str
    tasks: tuple[LanguageTask, ...]


def tasks_in(language: str) -> tuple[LanguageTask, ...]:
    """Return the tasks of a language."""
    path = _FOLDER / f"{language}.json"
    return _Language(**json.loads(path.read_text(encoding="utf-8"))).tasks
