"""Which rows of the data say a sentence: one all of it, or each a clause that calls it.

Pure; used by `agents.evidence.backing`. What one row says is decided in
`agents.evidence.data.row_values`.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import pairwise

from agents.evidence.data.cells import UNIT_KEYS, Cell, DataRow
from agents.evidence.data.row_values import cells_saying
from agents.evidence.data.rows import Data
from agents.evidence.features import Sources
from agents.evidence.words import Word, as_written_there, words

_NAMES = frozenset({"name", "mixed", "code"})
_JOINT = re.compile(
    r"[;,]\s+(?:(?:and|while|whereas|but|und|während|aber)\s+)?"
    r"|\s(?:and|while|whereas|but|und|während|aber)\s+"
)
_CLAUSES_MAX = 8
_SEVERAL = re.compile(r"(?i)\b(?:both|each|respectively|they|them|their|these|beiden?|jeweils)\b")
"""Says of several rows at once what no clause says by itself."""


class RowJudge:
    """Holds sentences against the rows of passages that were laid out."""

    def __init__(self, texts: Sequence[tuple[str, str]], sources: Sources, known: str) -> None:
        """Take the passages with their titles, as `sources` were made of them, and the question."""
        places = [(unit.source, unit.span) for unit in sources.units]
        self._data = Data.of(texts, sources.languages, places)
        self._sources = sources
        self._given = {source: self._keys_around(source, known) for source in self._data.rows}
        self._elsewhere = {
            source: frozenset().union(*(row.keys for row in rows))
            for source, rows in self._data.rows.items()
        }
        self._said: dict[str, tuple[int, ...]] = {}
        """All there were: a text that is being written is judged again and again."""

    def _keys_around(self, source: int, known: str) -> frozenset[str]:
        """Return the keys of a passage's titles, and of names elsewhere in it or in the question.

        Verbs and adjectives of the question or the text around say nothing of a row, and a number
        that is asked about is not yet an answer.
        """
        asked = words(known, self._sources.languages[source])
        around = (
            word
            for at, unit in enumerate(self._sources.units)
            if unit.source == source and at not in self._data.units
            for word in unit.words
        )
        titles = {word.key for word in self._sources.titles[source] if not word.guard}
        names = {word.key for word in asked if word.kind in _NAMES}
        hard = (word.key for word in around if word.kind == "number" or word.kind in _NAMES)
        return frozenset(titles.union(names, hard))

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
            teller = _Teller(rows, self._elsewhere[source], self._given[source])
            said = teller.cells_saying(words(settled, language))
            if said is None:
                said = teller.cells_of_clauses(settled, language)
            if said is not None:
                return self._data.units_of(source, said)
        return ()


@dataclass(frozen=True, slots=True)
class _Teller:
    """The rows of one passage."""

    rows: Sequence[DataRow]
    elsewhere: Container[str]
    """What stands in any of them: a sentence about one may not say what another one has."""
    given: frozenset[str]
    """Keys that a sentence may have from elsewhere: of titles, names around."""

    def cells_saying(self, claim: Sequence[Word]) -> tuple[Cell, ...] | None:
        """Return the cells of one row that say what a sentence says; None where no row does."""
        found = (self._said_by(row, claim) for row in self.rows)
        return next((cells for cells in found if cells), None)

    def _said_by(self, row: DataRow, claim: Sequence[Word]) -> tuple[Cell, ...]:
        return cells_saying(row, claim, self.elsewhere, self.given)

    def cells_of_clauses(self, text: str, language: str) -> tuple[Cell, ...] | None:
        """Return the cells that say clauses each by a row that it calls by its first cell.

        Neighbouring clauses may be about one row; as many are as can be.
        """
        places = _clauses(text)
        if not 1 < len(places) <= _CLAUSES_MAX or _SEVERAL.search(text):
            return None
        found: list[Cell] = []
        lent: tuple[Word, ...] = ()
        at = 0
        while at < len(places):
            for end in range(len(places), at, -1):
                head = words(text[slice(*places[at])], language)
                claim = words(text[places[at][0] : places[end - 1][1]], language)
                told = self._called({word.key for word in head}, claim, lent)
                if told is not None:
                    break
            else:
                return None
            row, cells = told
            lent = _names_said(row, claim) or lent
            found += cells
            at = end
        return tuple(found)

    def _called(
        self, head: AbstractSet[str], claim: Sequence[Word], lent: Sequence[Word]
    ) -> tuple[DataRow, tuple[Cell, ...]] | None:
        """Return the row that clauses call by its first cell, and the cells that say them.

        ``head`` has the keys of the first of them. Clauses without a name of a value have those
        of the one before: '30 for billing and 40 for search'.
        """
        for row in self.rows:
            called = row.cells[0].values if row.cells else frozenset()
            if called and called <= head:
                whole = _with_lent(claim, lent) if not _names_said(row, claim) else claim
                if cells := self._said_by(row, whole):
                    return row, cells
        return None


def _with_lent(claim: Sequence[Word], lent: Sequence[Word]) -> list[Word]:
    """Return a clause with the names of the one before: ahead of its values, behind its 'not'."""
    is_denied = any(word.guard == "not" for word in claim)
    return [*claim, *lent] if is_denied else [*lent, *claim]


def _clauses(text: str) -> list[tuple[int, int]]:
    """Return where the clauses of a sentence begin and end."""
    joints = [(0, 0), *(joint.span() for joint in _JOINT.finditer(text)), (len(text), len(text))]
    places = ((start, end) for (_, start), (end, _) in pairwise(joints))
    return [(start, end) for start, end in places if text[start:end].strip()]


def _names_said(row: DataRow, claim: Sequence[Word]) -> tuple[Word, ...]:
    """Return the words of a clause that name a value, the unit of a number and its row aside."""
    first = row.cells[0]
    names = frozenset[str]().union(*(cell.names for cell in row.cells if cell is not first))
    before = (None, *claim)
    return tuple(
        word
        for last, word in zip(before, claim, strict=False)
        if word.key in names - first.names and not _is_unit(last, word)
    )


def _is_unit(last: Word | None, word: Word) -> bool:
    is_behind = last is not None and last.kind == "number"
    return is_behind and (word.key in UNIT_KEYS or word.raw.isupper() or not word.raw.isalnum())
