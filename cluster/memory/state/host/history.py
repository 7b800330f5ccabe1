"""The history of a document, as far as the store keeps it: read once, for people.

Called by `fleetmind state NAME --history`.
"""

from __future__ import annotations

from collections.abc import Sequence

from cluster.kernel.state.edits import Entry, Seal
from cluster.kernel.state.folded import Folded
from cluster.kernel.state.folding import Fold, Logged
from cluster.memory.state.host.codec import unpacked
from cluster.memory.state.port import StateLog


async def history_of(log: StateLog, document: str) -> list[Logged]:
    """Return what is kept of a document's entries, and what became of each.

    Raises:
        StoreUnavailable: it can't be read.
        WireError: an entry is damaged.
    """
    page = await log.history(document)
    incarnation, entries = page.head.incarnation, list[Entry]()
    while page.entries and page.head.incarnation == incarnation:
        entries += [unpacked(document, each) for each in page.entries]
        page = await log.history(document, entries[-1].version)
    return retold(entries)


def retold(entries: Sequence[Entry]) -> list[Logged]:
    """Return entries that follow each other, each with what became of it.

    A fold knows that of the entries since its last seal; of those before, it was decided when they
    were sealed. What entries say of values isn't looked at: the log may not be kept from its
    beginning.
    """
    if not entries:
        return []
    fold = Fold(Folded(entries[0].version - 1))
    sealed: list[Logged] = []
    for entry in entries:
        if isinstance(entry.body, Seal):
            up_to = min(entry.body.up_to, entry.version - 1)
            sealed += [each for each in fold.history if each.entry.version <= up_to]
        fold.extend([entry])
    return [*sealed, *fold.history]
