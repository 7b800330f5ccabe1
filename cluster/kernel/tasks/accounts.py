"""What a step's turns have used and given up: as each tells it, and as the step's owner heard it.

Whoever asked hears of it on the way. Who gets the result from its record, or whose link broke
meanwhile, does not: so the result carries the account of its turn, in its `Saw`. Pure.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields, replace

from cluster.kernel.events import MODEL, FellBack, Hedged, Spent, is_model_fallback
from cluster.kernel.ids import NO_AGENT, AgentId, StepId
from cluster.kernel.reads import Saw
from cluster.kernel.tasks.spending import in_all, spent_too
from cluster.kernel.usage import Usage

REASONS_BYTES_MAX = 800
"""Of all reasons of an account: beside what a turn may read, its `Saw` has room for no more."""
_REASON_BYTES = 3
"""What a reason takes beside its text."""


class Account:
    """What one turn has used, and why plainer models have answered in it."""

    def __init__(self) -> None:
        self._spent: Usage | None = None
        self._reasons: list[str] = []
        self._bytes_left = REASONS_BYTES_MAX

    def note(self, detail: Spent | FellBack) -> None:
        """Note what the turn says; of reasons that there is no room for, only the beginning."""
        if isinstance(detail, Spent):
            self._spent = spent_too(self._spent or Usage(), detail)
            return
        text = detail.reason.encode()[: max(0, self._bytes_left - _REASON_BYTES)]
        kept = text.decode(errors="ignore")
        if kept and kept not in self._reasons:
            self._reasons.append(kept)
            self._bytes_left -= len(text) + _REASON_BYTES

    def added_to(self, saw: Saw) -> Saw:
        """Return what a result was made from, with what is noted here."""
        return replace(saw, spent=self._spent, fell_back=tuple(self._reasons))


class StepAccounts:
    """What all attempts at a step have used and given up under one owner, as that has heard."""

    def __init__(self, step: StepId) -> None:
        self._step = step
        self._spent: defaultdict[tuple[AgentId, int], Usage] = defaultdict(Usage)
        """By whose it was and in which redo: of these each has one record at most."""
        self._fell_back: list[tuple[AgentId, str]] = []

    def hear(self, agent: AgentId, detail: object, redo: int) -> None:
        """Count what an agent says, where it says what it has used or given up."""
        if isinstance(detail, Spent | Hedged):
            # That a second replica was asked is the owner's own doing.
            key = (NO_AGENT if isinstance(detail, Hedged) else agent, redo)
            self._spent[key] = spent_too(self._spent[key], detail)
        elif is_model_fallback(detail):
            self._fell_back.append((agent, self._said(detail.reason)))

    def unheard(self, saw: Saw, redo: int) -> list[Spent | FellBack]:
        """Return what a result tells of its making beyond what was heard of on the way."""
        maker = AgentId(saw.made_by)
        details: list[Spent | FellBack] = [
            FellBack(MODEL, reason)
            for reason in saw.fell_back
            if (maker, self._said(reason)) not in self._fell_back
        ]
        if saw.spent is not None:
            details += _calls_of(_beyond(saw.spent, self._spent[maker, redo]))
        return details

    def degraded(self, agent: AgentId) -> tuple[str, ...]:
        """Return what is to be said of an agent's result: of plainer models, each once."""
        return tuple(dict.fromkeys(said for whose, said in self._fell_back if whose == agent))

    @property
    def used(self) -> Usage:
        """What was used in all."""
        return in_all(self._spent.values())

    def _said(self, reason: str) -> str:
        return f"Step {self._step}: {reason}."


def _beyond(recorded: Usage, heard: Usage) -> Usage:
    names = (field.name for field in fields(Usage))
    return Usage(*(max(0, getattr(recorded, name) - getattr(heard, name)) for name in names))


def _calls_of(usage: Usage) -> list[Spent]:
    """Return one call of a model and one of a tool at most: a sum doesn't tell them apart."""
    calls = []
    if replace(usage, tool_s=0.0) != Usage():
        calls.append(
            Spent(
                "model",
                usage.seconds,
                usage.prompt_tokens,
                usage.completion_tokens,
                usage.wasted_tokens,
                usage.saved_tokens,
                usage.saved_s,
                usage.cost,
                usage.hedges,
            )
        )
    if usage.tool_s:
        calls.append(Spent("tool", usage.tool_s))
    return calls
