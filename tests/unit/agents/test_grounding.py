"""What a source says and what it doesn't, case by case. Each pair is (source, sentence)."""

from __future__ import annotations

import pytest

from agents.grounding import supports

HEAP = (
    "The heapq module provides an implementation of the heap queue algorithm, also known as the "
    "priority queue algorithm. `heap[0]` is always the smallest item. Pop operations never return "
    "the largest item first. If the heap is empty, IndexError is raised."
)
CACHE = (
    "The Zephyr cache holds 512 entries. It evicts the oldest entry after 30 minutes. "
    "The cache does not persist its entries to disk. "
    "Readers never block writers, and writers may block other writers."
)

KEPT = [
    (HEAP, "The heapq module provides an implementation of the heap queue algorithm [1]."),
    (HEAP, "The `heapq` module provides an implementation of the heap queue algorithm."),
    (HEAP, "**`heapq`** offers an implementation of the heap queue algorithm [1, 2]."),
    (HEAP, "`heap[0]` is always the smallest element [1]."),
    (HEAP, "If the heap is empty, IndexError is raised."),
    (HEAP, "IndexError is raised if the heap is empty."),
    (HEAP, "Pop operations never return the largest item first."),
    (CACHE, "The Zephyr cache holds 512 entries [1]."),
    (CACHE, "The Zephyr cache evicts the oldest entry after 30 minutes."),
    (CACHE, "After 30 minutes, the Zephyr cache evicts the oldest entry."),
    (CACHE, "The cache doesn't persist its entries to disk."),
    (CACHE, "Readers never block writers."),
    (CACHE, "Writers may block other writers."),
    (CACHE, "Writers might block other writers [2]."),
    ("In 1990, the bridge was built in Oslo.", "The bridge was built in Oslo in 1990."),
    ("The timeout is 1,500 ms.", "The timeout is 1500 milliseconds."),
    ("The pool has three workers.", "The pool has 3 workers."),
    ("Alice sent Bob the report and called Carol.", "Alice called Carol."),
    ("It supports Linux, macOS and Windows.", "It supports Linux, macOS and Windows."),
    ("The tool supports Linux, macOS and Windows.", "The tool supports Windows."),
    ("The tool supports Linux, macOS and Windows.", "The tool supports Linux and Windows."),
    ("The lock, which is reentrant, guards the table.", "The lock guards the table."),
    ("The lock, which is reentrant, guards the table.", "The lock is reentrant."),
    ("Der Speicher ist nicht schnell genug dafür.", "Der Speicher ist nicht schnell genug dafür."),
    (
        "* `Counter.most_common(n)` returns the n most common elements.",
        "`Counter.most_common(n)` returns the n most common elements.",
    ),
    (
        "* `Counter.most_common(n)` returns the n most common elements.",
        "`most_common` returns the n most common elements.",
    ),
    ("The sort is stable.", "The sort is also stable."),
    ("The server listens on port 8080.", "The server simply listens on port 8080."),
    ("Dr. Smith founded the lab in 1999.", "Dr. Smith founded the lab in 1999."),
]

DROPPED = [
    # a number, unit, date or name was changed
    (CACHE, "The Zephyr cache holds 1024 entries [1]."),
    (CACHE, "The Zephyr cache holds 51 entries."),
    (CACHE, "The Zephyr cache holds -512 entries."),
    (CACHE, "The Zephyr cache holds 512 readers."),
    (CACHE, "The Boreas cache holds 512 entries."),
    (CACHE, "The Zephyr cache evicts the oldest entry after 30 seconds."),
    (CACHE, "The Zephyr cache evicts the oldest entry before 30 minutes."),
    (CACHE, "The Zephyr cache evicts the newest entry after 30 minutes."),
    (CACHE, "The Zephyr cache evicts 512 entries after 30 minutes."),
    ("The bridge was built in 1990.", "The bridge was built in 1991."),
    ("Released on 2024-01-05.", "Released on 2024-05-01."),
    ("It needs Python 3.10.", "It needs Python 3.1."),
    ("The timeout is 1.5 seconds.", "The timeout is 15 seconds."),
    ("The limit is 10 requests per second.", "The limit is 10."),
    ("The limit is 10 requests per second.", "The limit is 10 requests per minute."),
    ("Prices rose 5 %.", "Prices rose 5 points."),
    ("There are two workers.", "There are three workers."),
    ("Python 2 supports this.", "Python supports this."),
    # a negation was added or removed
    (CACHE, "The cache persists its entries to disk."),
    (CACHE, "Readers block writers."),
    (CACHE, "Writers never block other writers."),
    (CACHE, "The Zephyr cache does not hold 512 entries."),
    (CACHE, "The Zephyr cache holds no entries."),
    (HEAP, "`heap[0]` is never the smallest item."),
    (HEAP, "Pop operations return the largest item first."),
    ("You can't change a tuple.", "You can change a tuple."),
    ("It works without a lock.", "It works with a lock."),
    ("The index is unordered.", "The index is ordered."),
    ("It does not support A, B or C.", "It supports C."),
    ("It supports A but not B.", "It supports B."),
    ("None of the workers failed.", "The workers failed."),
    ("The option is no longer supported.", "The option is supported."),
    # the opposite
    ("Caching increases the speed.", "Caching decreases the speed."),
    ("The flag is enabled by default.", "The flag is disabled by default."),
    ("The function returns the minimum value.", "The function returns the maximum value."),
    ("A is faster than B.", "A is slower than B."),
    ("The result is true.", "The result is false."),
    # roles were swapped
    ("A is faster than B.", "B is faster than A."),
    ("The master writes to the replica.", "The replica writes to the master."),
    ("Alice sent Bob a letter.", "Bob sent Alice a letter."),
    ("Data flows from Oslo to Bergen.", "Data flows from Bergen to Oslo."),
    ("The cat was chased by the dog.", "The dog was chased by the cat."),
    ("The parent of A is B.", "The parent of B is A."),
    ("A is slow while B is fast.", "A is fast."),
    ("A is slow while B is fast.", "A is fast while B is slow."),
    ("Reads take 3 ms, writes take 5 ms.", "Reads take 5 ms."),
    ("Readers hold 3 locks and writers hold 5 locks.", "Readers hold 5 locks."),
    ("Readers hold 6 locks and writers hold 5 locks.", "Readers and writers hold 5 locks."),
    ("Alice met Bob because Carol called.", "Carol called because Alice met Bob."),
    ("The manager lets the coder run programs.", "The manager runs programs."),
    ("Oslo's competitor Bergen uses 5 ships.", "Oslo uses 5 ships."),
    ("The competitor of Oslo uses 5 ships.", "Oslo uses 5 ships."),
    ("The process supervisor uses 5 MB.", "The process uses 5 MB."),
    ("Redis is a database cache.", "Redis is a database."),
    # a quantity, a hedge, a condition was lost or won
    ("Some workers restart.", "All workers restart."),
    ("All workers restart.", "Some workers restart."),
    ("Most queries hit the cache.", "All queries hit the cache."),
    ("The job may fail.", "The job fails."),
    ("The job fails.", "The job always fails."),
    ("The call usually takes 5 ms.", "The call takes 5 ms."),
    ("It holds up to 10 entries.", "It holds 10 entries."),
    ("It holds at least 10 entries.", "It holds at most 10 entries."),
    (HEAP, "IndexError is raised."),
    ("The write is safe if the lock is held.", "The write is safe."),
    ("The write is safe, but only if the lock is held.", "The write is safe."),
    ("Only admins can delete users.", "Users can delete admins."),
    ("Only admins can delete users.", "Admins can delete users."),
    ("It raises KeyError or ValueError.", "It raises KeyError."),
    ("It raises KeyError or ValueError.", "It raises KeyError and ValueError."),
    ("Critics say the tool is slow.", "The tool is slow."),
    ("It is a myth that the tool is slow.", "The tool is slow."),
    ("The test fails to find the bug.", "The test finds the bug."),
    ("Oslo is the largest city in Norway.", "Oslo is the largest city."),
    ("The lock prevents readers from blocking.", "Readers block."),
    # the time was changed
    ("The company owned the brand.", "The company owns the brand."),
    ("The server was down.", "The server is down."),
    ("The option will be removed.", "The option is removed."),
    ("The server notifies clients.", "The server is notified."),
    # code and quotations
    ("`heapq.heappush` adds an item.", "`heapq.heappop` adds an item."),
    ("`list.append` adds an item.", "`deque.append` adds an item."),
    ("`f(1)` returns the sum.", "`f(2)` returns the sum."),
    ('It prints "done" at the end.', 'It prints "failed" at the end.'),
    ("`Counter` counts words.", "`counter_x` counts words."),
    ("Set `a_b` to 1.", "Set `a_c` to 1."),
    # what no source says
    (CACHE, "The Zephyr cache was written in Rust."),
    (CACHE, "The Zephyr cache holds 512 entries in shared memory."),
    (CACHE, "It evicts the oldest entry."),
    (CACHE, "Does the Zephyr cache hold 512 entries?"),
    (CACHE, "Yes."),
    (CACHE, ""),
    ("Is the cache slow?", "The cache is slow."),
    ("Der Speicher ist nicht schnell genug dafür.", "Der Speicher ist schnell genug dafür."),
    ("A holds 3. B holds 5.", "A holds 5."),
]


@pytest.mark.parametrize(("source", "sentence"), KEPT)
def test_what_the_source_says_is_supported(source: str, sentence: str) -> None:
    assert supports(sentence, source)


@pytest.mark.parametrize(("source", "sentence"), DROPPED)
def test_what_the_source_does_not_say_is_not_supported(source: str, sentence: str) -> None:
    assert not supports(sentence, source)
