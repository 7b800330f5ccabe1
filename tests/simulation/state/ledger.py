"""The books of a run: what was edited, acknowledged, recorded and journaled.

Judged here, as it happens: S1 (what was acknowledged is in the log), S3 (no result is recorded or
answered before its edits are durable), S4 (a log has each edit once, without gaps, none of attempts
that were overtaken and none after a deletion), S5 (a host shows what the log made), S6 (a host
doesn't go back in time).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state.folded import Folded
from cluster.memory.state.entries import Appended, LogEntry, StepKey
from cluster.memory.state.host.document import Document
from tests.simulation.state.board import Left, Place
from tests.simulation.state.books import Book, StepName


class StateLedger:
    """What the world knows of its documents."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.tallies: Counter[str] = Counter()
        self.books: dict[str, list[Book]] = {}
        """Of each name, by incarnation."""
        self.generations: dict[StepName, int] = {}
        self.recorded: dict[StepName, tuple[Left, ...]] = {}
        self.journaled: dict[StepName, tuple[Left, ...]] = {}
        self.acknowledged: list[Left] = []
        """What people have been told is durable."""
        self.mortal: set[str] = {Place("brief", "cluster").name(TaskId(""))}
        """Documents that may be gone at any time."""
        self._deleted_until: dict[str, float] = {}
        self._seen: dict[tuple[object, str], tuple[int, int]] = {}

    def violate(self, oracle: str, what: str) -> None:
        """Note that an oracle was violated."""
        self.violations.append(f"{oracle}: {what}")

    # ---- the store -------------------------------------------------------------------------

    def on_begun(self, step: StepName, generation: int) -> None:
        """Take that an attempt has begun."""
        if generation <= self.generations.get(step, 0):
            self.violate("S4", f"attempt {generation} at {step[1]} has begun twice")
        self.generations[step] = generation
        self.tallies["attempts"] += 1
        self.tallies["repeated attempts"] += generation > 1

    def on_appended(
        self, name: str, step: StepKey, appended: Appended, new: Sequence[LogEntry], now: float
    ) -> None:
        """Take what an append has written, and whether it may have."""
        if now < self._deleted_until.get(name, 0.0) and appended.added:
            self.violate("S4", f"{name} was deleted and has taken an edit")
        latest = self.generations.get((step.task, step.step), 0)
        if step.is_redoable and step.generation < latest:
            self.violate("S4", f"{name} took an edit of attempt {step.generation} of {latest}")
        book = self.book(name)
        for logged in new:
            if logged.version != book.version + 1:
                self.violate("S4", f"{name}@{logged.version} came after {book.version}")
            book.add(logged)
        if book.repeated:
            self.violate("S4", f"{name} has an edit twice, at {book.repeated}")
        if appended.version > book.version:
            self.violate("S4", f"{name}@{appended.version} was answered, and {book.version} is")
        self.tallies["entries"] += len(new)

    def on_incarnation(self, name: str, incarnation: int) -> None:
        """Take that a document has begun anew."""
        known = self.books.setdefault(name, [])
        if not known or known[-1].incarnation != incarnation:
            known.append(Book(name, incarnation))
            self.tallies["documents"] += 1

    def on_deleted(self, name: str, now: float, kept_s: float) -> None:
        """Take that a document was deleted, and how long that is known."""
        if now >= self._deleted_until.get(name, 0.0):  # else it is deleted already
            self._deleted_until[name] = now + kept_s
        self.mortal.add(name)
        self.tallies["deleted"] += 1

    def book(self, name: str) -> Book:
        """Return the latest book of a name."""
        return self.books[name][-1]

    def is_counting(self, name: str, mark: str) -> bool:
        """Say whether a mark is in the log, its attempt the latest, and nobody has undone it."""
        book = self.books[name][-1] if name in self.books else None
        if book is None or mark not in book.marks or name in self.mortal:
            return False
        latest = self.generations.get(book.step_of(mark), 1)
        return book.generation_of(mark) == latest and mark not in book.undone()

    # ---- results ---------------------------------------------------------------------------

    def on_recorded(self, step: StepName, left: tuple[Left, ...]) -> None:
        """S3: what a step came to is recorded, and so its edits are in the log."""
        self.recorded[step] = left
        latest = self.generations.get((step[0], StepId(step[1].partition("#")[0])), 0)
        for book in (book for name, _ in left for book in self.books.get(name, [])):
            if any(0 < book.generation_of(mark) < latest for _, mark in left):
                self.violate("S3", f"an attempt at {step[1]} was recorded that has a later one")
        self._look_for(left, f"the record of {step[1]}")
        self.tallies["recorded"] += 1

    def on_answered(self, step: StepName, left: tuple[Left, ...]) -> None:
        """S3: a step is answered, with what is recorded."""
        self._look_for(left, f"an answer to {step[1]}")
        if left and self.recorded.get(step) != left:
            self.violate("S3", f"{step[1]} was answered with what isn't its record: {left}")

    def on_journaled(self, step: StepName, left: tuple[Left, ...]) -> None:
        """Take what a step has come to for good."""
        if self.journaled.setdefault(step, left) != left:
            self.violate("S3", f"{step[1]} has come to two results")
        self.tallies["finished"] += 1

    def on_acknowledged(self, left: Left) -> None:
        """S1: a person was told that an edit is durable."""
        self.acknowledged.append(left)
        self._look_for([left], "an acknowledged edit", "S1")
        self.tallies["acknowledged"] += 1

    def _look_for(self, left: Sequence[Left], what: str, oracle: str = "S3") -> None:
        for name, mark in left:
            if not any(mark in book.marks for book in self.books.get(name, [])):
                self.violate(oracle, f"{what} says {mark}, and the log of {name} hasn't got it")

    # ---- hosts -----------------------------------------------------------------------------

    def on_look(self, host: object, document: Document) -> None:
        """S5: a host shows what the log has made."""
        self.on_news(host, document)
        name, incarnation, at = document.name, document.incarnation, document.fold.version
        self.tallies["looks"] += 1
        if document.is_deleted or not at:
            return
        books = [b for b in self.books.get(name, []) if incarnation in (0, b.incarnation)]
        if not any(_is_same(book.folded(at), document.fold.folded()) for book in books):
            self.violate("S5", f"{host} shows another {name}@{at} than the log has made")

    def on_news(self, host: object, document: Document) -> None:
        """S2, S6: a host shows each mark once, and a version no older than before."""
        name, version, incarnation = document.name, document.version, document.incarnation
        shown = document.fields.get("log", [])
        marks = Counter(shown if isinstance(shown, list) else [])
        if max(marks.values(), default=0) > 1:
            self.violate("S2", f"{host} shows a mark of {name} twice: {marks}")
        before = self._seen.get((host, name), (0, 0))
        if 0 < incarnation == before[0] and version < before[1] and not document.is_deleted:
            self.violate("S6", f"{host} went back from {name}@{before[1]} to {version}")
        self._seen[host, name] = incarnation, version


def _is_same(one: Folded | None, other: Folded) -> bool:
    return one is not None and (
        (one.fields, one.writers, one.conflicts, one.attempts.to_plain())
        == (other.fields, other.writers, other.conflicts, other.attempts.to_plain())
    )


def step_name(task: str, step: str) -> StepName:
    """Return a step's name."""
    return TaskId(task), StepId(step)
