"""A cell of data, what it is called, and the row of cells that belong together.

Pure; made by `agents.evidence.data.rows` and `agents.evidence.data.nested_rows`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from agents.evidence.words import UNITS, Word, stem, words

YES = "yes"
"""Key of a cell that says that its name holds; of one that denies it, it is that of a negation."""
_TRUTHS = {
    **dict.fromkeys(("true", "yes", "on", "enabled", "ja", "sí", "oui"), Word(YES, YES, "word")),
    **dict.fromkeys(
        ("false", "no", "off", "disabled", "nein", "non"), Word("not", "no", "word", "not")
    ),
}
UNIT_KEYS = frozenset(stem(name, "en") for name in UNITS.values()).union(UNITS.values())
"""Keys of units, as they stand behind a number."""
CELLS_MAX = 400
"""Of one row no more is read."""
_CELL_WORDS_MAX = 96
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Cell:
    """A value and what it is called."""

    names: frozenset[str]
    """Keys of its column's title, or of its own name and those of what it is part of."""
    words: tuple[Word, ...]
    values: frozenset[str]
    """Keys of its words with content; of all, where it has only little ones: the region 'us'."""
    start: int
    """Where it stands in the passage's text."""

    @classmethod
    def of(cls, name: str, value: str, start: int, language: str) -> Cell:
        """Return the cell with this value, which may be in quotes or say yes or no."""
        bare = value.strip().strip("\"'`,;")
        truth = _TRUTHS.get(bare.lower())
        said = (truth,) if truth and name else words(bare, language)[:_CELL_WORDS_MAX]
        values = frozenset(word.key for word in said if word.has_content)
        values = values or frozenset(word.key for word in said)
        return cls(_name_keys(name, language), said, values, start)

    @property
    def is_truth(self) -> bool:
        """Say whether it only affirms or denies its name."""
        return bool(self.names) and bool(self.values) and self.values <= {YES, "not"}

    @property
    def is_counted(self) -> bool:
        """Say whether it is a number, perhaps with its unit, that a name must tell apart."""
        kinds = [word.kind for word in self.words if word.key not in UNIT_KEYS]
        return bool(self.names) and bool(kinds) and all(kind == "number" for kind in kinds)


@dataclass(frozen=True, slots=True)
class DataRow:
    """Cells that belong together."""

    cells: tuple[Cell, ...]
    keys: frozenset[str]
    """Of all names and values."""

    @classmethod
    def of(cls, cells: Sequence[Cell]) -> DataRow:
        """Return the row of these cells."""
        found = tuple(cells[:CELLS_MAX])
        keys = {key for cell in found for key in (*cell.names, *(w.key for w in cell.words))}
        return cls(found, frozenset(keys))


@lru_cache(maxsize=4096)
def _name_keys(name: str, language: str) -> frozenset[str]:
    """Return the keys of a column's or a setting's name, and of its parts; units have their own."""
    parts = _HUMP.sub(" ", name.replace("_", " ").replace("-", " "))
    said = [*words(name, language), *words(parts, language)]
    units = {UNITS[each] for word in said if (each := word.raw.lower()) in UNITS}
    keys = {word.key for word in said if word.has_content}
    return frozenset(keys.union(stem(unit, language) for unit in units))
