"""Whether one row of data says what a sentence says: the values it gives to the cells it names.

Pure; used by `agents.evidence.data.row_verdict`. A row has no order of words to be held against, so
nothing is weighed: all that a sentence has from the data must stand in the row, and each value must
be that of the cell that the sentence names for it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterator, Sequence

from agents.evidence.data.cells import UNIT_KEYS, YES, Cell, DataRow
from agents.evidence.denials import is_denied_otherwise
from agents.evidence.words import GLUE, NEUTRAL, RELATING, Word, stem

_LET_THROUGH = frozenset({"must", "may", "past", "after"})
"""A row has no tense and no verbs; whatever else limits a sentence it has to say too."""
_TRUTHS = frozenset({YES, "not"})
_SAYS_YES = frozenset({"true", "enabled", "yes"})
_SAYS_NOT = frozenset({"false", "disabled", "off"})
_DENYING = re.compile(r"(?:un|in|dis|non-?)(?=\w{4})")
_LEVELS = frozenset(
    ("debug", "info", "notice", "warn", "warning", "error", "critical", "fatal", "trace")
)
_TOLD = frozenset({"word", "name"})
"""Of a line of a log, what may not be left out between two words of it."""
_NAMES_OF_TRUTHS = frozenset(stem(word, "en") for word in ("enabled", "active"))
_DATED = re.compile(r"\d{4}-\d\d(?:-\d\d)?")
"""What a row may be called by without its name: 'on 2026-06-01 the high is 17'."""
_SAID_MIN = 2
_LONG_MIN = 3
"""Of a value of so many words any may be said where its name is."""


def cells_saying(
    row: DataRow, claim: Sequence[Word], elsewhere: Container[str], given: frozenset[str]
) -> tuple[Cell, ...]:
    """Return the cells of a row that say what a sentence says; empty where it doesn't.

    Args:
        row: of one passage.
        claim: the sentence's words.
        elsewhere: keys of all rows of the passage: what stands in another one, a sentence about
            this one may not say.
        given: keys that a sentence may have from elsewhere: of titles, names around.
    """
    for is_named in (True, False):
        said = _read_by(row, claim, is_named=is_named)
        if _may_say(row, said, elsewhere, given) and _is_as_told(row, said):
            found = _valued(row, said)
            if found and _is_of_its_cell(found, said):
                return found
    return ()


def _read_by(row: DataRow, claim: Sequence[Word], *, is_named: bool) -> list[Word]:
    """Return a sentence's words with content as a row has them: 'disabled' denies.

    A little word counts where it is all of a value whose name is said: the region 'us'. With
    ``is_named`` a word such as 'enabled' is the name of a cell where there is one.
    """
    keys = frozenset(word.key for word in claim)
    names = frozenset[str]().union(*(cell.names for cell in row.cells))
    little = {key for cell in row.cells if cell.names & keys for key in cell.values}
    found: list[Word] = []
    for word in claim:
        lower = word.raw.lower()
        if not word.has_content and word.key not in little:
            continue
        is_name = word.key in names and (is_named or lower not in _SAYS_YES)
        if is_name or word.guard or word.kind != "word":
            found.append(word)
        elif lower in _SAYS_YES:
            found.append(word._replace(key=YES))
        elif lower in _SAYS_NOT:
            found.append(word._replace(key="not", guard="not"))
        elif (root := stem(_DENYING.sub("", lower, count=1), "en")) != word.key and root in names:
            found += [word._replace(key="not", guard="not"), word._replace(key=root)]
        else:
            found.append(word)
    return found


def _may_say(
    row: DataRow, said: Sequence[Word], elsewhere: Container[str], given: frozenset[str]
) -> bool:
    """Say whether a row has all that a sentence says, but neutral words and what is given."""
    known = 0
    for at, word in enumerate(said):
        if word.key in row.keys:
            known += 1
            continue
        is_after_number = word.guard == "after" and [w.kind for w in said[at + 1 : at + 2]] == [
            "number"
        ]
        is_free = _is_neutral(word) or (word.guard in _LET_THROUGH and not is_after_number)
        is_unit = word.key in UNIT_KEYS
        if word.key in elsewhere or not (is_free or (word.key in given and not is_unit)):
            return False
    return known >= _SAID_MIN and not _is_repeated(row, said)


def _is_neutral(word: Word) -> bool:
    """Say whether a word says nothing of a row, also in English about a table of another language.

    A name is none: its first letter is large, and the row has to have it.
    """
    lower = word.raw.lower()
    is_known = lower in GLUE["en"] or stem(lower, "en") in NEUTRAL | RELATING
    return word.kind == "word" and is_known


def _is_as_told(row: DataRow, said: Sequence[Word]) -> bool:
    """Say whether a sentence tells a line without names as it does.

    In its order, and without leaving out a word between those that it has: 'failed to connect'.
    """
    keys = [word.key for word in said]
    for cell in row.cells:
        told = _message(cell.words) if not cell.names else []
        there = {word.key for word in told}
        used = [key for key in keys if key in there]
        if not used:
            continue
        places = [[w.key for w in told].index(key) for key in dict.fromkeys(used)]
        between = told[min(places) : max(places) + 1]
        is_whole = all(w.key in keys for w in between if w.has_content and w.kind in _TOLD)
        is_denied = is_denied_otherwise(said, [told], frozenset(), shared_min=1)
        if places != sorted(places) or not is_whole or is_denied:
            return False
    return True


def _message(line: Sequence[Word]) -> Sequence[Word]:
    """Return a line of a log behind its time and its level."""
    for at, word in enumerate(line):
        if word.kind != "number" and word.raw.lower() not in _LEVELS:
            return line[at:]
    return []


def _is_repeated(row: DataRow, said: Sequence[Word]) -> bool:
    """Say whether a number or a negation is said more often than the row has it."""
    there = Counter(word.key for cell in row.cells for word in cell.words)
    counts = Counter(word.key for word in said if word.kind == "number" or word.guard == "not")
    return any(count > max(1, there[key]) for key, count in counts.items())


def _valued(row: DataRow, said: Sequence[Word]) -> tuple[Cell, ...]:
    """Return the cells whose values a sentence gives; empty where it gives them to others."""
    keys = frozenset(word.key for word in said)
    given = [cell for cell in row.cells if _is_given(row, cell, keys)]
    counted = sum(cell.is_counted for cell in row.cells)
    chosen: dict[int, Cell] = {}
    for word, after in zip(said, (*(w.key for w in said[1:]), ""), strict=True):
        having = [cell for cell in given if word.key in cell.values]
        if not having:
            continue
        best = max(having, key=lambda cell: len(cell.names & keys))
        is_dated = best is row.cells[0] and _DATED.fullmatch(word.key) is not None
        is_bare = best.is_counted and not best.names & keys and counted > 1 and not is_dated
        if is_bare or _is_as_well(row, best, given, keys) or _is_of_things(row, best, after):
            return ()
        chosen[id(best)] = best
    for cell in given:
        if cell.values <= _TRUTHS and cell.names:
            chosen[id(cell)] = cell
    found = tuple(chosen.values())
    names = {key for cell in row.cells for key in cell.names}
    values = {key for cell in found for key in cell.values}
    explained = values.union(*(cell.names for cell in found))
    if not found or (keys & (names | _TRUTHS)) - explained:
        return ()
    return found if _is_in_order(found, said) and not _is_relating(found, said) else ()


def _is_as_well(row: DataRow, best: Cell, given: Sequence[Cell], keys: frozenset[str]) -> bool:
    """Say whether a cell whose value isn't said is named better than one whose value is.

    Of two numbers none may be named as well ('order 1009 costs 6' where it has six items and a
    total), but for the first cell, by which its row is called.
    """
    named = best.names & keys
    is_first = best is row.cells[0]
    explained = frozenset[str]().union(*(cell.names for cell in given))
    for cell in row.cells:
        there = cell.names & keys
        if any(cell is each for each in given) or (is_first and not named and there <= explained):
            continue
        is_number = best.is_counted and cell.is_counted and cell.names != best.names
        if named < there or (named == there and is_number and not is_first):
            return True
    return False


def _is_of_things(row: DataRow, best: Cell, after: str) -> bool:
    """Say whether a number is said to be how many there are of what the row is one of.

    'The queue has 20 consumers' where one of its consumers has 20 of something.
    """
    others = (cell.names for cell in row.cells if not (cell.is_counted or cell.is_truth))
    return best.is_counted and after in best.names and any(after in names for names in others)


def _is_relating(cells: Sequence[Cell], said: Sequence[Word]) -> bool:
    """Say whether a verb of the sentence's own joins two values whose names it doesn't say."""
    keys = frozenset(word.key for word in said)
    bare = [cell for cell in cells if cell.names and not cell.names & keys]
    own = {stem(word.raw.lower(), "en") for word in said if word.kind == "word"}
    return len(bare) > 1 and not own.isdisjoint(RELATING)


def _is_given(row: DataRow, cell: Cell, keys: frozenset[str]) -> bool:
    """Say whether a sentence has a cell's value, or so much of it that it speaks of it."""
    if not cell.names:
        return bool(cell.values & keys)
    if cell.values and cell.values <= _TRUTHS:
        others = {key for each in row.cells if each is not cell for key in each.names}
        # Of `is_dimmed` a sentence has the parts and not the whole.
        own = {key for key in cell.names - others - _NAMES_OF_TRUTHS if key.isalnum()}
        # Of a section whose one value is 'enabled' nothing is affirmed where it is only named.
        is_told = bool(own) or not keys.isdisjoint(_TRUTHS | (cell.names & _NAMES_OF_TRUTHS))
        is_named = bool(cell.names & keys) and own <= keys and is_told
        return is_named and ("not" in keys) is ("not" in cell.values)
    is_one = len({word.raw for word in cell.words}) == 1
    if is_one and not cell.values <= keys:
        return False  # Of `db1.example` also `db2.example` has a part.
    given = len(cell.values & keys)
    is_long = len(cell.values) >= _LONG_MIN and bool(cell.names & keys)
    return given > 0 and (is_long or 2 * given >= len(cell.values))


def _is_of_its_cell(cells: Sequence[Cell], said: Sequence[Word]) -> bool:
    """Say whether what affirms or denies stands beside the name of a cell that says so."""
    heard = [word for word in said if not _is_neutral(word)]
    for at, word in enumerate(heard):
        if word.key not in _TRUTHS:
            continue
        beside = {each.key for each in heard[max(0, at - 1) : at + 2]}
        having = [cell for cell in cells if word.key in cell.values]
        if not any(cell.names & beside or not cell.values <= _TRUTHS for cell in having):
            return False
    return True


def _is_in_order(cells: Sequence[Cell], said: Sequence[Word]) -> bool:
    """Say whether values follow each other as the names of their cells do."""
    order = list(_placed(cells, said))
    by_name = [value for _, value in sorted(order)]
    return by_name == sorted(by_name)


def _placed(cells: Sequence[Cell], said: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """Yield of each cell that is named by a word of its own where its name and value stand."""
    for cell in cells:
        # The unit of a number in XML is named as the number is, and by a word more.
        apart = [each for each in cells if each is not cell and not each.names > cell.names]
        others = {key for each in apart for key in each.names | each.values}
        names = [at for at, w in enumerate(said) if w.key in cell.names - others - cell.values]
        values = [at for at, w in enumerate(said) if w.key in cell.values - others]
        if names and values:
            yield names[0], values[0]
