"""Tells what a program's own ways of merging do wrong while a turn, or a person, edits.

Such a fault loses nothing: both values stand side by side. But whoever wrote the policy would never
know why. Made by `cluster.runtime.sharing.shared_documents`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping

from cluster.kernel.errors import ClusterError
from cluster.kernel.state.edits import FieldEdit
from cluster.kernel.state.policies import POLICIES
from cluster.memory.state.host.document import Document
from cluster.memory.state.host.documents import Documents

_log = logging.getLogger(__name__)

LOOK_S = 1.0
"""So long the store may take to say with what an edit was merged."""


class FaultWatch:
    """The documents that one turn has edited by policies of the program's own.

    Args:
        documents: those of this process, which logs each broken policy once.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._held: dict[str, tuple[Document, int]] = {}
        self._told: set[str] = set()

    def watch(self, document: Document, edits: Mapping[str, FieldEdit], since: int) -> None:
        """Look at a document from a version on, if these edits of it are by such a policy."""
        if any(edit.policy not in POLICIES for edit in edits.values()):
            self._held.setdefault(document.name, (document, since))

    async def news(self, timeout_s: float) -> list[str]:
        """Return a sentence for each policy that was found to be broken, once.

        What was edited here may be in the log behind edits that are not read yet, and it is with
        those that it has to be merged: they are read first, where the store says them in time.
        """
        await asyncio.gather(*(self._catch_up(name, timeout_s) for name in self._held))
        return list(self._sentences())

    async def _catch_up(self, name: str, timeout_s: float) -> None:
        if self._documents.peek(name) is not self._held[name][0]:
            return  # the task has ended, and its documents with it
        try:
            async with asyncio.timeout(min(timeout_s, LOOK_S)):
                await self._documents.open(name, is_fresh=True)
        except (ClusterError, TimeoutError) as error:
            _log.info("%s can't be looked at for broken policies: %s", name, error)

    def _sentences(self) -> Iterator[str]:
        for document, since in self._held.values():
            for fault in document.fold.faults:
                if fault.version <= since or fault.policy in self._told:
                    continue
                self._told.add(fault.policy)
                said = (
                    f"{fault.error}, so both values of {fault.field} of {document.name} are kept "
                    f"until somebody decides"
                )
                if fault.policy not in self._documents.blamed:
                    self._documents.blamed.add(fault.policy)
                    _log.warning("%s", said)
                yield said
