"""What a source says and what it doesn't, case by case. Each pair is (source, sentence)."""

from __future__ import annotations

import pytest

from agents.evidence.alignment import Reason
from agents.evidence.features import NAMES, Sources
from agents.evidence.languages import language_of
from agents.evidence.sentences import sentences
from agents.evidence.verdict import Judge, Level, Verdict, Weights, shipped_weights

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

BACKED = [
    (HEAP, "The heapq module provides an implementation of the heap queue algorithm [1]."),
    (HEAP, "The `heapq` module provides an implementation of the heap queue algorithm."),
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
    ("`a` adds an item and `b` takes one.", "`a` adds an item, while `b` takes one."),
    ("The sort is stable.", "The sort is also stable."),
    ("The server listens on port 8080.", "The server simply listens on port 8080."),
    ("Dr. Smith founded the lab in 1999.", "Dr. Smith founded the lab in 1999."),
    ("Alice, not Bob, wrote the parser.", "Alice, not Bob, wrote the parser."),
    ("Paris is bigger than Lyon but smaller than London.", "Paris is bigger than Lyon."),
    ("The default is 10 and the maximum is 100.", "The default is 10."),
    ("heappop removes the smallest item; heappush adds an item.", "heappush adds an item."),
    ("Zephyr stores its data in Redis.", "Zephyr stores data in Redis [1]."),
    ("The port is 8080 by default.", "By default, the port is 8080."),
    (
        "Entries are evicted after 30 minutes of inactivity.",
        "Entries are evicted after 30 minutes of inactivity [1].",
    ),
    ("The maximum size is 4 MB.", "The maximum size is 4 megabytes."),
    ("The retry limit is three.", "The retry limit is 3."),
    ("Workers don't share memory.", "Workers do not share memory."),
    (
        "The Aurora engine uses a 64 KB page size and was released in 2017.",
        "The Aurora engine uses a 64 KB page size.",
    ),
    (
        "The Aurora engine uses a 64 KB page size and was released in 2017.",
        "The Aurora engine was released in 2017.",
    ),
    ("Ada Lovelace (1815-1852) was a mathematician.", "Ada Lovelace was a mathematician."),
    (
        "The capital of Zubrowka is Lutz, and its currency is the Klubeck.",
        "The capital of Zubrowka is Lutz.",
    ),
    (
        "Glacier National Park covers 4,100 km² and has 130 lakes.",
        "Glacier National Park has 130 lakes.",
    ),
]

MARKED = [
    (HEAP, "**`heapq`** offers an implementation of the heap queue algorithm [1, 2]."),
    (HEAP, "`heap[0]` is always the smallest element [1]."),
    (
        "* `Counter.most_common(n)` returns the n most common elements.",
        "`most_common` returns the n most common elements.",
    ),
    ("It offers heaps in the module heapq, which works on lists.", "heapq works on lists."),
    ("The default is 10 and the maximum is 100.", "The maximum is 100."),
    ("The cache lives in memory, whereas the log lives on disk.", "The log lives on disk."),
    (
        "The `heapq.merge` function merges sorted inputs lazily.",
        "`heapq.merge` merges sorted inputs.",
    ),
]
"""True, and only unverified: a synonym, or a part that can't be told from one torn out."""

FALSE = [
    (CACHE, "The Zephyr cache evicts the oldest entry before 30 minutes."),
    (CACHE, "The Zephyr cache evicts the newest entry after 30 minutes."),
    ("A is faster than B.", "B is faster than A."),
    # a number, unit, date or name was changed
    (CACHE, "The Zephyr cache holds 1024 entries [1]."),
    (CACHE, "The Zephyr cache holds 51 entries."),
    (CACHE, "The Zephyr cache holds -512 entries."),
    (CACHE, "The Zephyr cache holds 512 readers."),
    (CACHE, "The Boreas cache holds 512 entries."),
    (CACHE, "The Zephyr cache evicts the oldest entry after 30 seconds."),
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
    ("The master writes to the replica.", "The replica writes to the master."),
    ("Alice sent Bob a letter.", "Bob sent Alice a letter."),
    ("Data flows from Oslo to Bergen.", "Data flows from Bergen to Oslo."),
    ("The cat was chased by the dog.", "The dog was chased by the cat."),
    ("The parent of A is B.", "The parent of B is A."),
    ("A is slow while B is fast.", "A is fast."),
    ("A is slow while B is fast.", "A is fast while B is slow."),
    ("Reads take 3 ms, writes take 5 ms.", "Reads take 5 ms."),
    ("Readers hold 3 locks and writers hold 5 locks.", "Readers hold 5 locks."),
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
    ("Critics say the tool is slow.", "The tool is slow."),
    ("It is a myth that the tool is slow.", "The tool is slow."),
    ("The test fails to find the bug.", "The test finds the bug."),
    ("Oslo is the largest city in Norway.", "Oslo is the largest city."),
    ("The lock prevents readers from blocking.", "Readers block."),
    # the time was changed
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
    (CACHE, "It evicts the oldest entry."),
    (CACHE, "Yes."),
    (CACHE, ""),
    ("Der Speicher ist nicht schnell genug dafür.", "Der Speicher ist schnell genug dafür."),
    ("The tool has no list of modules, which work on lists.", "Modules work on lists."),
    # and more of all kinds
    ("A and B handle reads and writes, respectively.", "A handles writes."),
    ("It costs $5.", "It costs €5."),
    ("The meeting is at 10:30.", "The meeting is at 10:45."),
    ("Neither Alice nor Bob passed.", "Bob passed."),
    ("Neither Alice nor Bob passed.", "Alice and Bob passed."),
    ("All but one worker failed.", "All workers failed."),
    ("More than 5 workers failed.", "5 workers failed."),
    ("Fewer than 5 workers failed.", "More than 5 workers failed."),
    ("The second worker failed.", "The first worker failed."),
    ("Workers failed twice.", "Workers failed."),
    ("The API was removed in version 3.", "The API was removed in version 2."),
    ("Alice, not Bob, wrote the parser.", "Bob wrote the parser."),
    ("Unlike Redis, Zephyr keeps data in memory.", "Redis keeps data in memory."),
    ("Zephyr used to keep data in memory.", "Zephyr keeps data in memory."),
    ("The cache is almost full.", "The cache is full."),
    ("The cache should be flushed daily.", "The cache is flushed daily."),
    ("It is unclear whether the cache is safe.", "The cache is safe."),
    ("The cache is safe unless writers crash.", "The cache is safe."),
    ("Paris is bigger than Lyon but smaller than London.", "Paris is bigger than London."),
    ("Paris is bigger than Lyon but smaller than London.", "Paris is smaller than Lyon."),
    ("The default is 10 and the maximum is 100.", "The default is 100."),
    ("The default is 10 and the maximum is 100.", "The maximum is 10."),
    ("The default timeout is 10 s; the maximum is 100 s.", "The default timeout is 100 s."),
    ("Reads take 3 ms and writes 5 ms.", "Reads take 5 ms."),
    ("Reads take 3 ms and writes 5 ms.", "Writes take 3 ms."),
    ("Alice told Bob that Carol left.", "Alice left."),
    ("Alice told Bob that Carol left.", "Bob left."),
    ("The server rejects requests larger than 4 MB.", "The server rejects requests."),
    (
        "The server accepts requests from clients with a token.",
        "The server accepts requests from clients.",
    ),
    ("Use heappush instead of append.", "Use append."),
    ("Use heappush instead of append.", "Use append instead of heappush."),
    ("From 1990 to 1995 he lived in Rome.", "He lived in Rome from 1995 to 1990."),
    ("The file is deleted after the copy is made.", "The copy is made after the file is deleted."),
    ("The file is deleted after the copy is made.", "The file is deleted before the copy is made."),
    (
        "A failure of the master does not stop the workers.",
        "A failure of the master stops the workers.",
    ),
    ("A failure of the workers stops the master.", "A failure of the master stops the workers."),
    (
        "heappop removes the smallest item; heappush adds an item.",
        "heappush removes the smallest item.",
    ),
    ("heappop removes the smallest item; heappush adds an item.", "heappop adds an item."),
    ("`heappop` removes and `heappush` adds an item.", "`heappop` adds an item."),
    ("Python lists are not thread-safe, but queues are.", "Python lists are thread-safe."),
    ("Python lists are not thread-safe, but queues are.", "Queues are not thread-safe."),
    ("Only the first argument is required.", "The first argument is required."),
    ("The flag defaults to true.", "The flag defaults to false."),
    ("The flag defaults to `True`.", "The flag defaults to `False`."),
    ("Returns None when empty.", "Returns None."),
    ("The sum of 2 and 3 is 5.", "The sum of 2 and 3 is 6."),
    ("The sum of 2 and 3 is 5.", "The sum of 3 and 5 is 2."),
    ("There are 10-20 workers.", "There are 20 workers."),
    ("Nearly 80 % of the nodes failed.", "80 % of the nodes failed."),
    ("80 % of the nodes failed.", "80 % of the nodes did not fail."),
    ("80 % of the nodes failed.", "20 % of the nodes failed."),
    ("The cache lives in memory, whereas the log lives on disk.", "The log lives in memory."),
    ("The cache lives in memory, whereas the log lives on disk.", "The cache lives on disk."),
    (
        "Each worker has its own cache, which no other worker can read.",
        "Other workers can read the cache.",
    ),
    (
        "A heap is a list in which the parent is smaller than its children.",
        "A heap is a list in which the children are smaller than the parent.",
    ),
    ("It took Alice five days and Bob two.", "It took Bob five days."),
    ("Alice has five cats; Bob, two.", "Bob has five cats."),
    ("The test passed on Linux but failed on Windows.", "The test failed on Linux."),
    ("The test passed on Linux but failed on Windows.", "The test passed on Windows."),
    ("Alice beat Bob, and Carol beat Dave.", "Alice beat Dave."),
    ("Alice beat Bob, and Carol beat Dave.", "Carol beat Bob."),
    ("If A fails, B runs; otherwise C runs.", "If A fails, C runs."),
    ("If A fails, B runs.", "If B fails, A runs."),
    ("The plan allows 10 users for 5 dollars.", "The plan allows 5 users for 10 dollars."),
    ("The lock is held by the writer, not the reader.", "The lock is held by the reader."),
    ("It was thought to be safe.", "It was safe."),
    ("The so-called fast path is slow.", "The path is fast."),
    ("Half of the nodes failed.", "The nodes failed."),
    ("The non-blocking call returns.", "The blocking call returns."),
    ("A thread may not be started twice.", "A thread may be started twice."),
    ("The GIL prevents threads from running in parallel.", "Threads run in parallel."),
    ("The cache, except for its index, is persistent.", "The index is persistent."),
    ("Version 2.0 dropped support for Windows.", "Version 2.0 added support for Windows."),
    ("Version 2.0 dropped support for Windows.", "Version 2.0 support for Windows."),
    ("Zephyr was founded by Ada and sold to Bob.", "Zephyr was founded by Bob."),
    ("Zephyr was founded by Ada and sold to Bob.", "Zephyr was sold to Ada."),
    ("Zephyr is a fork of Boreas.", "Boreas is a fork of Zephyr."),
    ("Zephyr is a fork of Boreas.", "Zephyr is a fork."),
]

KNOWN_MISSES = [
    (CACHE, "The Zephyr cache evicts 512 entries after 30 minutes."),
    ("Readers hold 6 locks and writers hold 5 locks.", "Readers and writers hold 5 locks."),
    ("It raises KeyError or ValueError.", "It raises KeyError and ValueError."),
    ("The company owned the brand.", "The company owns the brand."),
    (CACHE, "The Zephyr cache was written in Rust."),
    (CACHE, "The Zephyr cache holds 512 entries in shared memory."),
    ("Is the cache slow?", "The cache is slow."),
    ("A holds 3. B holds 5.", "A holds 5."),
    (
        "The prices were 5 and 7 dollars in 2019 and 2020, respectively.",
        "The price was 7 dollars in 2019.",
    ),
    ("Without a lock, writes are unsafe.", "Writes are unsafe."),
    ("The cache can be flushed.", "The cache is flushed."),
    ("Paris is bigger than Lyon.", "Lyon is smaller than Paris."),
    ("Alice's manager, Bob, left the company.", "Alice left the company."),
    ("Before 2010 the firm was in Oslo.", "The firm was in Oslo after 2010."),
    ("There are between 10 and 20 workers.", "There are 20 workers."),
]
"""False, and backed all the same; the limits of the rules, which must not become more."""

PASSAGES = [
    (
        "The cache holds 512 entries. It evicts the oldest of them after 30 minutes; none is kept. "
        "Readers, who never block writers, see the last value that was written."
    ),
    (
        "Der Cache hält 512 Einträge. Nach 30 Minuten wirft er den ältesten weg; keiner bleibt. "
        "Leser, die nie blockieren, sehen den letzten Wert."
    ),
    (
        "La caché guarda 512 entradas. Después de 30 minutos borra la más antigua y nada más. "
        "Los lectores nunca bloquean a los escritores."
    ),
    "缓存有 512 个条目。30 分钟后最旧的条目会被删除。读者从不阻塞写者。",
    "キャッシュは512件の項目を保持します。30分後に最も古い項目が削除されます。読み手は書き手を妨げません。",
]


def verdict(sentence: str, *texts: str, known: str = "", cited: tuple[int, ...] = ()) -> Verdict:
    return Judge(Sources([(text, "") for text in texts]), known).verdict(sentence, cited)


@pytest.mark.parametrize(("source", "sentence"), BACKED)
def test_what_the_source_says_is_backed(source: str, sentence: str) -> None:
    assert verdict(sentence, source).level.is_backed


@pytest.mark.parametrize(("source", "sentence"), MARKED)
def test_what_is_only_marked_is_not_contradicted(source: str, sentence: str) -> None:
    assert verdict(sentence, source).level is Level.UNVERIFIED


@pytest.mark.parametrize(("source", "sentence"), FALSE)
def test_what_the_source_does_not_say_is_not_backed(source: str, sentence: str) -> None:
    assert not verdict(sentence, source).level.is_backed


@pytest.mark.parametrize(("source", "sentence"), KNOWN_MISSES)
def test_a_known_miss_that_is_caught_is_known_no_more(source: str, sentence: str) -> None:
    assert verdict(sentence, source).level.is_backed


def test_the_known_misses_stay_few() -> None:
    assert len(KNOWN_MISSES) <= 18
    assert len(MARKED) <= 7


@pytest.mark.parametrize("passage", PASSAGES)
def test_each_sentence_of_a_passage_is_quoted_by_it(passage: str) -> None:
    judge = Judge(Sources([(passage, "")]))

    found = [
        judge.verdict(passage[span.start : span.end])
        for span in sentences(passage, language_of(passage))
    ]

    assert [each.level for each in found] == [Level.QUOTED] * 3
    assert [each.units[0] for each in found] == [0, 1, 2]


LONG = "After 30 minutes the Zephyr cache evicts the oldest of its 512 entries from local memory."


@pytest.mark.parametrize(
    ("old", "new", "level", "reason"),
    [
        ("512", "1024", Level.CONTRADICTED, Reason.NUMBER),
        ("minutes", "hours", Level.CONTRADICTED, Reason.UNIT),
        ("Zephyr", "Boreas", Level.CONTRADICTED, Reason.NAME),
        ("evicts", "never evicts", Level.CONTRADICTED, Reason.NEGATION),
        ("evicts", "mostly evicts", Level.UNVERIFIED, Reason.LIMIT),
        ("oldest", "newest", Level.UNVERIFIED, Reason.WORD),
        ("local memory", "memory of local", Level.CONTRADICTED, Reason.ORDER),
        ("local memory", "the local memory", Level.QUOTED, None),
        ("its 512 entries", "512 entries", Level.QUOTED, None),
    ],
)
def test_near_a_source_each_difference_has_its_level(
    old: str, new: str, level: Level, reason: Reason | None
) -> None:
    found = verdict(LONG.replace(old, new), LONG)

    assert (found.level, found.reason) == (level, reason)


def test_several_sentences_together_may_back_one() -> None:
    text = (
        "The museum was opened in Oslo in the year 1990. It shows four hundred old ships. The "
        "building was designed by the architect Ada Byron."
    )

    found = verdict(
        "The museum, opened in Oslo in 1990, shows old ships in a building by Ada Byron.", text
    )

    assert found.level is Level.PARAPHRASED
    assert found.units == (0, 1, 2)


def test_what_is_known_may_be_added() -> None:
    text = "The cache holds 512 entries in shared memory."
    claim = "The cache Zephyr holds 512 entries in shared memory."

    assert not verdict(claim, text).level.is_backed
    assert verdict(claim, text, known="What does Zephyr do?").level is Level.QUOTED


def test_a_sentence_is_judged_by_the_passages_it_cites_and_then_by_the_others() -> None:
    wrong = LONG.replace("512", "64")

    assert verdict(LONG, wrong, LONG, cited=(1,)).units == (1,)
    assert verdict(LONG, "It is so.", LONG, cited=(0,)).level is Level.QUOTED
    assert verdict(wrong, LONG, "It is so.", cited=(0,)).level is Level.CONTRADICTED
    assert verdict(LONG, LONG, cited=(7, -1)).level is Level.QUOTED


@pytest.mark.parametrize("sentence", ["", "It is.", "...", "The", "\n"])
def test_what_says_nothing_is_unverified(sentence: str) -> None:
    assert verdict(sentence, LONG) == Verdict(Level.UNVERIFIED)
    assert verdict(LONG) == Verdict(Level.UNVERIFIED)


def test_the_shipped_weights_fit_the_features() -> None:
    weights = shipped_weights()

    assert len(weights.means) == len(weights.scales) == len(weights.weights) == len(NAMES)
    assert weights.score([0.0] * len(NAMES)) < weights.threshold < weights.score([1.0] * len(NAMES))


def test_a_score_is_a_logistic_regression() -> None:
    weights = Weights((1.0,), (2.0,), (3.0,), -1.5, 0.5)

    assert weights.score([2.0]) == 0.5
    assert 0 < weights.score([-1e9]) < 1e-9


POOLS = (
    "A `ThreadPool` runs short jobs on several cores of one machine. It is started once. It is "
    "stopped at the end. A `ClusterPool` needs a broker, but it runs long jobs on many servers."
)


@pytest.mark.parametrize(
    ("claim", "level", "reason"),
    [
        ("On many servers long jobs run with a `ThreadPool`.", Level.UNVERIFIED, Reason.NAME),
        ("On many servers long jobs run with a `ClusterPool`.", Level.PARAPHRASED, None),
        ("Short jobs of a `ThreadPool` run on one machine.", Level.PARAPHRASED, None),
        ("One machine never runs the short jobs on cores.", Level.UNVERIFIED, Reason.NEGATION),
    ],
)
def test_a_free_paraphrase_is_about_the_same_names_and_denies_nothing(
    claim: str, level: Level, reason: Reason | None
) -> None:
    found = verdict(claim, POOLS)

    assert (found.level, found.reason) == (level, reason)


@pytest.mark.parametrize(("year", "is_backed"), [("2007", True), ("2009", False)])
def test_a_year_may_stand_in_a_date(year: str, *, is_backed: bool) -> None:
    dated = "Published on 2007-05-22. The old band toured Canada with Velvet Revolver in autumn."
    claim = f"The old band toured with Velvet Revolver in Canada in {year}."

    assert verdict(claim, dated).level.is_backed is is_backed
