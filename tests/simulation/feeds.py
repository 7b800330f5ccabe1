"""The feeds and records of a run, as the oracles need them, and what must hold of each.

A feed may lack thoughts; of the journal's facts, as they are shown, it has each once and in order,
and none before the journal has it. Half of the seeds write feeds, all drawn apart; those that once
failed run without, as they did.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from cluster.kernel.events import Answered, Event, Thought, WasCancelled, shown
from cluster.kernel.feed import BEFORE_ALL, Cursor, TaskRecord
from cluster.kernel.ids import TaskId
from cluster.memory.feed.port import FeedPage
from cluster.runtime.tasks.task_journal import events_of
from tests.simulation.faults import KEPT_SEEDS
from tests.simulation.ledger import CODEC, Ledger

FEEDS_SHARE = 0.5

Entry = tuple[Cursor, Event]


def has_feeds(seed: int) -> bool:
    """Say whether a seed writes feeds."""
    return seed not in KEPT_SEEDS and random.Random(f"has feeds {seed}").random() < FEEDS_SHARE


@dataclass(eq=False)
class Sight:
    """What one watcher has seen of a feed, wherever it was."""

    task: TaskId
    cursor: Cursor = BEFORE_ALL
    entries: list[Entry] = field(default_factory=list)
    gaps: list[tuple[Cursor, Cursor]] = field(default_factory=list)
    """After which entry something was gone, and up to which."""

    def take(self, page: FeedPage) -> None:
        """See what follows the last cursor."""
        if page.trimmed > self.cursor:
            self.gaps.append((self.cursor, page.trimmed))
            self.cursor = page.trimmed
        for entry, event in zip(
            page.entries, events_of([each.event for each in page.entries], CODEC), strict=True
        ):
            self.entries.append((entry.cursor, event))
            self.cursor = entry.cursor

    @property
    def is_ended(self) -> bool:
        """Say whether it has seen the end."""
        return bool(self.entries) and self.entries[-1][1].is_terminal


class FeedBooks:
    """The feeds and records of one run."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.feeds: dict[TaskId, list[Entry]] = {}
        self.records: dict[TaskId, TaskRecord] = {}
        self.sights: list[Sight] = []
        self.detached: set[TaskId] = set()
        """Tasks that belong to the cluster."""
        self.wishes: dict[TaskId, str] = {}
        """Why each of those was to end that somebody has asked for the end of."""
        self.ends: dict[TaskId, list[Event]] = {}
        """What those were told who asked for the end of a task."""
        self.tallies: Counter[str] = Counter()

    # ---- as it happens ---------------------------------------------------------------------

    def on_effect(self, name: str, arguments: tuple[Any, ...], result: object) -> None:
        """A call to a feed or the records took effect."""
        if result is None and name == "feed append":
            self._appended(*arguments)
        if name == "feed begin_term" and not isinstance(result, Exception):
            self.tallies["feeds taken over"] += 1
        if name == "records ended" and result is None:
            record: TaskRecord = arguments[0]
            self.records.setdefault(TaskId(record.summary.task), record)

    def _appended(self, task: TaskId, first: Cursor, entries: list[bytes]) -> None:
        feed = self.feeds.setdefault(task, [])
        events = events_of(entries, CODEC)
        there = [event for cursor, event in feed if cursor >= first][: len(events)]
        if there:
            if there != events:
                self._violate(f"entry {first} of the feed of {task} was written twice")
            return
        for place, event in enumerate(events, first.number):
            self._one(task, feed, (Cursor(first.term, place), event))

    def _one(self, task: TaskId, feed: list[Entry], entry: Entry) -> None:
        cursor, event = entry
        last, before = feed[-1] if feed else (BEFORE_ALL, None)
        follows = (last.term, last.number + 1) if cursor.term == last.term else (cursor.term, 1)
        if cursor != Cursor(*follows) or cursor < last:
            self._violate(f"{cursor} follows {last} in the feed of {task}")
        if before is not None and before.is_terminal:
            self._violate(f"the feed of {task} goes on after its end")
        if event.index:
            journal = self._ledger.journals.get(task, [])
            if event.index != self._reached(feed) + 1:
                self._violate(f"fact {event.index} of {task} follows {self._reached(feed)}")
            elif len(journal) < event.index or shown(journal[event.index - 1]) != event:
                self._violate(f"fact {event.index} of {task} is not as it was journaled")
        feed.append(entry)

    @staticmethod
    def _reached(feed: list[Entry]) -> int:
        return max((event.index for _, event in feed), default=0)

    def _violate(self, what: str) -> None:
        self._ledger.violate("O8", what)

    # ---- at the end ------------------------------------------------------------------------

    def unfinished(self, task: TaskId) -> str:
        """Say what is to come of a task that has ended; empty where nothing is."""
        feed = self.feeds.get(task, [])
        if not feed or not feed[-1][1].is_terminal:
            return "the end of its feed"
        return "" if task in self.records else "its record"

    def judge(self, *, has_calmed: bool) -> None:
        """Note what is wrong with the feeds, the records and what was seen of them."""
        for task, journal in self._ledger.journals.items():
            if journal[-1].is_terminal and journal[0].kind == "submitted":
                self._whole(task, journal, has_calmed=has_calmed)
        for sight in self.sights:
            self._seen(sight, has_calmed=has_calmed)
        for task in self.detached:
            self._kept(task)
        for feed in self.feeds.values():
            self.tallies["entries"] += len(feed)
            self.tallies["thoughts"] += sum(isinstance(e.detail, Thought) for _, e in feed)

    def _whole(self, task: TaskId, journal: list[Event], *, has_calmed: bool) -> None:
        """What has ended has all of its facts in its feed, and its outcome in its record."""
        lacks = self.unfinished(task)
        if lacks and has_calmed:
            self._violate(f"task {task} has ended without {lacks}")
        if not lacks or lacks == "its record":
            facts = [event for _, event in self.feeds[task] if event.index]
            if facts != [shown(event) for event in journal]:
                self._violate(f"the feed of {task} has the facts {[e.index for e in facts]}")
        if task in self.records:
            self._recorded(task, journal)

    def _recorded(self, task: TaskId, journal: list[Event]) -> None:
        record, end = self.records[task], journal[-1]
        report = json.loads(record.report_json)
        if not end.is_terminal or record.summary.status != end.kind:
            self._violate(f"the record of {task} says {record.summary.status}, and not {end.kind}")
            return
        self.tallies["records"] += 1
        if report["status"] != end.kind:
            self._violate(f"the report of {task} says {report['status']}")
        if isinstance(end.detail, Answered):
            used, spent = report["usage"], end.detail.spent
            if report["answer"] != end.detail.answer.text:
                self._violate(f"the record of {task} has another answer")
            if spent is not None and used["prompt_tokens"] != spent.prompt_tokens:
                what = f"{used['prompt_tokens']} tokens, and not {spent.prompt_tokens}"
                self._violate(f"the record of {task} counts {what}")

    def _seen(self, sight: Sight, *, has_calmed: bool) -> None:
        """A watcher has seen every event of the feed once and in order, but for the gaps."""
        feed = self.feeds.get(sight.task, [])
        expected = [
            entry
            for entry in feed
            if entry[0] <= sight.cursor
            and not any(after < entry[0] <= until for after, until in sight.gaps)
        ]
        self.tallies["seen"] += len(sight.entries)
        self.tallies["gaps"] += len(sight.gaps)
        if sight.entries != expected:
            places = [str(cursor) for cursor, _ in sight.entries]
            self._violate(f"a watcher of {sight.task} saw {places}")
        if has_calmed and feed and not sight.is_ended:
            self._violate(f"a watcher of {sight.task} never saw its end")

    def _kept(self, task: TaskId) -> None:
        """Nothing but a wish cancels a detached task, and whoever wished is told its end."""
        end = self._ledger.journals.get(task, [])[-1:]
        if end and isinstance(detail := end[0].detail, WasCancelled):
            self.tallies["detached and cancelled"] += 1
            if detail.reason != self.wishes.get(task):
                self._violate(f"detached task {task} was cancelled: {detail.reason}")
        for told in self.ends.get(task, []):
            if not end or shown(end[0]) != told:
                self._violate(f"who cancelled {task} was told {told.kind}")
