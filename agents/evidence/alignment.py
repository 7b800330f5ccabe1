"""A sentence laid along one of a source, word by word: what was added, dropped, replaced, moved.

Pure. The closer a sentence is to its source, the more a single change says: where nearly all of it
stands there, another number, name or word, a 'not' on one side or a changed order makes it another
statement. `agents.evidence.verdict` decides what follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from rapidfuzz.distance import Indel, MatchingBlock

from agents.evidence.words import PRONOUNS, SIGN, Word

VERBATIM = 0.85
"""From this closeness on, a single word that moved counts."""
_SHORT = 8
"""Of so many words a sentence is judged by each that was dropped or moved."""
_CONDITIONS = frozenset({"if", "unless", "only"})
_CLAUSE_WORDS_MIN = 2
_LEAD_IN_MAX = 3
_NAME_MAX = 5
_NAMES = frozenset({"name", "mixed", "code"})
_CODE = frozenset({"mixed", "code"})
_AMOUNTS = frozenset({"more", "less", "about", "least", "at-most", "most", "few"})
_EDGE_GUARDS = _CONDITIONS | _AMOUNTS | {"not"}


class Reason(StrEnum):
    """What a sentence says otherwise than its source."""

    NUMBER = "number"
    UNIT = "unit"
    NAME = "name"
    NEGATION = "negation"
    LIMIT = "limit"
    ORDER = "order"
    WORD = "word"


@dataclass(frozen=True, slots=True)
class _Change:
    """A run of the source's words and the run of the sentence that stands in its place."""

    old: tuple[Word, ...]
    new: tuple[Word, ...]
    before: Word | None
    """The last word that both have before it; None at the head."""
    is_tail: bool
    is_left_open: bool = False
    """Whether a mark such as a comma follows what is new."""
    is_closed: bool = False
    """Whether a clause of the source begins behind what is old."""
    is_clause_next: bool = False
    """Whether a clause begins in the source behind what is old."""


class Alignment:
    """How a sentence lies along one of a source.

    What it says otherwise is looked for when it is asked for: most lie too far away for it.
    """

    def __init__(
        self, claim: Sequence[Word], source: Sequence[Word], known: frozenset[str]
    ) -> None:
        """Lay a sentence along one of a source.

        Args:
            claim: the sentence's words, at least one.
            source: those of the source's sentence.
            known: keys that may be added without changing what is said: of the goal, of titles.
        """
        self._claim, self._source, self._known = claim, source, known
        self._changes, matched = _changes(claim, source)
        free = sum(len(change.new) for change in self._changes if _is_named(change, known))
        closeness = matched / len(claim)
        if matched > free and matched / (len(claim) - free) >= VERBATIM:
            closeness = matched / (len(claim) - free)
        self.closeness = closeness
        """Share of its words that stand there in the same order, from 0 to 1."""
        self.missing = len(claim) - matched
        """Its words that don't stand there in the same order."""

    @cached_property
    def overlap(self) -> float:
        """Share of its words with content that stand there in any order, from 0 to 1."""
        there = {word.key for word in self._source}
        said = [word.key in there for word in self._claim if word.kind != "glue"]
        return sum(said) / max(1, len(said))

    @property
    def faults(self) -> frozenset[Reason]:
        """What is said otherwise; of these `Reason.WORD` may be a mere synonym."""
        return self._judged[0]

    @property
    def is_verbatim(self) -> bool:
        """Say whether nothing with content was added or dropped, and a clause begins there."""
        return self._judged[1]

    @cached_property
    def exchanged(self) -> Reason | None:
        """What one number or identifier is that stands in the very place of another."""
        found = next((reason for each in self._changes if (reason := _exchanged(each))), None)
        is_repeated = found is None and _is_repeated(self._claim, self._source, self._known)
        return Reason.NAME if is_repeated else found

    @cached_property
    def _judged(self) -> tuple[frozenset[Reason], bool]:
        known = self._known.union([word.key for word in self._source])
        claimed = {word.key for word in self._claim}
        is_short = len(self._claim) <= _SHORT
        is_near = self.closeness >= VERBATIM
        faults: set[Reason] = set()
        is_verbatim = True
        gone = _gone(self._changes)
        for change in self._changes:
            if is_short and _is_torn(change, claimed):
                faults.add(Reason.WORD)
            if change.before is None or change.is_tail:
                is_verbatim &= _is_edge(change, faults)
            else:
                is_verbatim &= not any(word.has_content for word in change.old)
                _compare_guards(change, faults)
            is_verbatim &= _is_lead_in(change) or all(
                not word.has_content or word.key in known for word in change.new
            )
            _compare_content(change, gone, known, faults)
            if is_near and _is_hollow(change):
                faults.add(Reason.WORD)
            if _is_seam(change):
                faults.add(Reason.ORDER)
        if _is_moved(self._changes, gone, is_strict=is_near, is_short=is_short):
            faults.add(Reason.ORDER)
        return frozenset(faults), is_verbatim


def _gone(changes: Sequence[_Change]) -> dict[str, int]:
    """Return of each word with content that was dropped the last change that dropped it."""
    return {
        word.key: at
        for at, change in enumerate(changes)
        for word in change.old
        if word.kind != "glue" and not word.guard
    }


def _changes(claim: Sequence[Word], source: Sequence[Word]) -> tuple[list[_Change], int]:
    old_keys, new_keys = [w.key for w in source], [w.key for w in claim]
    found: list[_Change] = []
    matched = 0
    old_at = new_at = 0
    for block in _early(Indel.editops(old_keys, new_keys).as_matching_blocks(), old_keys):
        if block.a > old_at or block.b > new_at:
            before = source[old_at - 1] if matched else None
            is_tail = not block.size and bool(matched)
            change = _Change(
                tuple(source[old_at : block.a]),
                tuple(claim[new_at : block.b]),
                before,
                is_tail,
                block.b < len(claim) and claim[block.b].opens,
                block.a >= len(source) or source[block.a].opens,
                block.a < len(source) and source[block.a].opens,
            )
            found.append(change)
        if block.size and not matched and block.a and not found:
            found.append(_Change(tuple(source[: block.a]), (), None, is_tail=False))
        matched += block.size
        old_at, new_at = block.a + block.size, block.b + block.size
    if found and found[0].before is None and old_at:
        first = found[0]
        at = len(first.old)
        if 0 < at < len(source) and not source[at].opens:
            found[0] = replace(first, old=(*first.old, _UNOPENED))
    return found, matched


def _early(blocks: Sequence[MatchingBlock], old: Sequence[str]) -> list[MatchingBlock]:
    """Return matching blocks with what was dropped between two as far behind as can be.

    Of 'the queue algorithm, also known as the priority queue algorithm' the first half is meant.
    """
    found: list[MatchingBlock] = []
    for block in blocks:
        a, b, size = block.a, block.b, block.size
        while found and size and found[-1].b + found[-1].size == b:
            last = found[-1]
            if old[last.a + last.size] != old[a]:
                break
            found[-1] = MatchingBlock(last.a, last.b, last.size + 1)
            a, b, size = a + 1, b + 1, size - 1
        if size or block is blocks[-1]:
            found.append(MatchingBlock(a, b, size))
    return found


_UNOPENED = Word("", "", "glue", "unopened")
"""Stands at the end of what was dropped at the head, where no clause begins behind it."""


def _is_edge(change: _Change, faults: set[Reason]) -> bool:
    """Judge what of the source was dropped before or behind the sentence."""
    if change.is_tail:
        near = tuple(_until_clause(change.old))
    else:
        near = tuple(_until_clause(change.old[::-1], is_reversed=True))
    dropped = {word.guard for word in _until_content(near) if word.guard in _EDGE_GUARDS}
    dropped |= {word.guard for word in change.old if word.guard in _CONDITIONS - {"only"}}
    added = {word.guard for word in change.new if word.guard}
    if dropped ^ (added & _EDGE_GUARDS):
        faults.add(_reason(dropped ^ (added & _EDGE_GUARDS)))
    faults.update({Reason.LIMIT} if added - _EDGE_GUARDS - {w.guard for w in change.old} else ())
    content = any(word.has_content and not word.guard for word in near)
    return not (change.old and change.old[-1] is _UNOPENED and content)


def _is_torn(change: _Change, claimed: set[str]) -> bool:
    """Say whether what was dropped is a part of a clause and no clause, so that others join.

    A phrase that stands elsewhere was moved.
    """
    if change.new or not _says([word for word in change.old if word.key not in claimed]):
        return False
    if change.before is None:
        return change.old[-1] is _UNOPENED
    if change.is_tail:
        is_date = not _says([word for word in change.old if word.kind != "number"])
        return not is_date and not change.old[0].opens
    return not change.is_clause_next


def _until_clause(words: Sequence[Word], *, is_reversed: bool = False) -> Iterator[Word]:
    for at, word in enumerate(words):
        if word.opens and not is_reversed and at:
            return
        yield word
        if word.opens and is_reversed:
            return


def _until_content(words: Sequence[Word]) -> Iterator[Word]:
    for word in words:
        if word.has_content and not word.guard:
            return
        yield word


def _compare_guards(change: _Change, faults: set[Reason]) -> None:
    old = {word.guard for word in change.old if word.guard}
    new = {word.guard for word in change.new if word.guard}
    if _is_clause(change.old):
        old &= new
    if old != new:
        faults.add(_reason(old ^ new))


def _is_clause(words: Sequence[Word]) -> bool:
    """Say whether dropped words are a clause of their own: what it denies, it denies in itself."""
    says = sum(word.has_content and not word.guard for word in words)
    return bool(words) and words[0].opens and says >= _CLAUSE_WORDS_MIN


def _is_named(change: _Change, known: frozenset[str]) -> bool:
    """Say whether a sentence only names what its source calls 'it', or begins with a label."""
    if change.before is not None or _says(change.old):
        return False
    is_known = all(not word.has_content or word.key in known for word in change.new)
    return _is_lead_in(change) or (is_known and _length(change.new) <= _NAME_MAX)


def _is_seam(change: _Change) -> bool:
    """Say whether the head of a clause was joined to the tail of the next: who did what is lost."""
    starts = [at for at, word in enumerate(change.old) if word.opens]
    is_within = change.before is not None and not change.is_tail and not change.is_closed
    if not starts or not starts[0] or not is_within or _says(change.new):
        return False
    return _says(change.old[: starts[0]]) and _says(change.old[starts[-1] :])


def _reason(guards: set[str]) -> Reason:
    return Reason.NEGATION if "not" in guards else Reason.LIMIT


def _compare_content(
    change: _Change, gone: Mapping[str, int], known: frozenset[str], faults: set[Reason]
) -> None:
    if _is_lead_in(change):
        return
    old = [word for word in change.old if word.has_content and not word.guard]
    is_after_number = change.before is not None and change.before.kind == "number"
    for word in change.new:
        if not word.has_content or word.guard or word.key in gone:
            continue
        if word.kind == "number":
            if word.key not in known or any(each.kind == "number" for each in old):
                faults.add(Reason.NUMBER)
        elif not old and (word.key in known):
            continue
        elif old and is_after_number:
            faults.add(Reason.UNIT)
        else:
            is_subject = change.before is None and bool(old)
            is_name = is_subject or any(each.kind in _NAMES for each in (word, *old))
            faults.add(Reason.NAME if is_name else Reason.WORD)


def _exchanged(change: _Change) -> Reason | None:
    """Return what a single number or identifier is that stands for another one."""
    if change.before is None or change.is_tail:
        return None
    old, new = ([w for w in run if w.has_content] for run in (change.old, change.new))
    if not old or not new or old[-1].key == new[-1].key:
        return None
    if len(old) == len(new) == 1 and old[0].kind == new[0].kind == "number":
        return Reason.NUMBER
    is_named = old[0].raw == old[-1].raw and new[0].raw == new[-1].raw
    return Reason.NAME if is_named and old[-1].kind in _CODE and new[-1].kind in _CODE else None


def _is_repeated(claim: Sequence[Word], source: Sequence[Word], given: frozenset[str]) -> bool:
    """Say whether a sentence has an identifier more often than its source does."""
    said = [word.key for word in claim if word.kind in _CODE and word.key not in given]
    if len(said) == len(set(said)):
        return False
    there = [word.key for word in source]
    return any(0 < there.count(key) < said.count(key) for key in said)


def _is_hollow(change: _Change) -> bool:
    """Say whether a little word stands for one with content, or the other way round.

    A pronoun may: it stands for what was named.
    """
    if not change.old or not change.new or change.before is None:
        return False
    little = change.old if _says(change.new) else change.new
    is_pronoun = any(word.key in PRONOUNS for word in little)
    return _says(change.old) != _says(change.new) and not is_pronoun


def _is_lead_in(change: _Change) -> bool:
    """Say whether a word or two such as 'Instead,' were put before the sentence."""
    return (
        change.before is None
        and change.is_left_open
        and not _says(change.old)
        and _length(change.new) <= _LEAD_IN_MAX
        and all(word.kind in ("word", "glue") and not word.guard for word in change.new)
    )


def _length(words: Sequence[Word]) -> float:
    """Return how many words these are; where each sign is read, two are one."""
    return sum(0.5 if SIGN.fullmatch(word.raw) else 1.0 for word in words)


def _says(words: Sequence[Word]) -> bool:
    return any(word.has_content and not word.guard for word in words)


def _is_moved(
    changes: Sequence[_Change], gone: Mapping[str, int], *, is_strict: bool, is_short: bool
) -> bool:
    """Say whether words stand in another order, so that they may have changed their parts.

    One phrase that moved as a whole says the same, and so does a single word at the head or the
    tail; a word in the place of another, or two that changed places, don't.
    """
    phrases = 0
    for at, change in enumerate(changes):
        moved = [w for w in change.new if w.has_content and not w.guard and w.key in gone]
        if any(gone[w.key] != at for w in moved):
            is_edge = change.before is None or change.is_tail or change.new[0].opens
            is_plain = not _says(change.old) and all(w.kind == "word" for w in moved)
            is_free = is_edge and not (is_short and _says(change.old))
            if not is_free and (is_strict or not is_plain):
                return True
            phrases += 1
        for place in {gone[w.key] for w in moved if is_short or gone[w.key] == at}:
            keys = dict.fromkeys(w.key for w in moved if gone[w.key] == place)
            if [*keys] != [*dict.fromkeys(w.key for w in changes[place].old if w.key in keys)]:
                return True
    return phrases > 1
