"""What must hold when the faults have stopped and everything is quiet.

S1: what was acknowledged is there. S2: each edit that counts does so once, and no other. S5: all
hosts have the same bytes, which are those of a fold of the whole log. S7: no conflict has dropped a
sibling. S8: everything ends, and nothing fails that nobody is told of.
"""

from __future__ import annotations

from collections.abc import Iterator

from cluster.kernel.state.folding import Fold
from cluster.kernel.state.values import canonical
from cluster.memory.state.host.codec import packed_snapshot
from cluster.memory.state.host.document import Document
from tests.simulation.loop import Process
from tests.simulation.state.books import Book, difference, dropped, marks_of
from tests.simulation.state.world import StateWorld


def opened(world: StateWorld) -> Iterator[tuple[Process, Document]]:
    """Yield the documents that somebody has open."""
    for process, documents in world.documents.items():
        for keeper in documents._keepers.values():
            yield process, keeper.document


def behind(world: StateWorld) -> list[str]:
    """Return what isn't yet as it is to be in the end.

    Everybody has of their documents what the store has, and it knows that no task goes on.
    """
    logs = world.server.logs
    late = [
        f"{process} has {document.name}@{document.version} with {len(document.pending)} pending,"
        f" and the store {head}"
        for process, document in opened(world)
        for head in [logs._kept(document.name).head]
        if document.pending
        or (document.is_deleted != head.is_deleted)
        or (not head.is_deleted and document.version != head.version)
        or (not head.is_deleted and document.incarnation != head.incarnation)
    ]
    return late + [f"the log has not been told the end of {task}" for task in logs._begun]


def living(world: StateWorld) -> Iterator[Book]:
    """Yield the documents that there are."""
    for name, books in world.ledger.books.items():
        head = world.server.logs._kept(name).head
        if head.version and not head.is_deleted and books[-1].incarnation == head.incarnation:
            yield books[-1]


def judge_replicas(world: StateWorld) -> None:
    """S5: all who have a document open show the same."""
    books = {book.name: book for book in living(world)}
    for process, document in opened(world):
        book = books.get(document.name)
        if book is None:
            if document.fields and not document.is_deleted:
                world.ledger.violate("S5", f"{process} still shows {document.name}")
            continue
        whole = Fold()
        whole.extend(book.entries)
        if packed_snapshot(document.fold.folded()) != packed_snapshot(whole.folded()):
            world.ledger.violate("S5", f"{process} has other bytes of {document.name}")
        if canonical(dict(document.fields)) != canonical(dict(whole.fields)):
            world.ledger.violate("S5", f"{process} shows another {document.name}")


def judge_books(world: StateWorld) -> None:
    """S1, S2, S7: what there is, is what was acknowledged and counts."""
    for book in living(world):
        counting = book.counting()
        folded = book.folded(book.version)
        if folded is None:
            world.ledger.violate("S4", f"the log of {book.name} has a gap")
            continue
        wrong = difference(folded.fields, counting)
        if wrong:
            world.ledger.violate("S2", f"{book.name}@{book.version} {wrong}")
        for what in dropped(folded, counting):
            world.ledger.violate("S7", f"{book.name} has dropped {what}")
        _judge_steps(world, book, set(marks_of(counting)))


def _judge_steps(world: StateWorld, book: Book, shown: set[str]) -> None:
    """S1, S2: of a step there are the edits that its result says, and of people all of theirs."""
    ledger = world.ledger
    undone = book.undone()
    for left in [*ledger.acknowledged, *(each for r in ledger.journaled.values() for each in r)]:
        is_here = left.name == book.name and left.mark in book.marks
        if is_here and left.mark not in shown and left.mark not in undone:
            ledger.violate("S1", f"{left.mark} was acknowledged and {book.name} doesn't show it")
    for mark in shown:
        result = ledger.journaled.get(book.step_of(mark))
        if result is not None and mark not in [left.mark for left in result]:
            ledger.violate("S2", f"{book.name} shows {mark}, and the result of its step doesn't")
