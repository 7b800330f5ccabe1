"""Candidate programs: what is wrong with each, and which is best.

Pure. `agents.coder` lets candidates be written, run and repaired; whether one that ran is what
was asked for is decided here.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from agents.brief import Brief
from agents.claims import read
from agents.lexicon import stem
from agents.prose import code_blocks
from cluster.kernel.tasks import Run

OVERLAP_MIN = 0.34
"""Share of what it is to be about that a program has to have where nothing else speaks for it."""
_PYTHON = frozenset({"", "python", "python3", "py", "py3"})
_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+(?:\.\d+)?")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_NO_RESULT = re.compile(
    r"(?:None|<[\w. ]+ at 0x\w+>)\s*|(?:Traceback|Error|Exception)\b.*", re.DOTALL
)
_OUTPUT_LENGTH_MAX = 2_000
_SUBSTRING_MIN = 4


@dataclass(frozen=True, slots=True)
class Candidate:
    """A program that was run; ``origin`` is ``model`` or the source of an example."""

    source: str
    run: Run
    origin: str = "model"

    @property
    def is_example(self) -> bool:
        """Say whether it was found and not written."""
        return self.origin != "model"


def complaint(candidate: Candidate, brief: Brief) -> str:
    """Say what is wrong with a candidate, for whoever is to repair it; empty where nothing is."""
    run = candidate.run
    if run.exit_code != 0:
        return f"the program ended with exit code {run.exit_code}."
    if not run.stdout.strip() or _NO_RESULT.fullmatch(run.stdout.strip()):
        return "the program printed no result."
    used = used_names(candidate.source)
    missing = sorted(brief.names - used)
    if missing:
        return f"the program does not use {', '.join(missing)}."
    if brief.one_of and not brief.one_of & used:
        return f"the program uses none of {', '.join(sorted(brief.one_of))}."
    values = [value for value in brief.values if not _has_value(candidate.source, value)]
    if values:
        return f"the program does not work on {', '.join(values)}."
    return _beside_the_point(candidate, brief)


def _beside_the_point(candidate: Candidate, brief: Brief) -> str:
    overlap = _overlap(candidate, brief)
    if not candidate.is_example:
        is_about = overlap > 0 or bool(brief.values)
    elif brief.count and not _has_value(candidate.source, brief.count):
        return f"the example is for another number of results than {brief.count}."
    else:
        is_about = overlap >= OVERLAP_MIN
    return "" if is_about else "the program does not do what the task asks."


def is_certain(candidate: Candidate, brief: Brief) -> bool:
    """Say whether a candidate does so clearly what was asked that no other need be tried."""
    is_about = bool(brief.values) or _overlap(candidate, brief) >= OVERLAP_MIN
    return is_about and not complaint(candidate, brief)


def best_of(candidates: Iterable[Candidate], brief: Brief) -> Candidate | None:
    """Return the first of the fitting candidates that are most about what was asked, if any."""
    fitting = [candidate for candidate in candidates if not complaint(candidate, brief)]
    return max(fitting, key=lambda candidate: _overlap(candidate, brief), default=None)


def program_in(text: str) -> str:
    """Return the program in a model's text: its first block of Python, else the text itself.

    Empty where there is none, or where it breaks off.
    """
    blocks = [block for block in code_blocks(text) if block.language in _PYTHON]
    closed = [
        block.body.strip() + "\n" for block in blocks if block.is_closed and block.body.strip()
    ]
    if closed:
        return next((body for body in closed if parsed(body) is not None), closed[0])
    module = None if blocks else parsed(text)
    does_something = module is not None and any(
        isinstance(node, (ast.Call, ast.Import, ast.ImportFrom)) for node in ast.walk(module)
    )
    return text.strip() + "\n" if does_something else ""


@lru_cache(maxsize=64)
def parsed(source: str) -> ast.Module | None:
    """Return the syntax tree of a program; None where it is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def imported_names(source: str) -> frozenset[str]:
    """Return the modules, what is imported from them, and what is used of them."""
    names: set[str] = set()
    modules: set[str] = set()
    for node in _nodes(source):
        if isinstance(node, ast.Import):
            modules.update(_bound(alias) for alias in node.names)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(_imported(node, lambda _: True))
    for node in _nodes(source):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names.update({node.attr} if node.value.id in modules else ())
    return frozenset(names)


@lru_cache(maxsize=64)
def used_names(source: str) -> frozenset[str]:
    """Return the names that a program uses or defines; importing alone is no use."""
    used: set[str] = set()
    for node in _nodes(source):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                used.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                used.add(name)
    for node in _nodes(source):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            used.update(_imported(node, used.__contains__))
    return frozenset(used)


def _nodes(source: str) -> Iterator[ast.AST]:
    module = parsed(source)
    return ast.walk(module) if module is not None else iter(())


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _imported(node: ast.Import | ast.ImportFrom, is_used: Callable[[str], bool]) -> set[str]:
    """Return the parts of the names that an import brings in, where what it binds is used."""
    names: set[str] = set()
    for alias in node.names:
        if alias.name == "*" or is_used(_bound(alias)):
            names.update(alias.name.split("."))
            if isinstance(node, ast.ImportFrom):
                names.update((node.module or "").split("."))
    return names - {"", "*"}


def _has_value(source: str, value: str) -> bool:
    """Say whether a program has a number or a text among its constants, or its words."""
    constants = [node.value for node in _nodes(source) if isinstance(node, ast.Constant)]
    texts = [each for each in constants if isinstance(each, str)]
    if _NUMBER.fullmatch(value):
        numbers = {abs(each) for each in constants if isinstance(each, (int, float))}
        return abs(float(value)) in numbers or any(value in _NUMBER.findall(t) for t in texts)
    words = {word for text in texts for word in text.split()}
    return (
        any(value in text for text in texts)
        or all(word in words for word in value.split())
        or value in used_names(source)
    )


def _overlap(candidate: Candidate, brief: Brief) -> float:
    """Return the share of the words a program is to be about that its source or output has."""
    if not brief.about:
        return 1.0
    output = candidate.run.stdout[:_OUTPUT_LENGTH_MAX]
    text = f"{candidate.source}\n{output}"
    pieces = {stem(piece.lower()) for piece in _PIECE.findall(text)}
    pieces |= {token.key for token in read(output).content}
    pieces |= {
        str(int(piece) + by) for piece in tuple(pieces) if piece.isdecimal() for by in (-1, 1)
    }
    lower = text.lower()
    found = [
        key
        for key in brief.about
        if key.lower() in pieces or (len(key) >= _SUBSTRING_MIN and key.lower() in lower)
    ]
    return len(found) / len(brief.about)
