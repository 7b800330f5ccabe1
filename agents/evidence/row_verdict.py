"""Whether a row of data says what a sentence says: the values it gives to the cells it names.

Pure; used by `agents.evidence.backing`. A row has no order of words to be held against, so nothing
is weighed: all that a sentence has from the data must stand in one row, and each value must be that
of the cell that the sentence names for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rapidfuzz.distance import LCSseq

from agents.evidence.denials import is_denied_otherwise
from agents.evidence.features import Sources
from agents.evidence.rows import YES, Cell, Data, DataRow
from agents.evidence.words import UNITS, Word, as_written_there, stem, words

_TURNS = frozenset(
    (
        "not",
        "only",
        "unless",
        "all",
        "most",
        "few",
        "more",
        "less",
        "above",
        "below",
        "former",
        "about",
        "least",
        "at-most",
    )
)
"""What a row has to say too: it has no tense and no verbs, so may, must and was are let through."""
_HARD = frozenset({"number", "name", "mixed", "code"})
_TRUTHS = frozenset({YES, "not"})
_UNIT_KEYS = frozenset(stem(name, "en") for name in UNITS.values()).union(UNITS.values())
"""Keys of units, as they stand behind a number."""
_SAID_MIN = 2
_LONG_MIN = 3
"""Of a value of so many words any may be said where its name is."""
_IN_ORDER_MIN = 0.6


class RowJudge:
    """Holds sentences against the rows of passages that were laid out."""

    def __init__(self, texts: Sequence[tuple[str, str]], sources: Sources, known: str) -> None:
        """Take the passages with their titles, as `sources` were made of them, and the question."""
        places = [(unit.source, unit.span) for unit in sources.units]
        self._data = Data.of(texts, sources.languages, places)
        self._sources = sources
        self._given = {source: self._keys_around(source, known) for source in self._data.rows}
        self._said: dict[str, tuple[int, ...]] = {}
        """All there were: a text that is being written is judged again and again."""

    def _keys_around(self, source: int, known: str) -> frozenset[str]:
        """Return the keys of the question, of a passage's titles and of what in it is no data."""
        said = [*words(known, self._sources.languages[source]), *self._sources.titles[source]]
        keys = {word.key for word in said if word.has_content}
        for at, unit in enumerate(self._sources.units):
            if unit.source == source and at not in self._data.units:
                keys |= unit.there
        return frozenset(keys)

    def is_data(self, units: Sequence[int]) -> bool:
        """Say whether at least half of these units are parts of rows."""
        found = len(self._data.units.intersection(units))
        return bool(found) and 2 * found >= len(units)

    def units_saying(self, sentence: str) -> tuple[int, ...]:
        """Return the units of the row that says what a sentence says; empty where none does."""
        if sentence not in self._said:
            self._said[sentence] = self._units_saying(sentence)
        return self._said[sentence]

    def _units_saying(self, sentence: str) -> tuple[int, ...]:
        for source, rows in self._data.rows.items():
            language = self._sources.languages[source]
            settled = as_written_there(sentence, language, self._sources.has_digits)
            said = cells_saying(words(settled, language), rows, self._given[source])
            if said is not None:
                return self._data.units_of(source, said)
        return ()


def cells_saying(
    claim: Sequence[Word], rows: Sequence[DataRow], given: frozenset[str]
) -> tuple[Cell, ...] | None:
    """Return the cells of one row that say what a sentence says; None where no row does.

    Args:
        claim: the sentence's words.
        rows: those of one passage: what stands in another one of them, a sentence about this row
            may not say.
        given: keys that a sentence may have from elsewhere: of the question, titles, the text
            around.
    """
    said = [word for word in claim if word.has_content]
    elsewhere = Counter(key for row in rows for key in row.keys)
    for row in rows:
        if _may_say(row, said, elsewhere, given) and _is_as_told(row, claim):
            found = _valued(row, said)
            if found:
                return found
    return None


def _may_say(
    row: DataRow, said: Sequence[Word], elsewhere: Counter[str], given: frozenset[str]
) -> bool:
    known = unknown = 0
    for word in said:
        if word.key in row.keys:
            known += 1
            continue
        is_hard = word.kind in _HARD or word.guard in _TURNS or word.key in _UNIT_KEYS
        if elsewhere[word.key] or (is_hard and word.key not in given):
            return False
        unknown += not word.guard and word.key not in given
    return known >= _SAID_MIN and unknown <= known and not _is_repeated(row, said)


def _is_as_told(row: DataRow, claim: Sequence[Word]) -> bool:
    """Say whether a sentence tells a line without names in its order, and denies what it denies."""
    if all(cell.names for cell in row.cells):
        return True
    told = [word for cell in row.cells if not cell.names for word in cell.words]
    said = [word.key for word in claim if word.has_content]
    in_order = LCSseq.similarity(said, [word.key for word in told])
    there = {word.key for word in told}
    is_near = in_order >= _IN_ORDER_MIN * sum(key in there for key in said)
    return is_near and not is_denied_otherwise(claim, [told], frozenset(), shared_min=1)


def _is_repeated(row: DataRow, said: Sequence[Word]) -> bool:
    """Say whether a number is said more often than the row has it."""
    there = Counter(word.key for cell in row.cells for word in cell.words)
    counts = Counter(word.key for word in said if word.kind == "number")
    return any(count > max(1, there[key]) for key, count in counts.items())


def _valued(row: DataRow, said: Sequence[Word]) -> tuple[Cell, ...]:
    """Return the cells whose values a sentence gives; empty where it gives them to others."""
    keys = frozenset(word.key for word in said)
    given = [cell for cell in row.cells if _is_given(cell, keys)]
    silent = [cell for cell in row.cells if not _is_given(cell, keys)]
    chosen: dict[int, Cell] = {}
    for word in said:
        having = [cell for cell in given if word.key in cell.values]
        if not having:
            continue
        best = max(having, key=lambda cell: len(cell.names & keys))
        named = best.names & keys
        if word.kind == "number" and any(named < cell.names & keys for cell in silent):
            return ()
        chosen[id(best)] = best
    for cell in given:
        if cell.values <= _TRUTHS and cell.names:
            chosen[id(cell)] = cell
    found = tuple(chosen.values())
    names = {key for cell in row.cells for key in cell.names}
    values = {key for cell in found for key in cell.values}
    explained = values.union(*(cell.names for cell in found))
    if not found or (keys & names) - explained:
        return ()
    return found if _is_in_order(found, said) else ()


def _is_given(cell: Cell, keys: frozenset[str]) -> bool:
    """Say whether a sentence has a cell's value, or so much of it that it speaks of it."""
    if not cell.names:
        return bool(cell.values & keys)
    if cell.values and cell.values <= _TRUTHS:
        return bool(cell.names & keys) and ("not" in keys) is ("not" in cell.values)
    given = len(cell.values & keys)
    is_long = len(cell.values) >= _LONG_MIN and bool(cell.names & keys)
    return given > 0 and (is_long or 2 * given >= len(cell.values))


def _is_in_order(cells: Sequence[Cell], said: Sequence[Word]) -> bool:
    """Say whether values follow each other as the names of their cells do."""
    order = list(_placed(cells, said))
    by_name = [value for _, value in sorted(order)]
    return by_name == sorted(by_name)


def _placed(cells: Sequence[Cell], said: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """Yield of each cell that is named by a word of its own where its name and value stand."""
    for cell in cells:
        others = {key for each in cells if each is not cell for key in each.names | each.values}
        names = [at for at, w in enumerate(said) if w.key in cell.names - others - cell.values]
        values = [
            at for at, w in enumerate(said) if w.kind == "number" and w.key in cell.values - others
        ]
        if names and values:
            yield names[0], values[0]
