"""What must hold when the faults have stopped and everything is quiet.

K6: every cache is at the store's version with the store's digest, and finds what a scan of the
store finds. K7: nothing fails that nobody is told of, and nothing is left behind.
"""

from __future__ import annotations

import numpy as np

from cluster.kernel.lookup import Lookup
from cluster.memory.cache.knowledge_cache import KnowledgeCache
from cluster.memory.knowledge.names import KnowledgeVersion
from cluster.memory.namespaces.digest import DIGEST_MODULUS, entry_digest
from tests.simulation.knowledge.ledger import passages
from tests.simulation.knowledge.library import (
    NAMESPACES,
    QUESTIONS,
    by_id,
    question_vector,
    sources,
)
from tests.simulation.knowledge.workload import ALL
from tests.simulation.knowledge.world import KnowledgeWorld
from tests.simulation.loop import Process

NEAREST = 3
CLOSE = 1e-4


def behind(world: KnowledgeWorld) -> list[str]:
    """Return what is held of the knowledge that isn't what the store has."""
    logs = dict(world.server.logs())
    return [
        f"{process} has {name}@{shelf.view.version} and the store {logs[name].version}"
        for process, cache in world.caches.items()
        for name, shelf in cache._shelves.items()
        if shelf.view is not None
        and name in logs
        and (shelf.view.version, shelf.view.digest) != (logs[name].version, logs[name].digest)
    ]


def judge_store(world: KnowledgeWorld) -> None:
    """K1, K2: the store has what was written to it, and its digest says so."""
    for name, log in world.server.logs():
        epoch = world.ledger.histories[name][-1]
        if log.entries != epoch.state(epoch.version):
            world.ledger.violate("K1", f"the store has another {name} than was written")
        live = [each for each in log.entries.values() if each.document]
        digests = (entry_digest(each.key, each.version, each.document) for each in live)
        if sum(digests) % DIGEST_MODULUS != log.digest:
            world.ledger.violate("K6", f"the digest of {name} is not that of its entries")


async def judge_host(world: KnowledgeWorld, process: Process, cache: KnowledgeCache) -> None:
    """K6: a host finds what a scan of the store finds."""
    logs = dict(world.server.logs())
    for name in NAMESPACES:
        if name not in logs:
            continue
        collection = str(KnowledgeVersion(name, logs[name].version))
        live = [each for each in logs[name].entries.values() if each.document]
        lookup = await cache.lookup(collection, QUESTIONS[0], ALL)
        found = [(p.source, p.document, p.start_line) for p in lookup.passages]
        if sorted(found) != sorted(passages(live)):
            world.ledger.violate("K6", f"{process} finds other passages of {name} than there are")
        for question in QUESTIONS:
            nearest = await cache.nearest(collection, question_vector(question), NEAREST)
            if not _is_nearest(nearest, question, [(e.key, e.document) for e in live]):
                world.ledger.violate("K6", f"{process} finds others of {name} than are nearest")


def _is_nearest(lookup: Lookup, question: str, live: list[tuple[str, str]]) -> bool:
    """Compare with a scan; of what is equally near, any will do."""
    vector = question_vector(question)
    paths = {each.key: each.path for each in sources()}
    scan = sorted(
        (
            (float(np.dot(row, vector)), paths[key], document, line)
            for key, document in live
            for line, row in enumerate(by_id()[document].vectors, 1)
        ),
        reverse=True,
    )
    scores = {each[1:]: each[0] for each in scan}
    found = [(p.source, p.document, p.start_line) for p in lookup.passages]
    expected = scan[:NEAREST]
    return len(found) == len(set(found)) == len(expected) and all(
        abs(scores.get(each, 0.0) - best[0]) < CLOSE
        for each, best in zip(found, expected, strict=True)
    )
