"""The program in a model's text: its fenced blocks, and which of them are the program.

Pure. `agents.coder` reads what the model wrote with it, while it is still coming (`ProgramEnd`)
and in the end (`read_program`).
"""

from __future__ import annotations

import ast
import builtins
import io
import re
import textwrap
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

NO_BLOCK = "there was no code block with a Python program."
CUT_OFF = "the code block was cut off before its end."
SHORTER = "Write a shorter program."
_PYTHON = frozenset({"", "python", "python3", "py", "py3"})
_FENCE = re.compile(r"[ \t]{0,8}(?P<fence>`{3,20}|~{3,20})[ \t]*(?P<info>[^`]*)")
_PROMISE = re.compile(
    r"[ \t]*#[ \t]*(?:->|=>|→|(?:expected )?outputs?:?|prints?:?|results?:)[ \t]*(.*\d.*)",
    re.IGNORECASE,
)
_ACTS = (ast.Expr, ast.For, ast.While, ast.If, ast.With, ast.Try, ast.Match)
"""Statements that may print something; definitions and assignments don't."""
_BUILTINS = frozenset(dir(builtins))


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model's text has of a program; ``fault`` says why there is none."""

    source: str
    fault: str = ""
    advice: str = ""
    """For the model, where it is to write another."""


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced code block; ``is_closed`` is false where its end is missing."""

    language: str
    body: str
    is_closed: bool


class ProgramEnd:
    """Given to `Agent.think`: true once the text has a closed block that does something.

    A block that only defines functions, or a shell command before the program, isn't the end.
    """

    def __init__(self) -> None:
        self.ran_out = ""
        """Why the text ends before there was a program; empty where the model ended it itself."""
        self.reset()

    def reset(self) -> None:
        """Forget the text so far: it was reasoning."""
        self._text = ""
        self._line = ""

    def __call__(self, piece: str) -> bool:
        """Take the next piece of text."""
        self._text += piece
        *whole, self._line = (self._line + piece).split("\n")
        is_end = any(_FENCE.fullmatch(line.rstrip()) for line in (*whole, self._line))
        return is_end and _acts(read_program(self._text).source)

    def run_out(self, reason: str) -> None:
        """Take that the model had to stop before the text had a program."""
        self.ran_out = reason


def read_program(text: str, ran_out: str = "") -> Reading:
    """Return the program of a text: its first complete block of Python that does something.

    Blocks that use what an earlier one defines are joined to it. Without any fence the text itself
    is read as a program. A text that its model could not end, for the reason given, has none:
    what there is of it may run and do something else.
    """
    if ran_out:
        return Reading("", f"{ran_out}.", SHORTER)
    blocks = [block for block in code_blocks(text) if block.language in _PYTHON]
    bodies = [block.body.strip() + "\n" for block in blocks if block.is_closed]
    sources = [body for body in bodies if body.strip() and parsed(body) is not None]
    if sources:
        return Reading(_joined(sources))
    if any(body.strip() for body in bodies):
        return Reading(next(body for body in bodies if body.strip()))
    if blocks and not blocks[-1].is_closed:
        return Reading("", CUT_OFF, SHORTER)
    bare = text.strip() + "\n"
    return Reading(bare) if not blocks and _is_program(bare) else Reading("", NO_BLOCK)


def code_blocks(text: str) -> list[CodeBlock]:
    """Return the blocks between fences of ``` or ~~~, those in list items unindented."""
    found: list[CodeBlock] = []
    fence = language = ""
    lines: list[str] = []
    for line in text.splitlines():
        match = _FENCE.fullmatch(line.rstrip())
        if not fence and match:
            fence, lines = match["fence"], []
            language = match["info"].strip(" \t{.}").split(" ")[0].lower()
        elif match and not match["info"] and match["fence"].startswith(fence):
            found.append(CodeBlock(language, textwrap.dedent("\n".join(lines)), is_closed=True))
            fence = ""
        else:
            lines.append(line)
    if fence:
        found.append(CodeBlock(language, textwrap.dedent("\n".join(lines)), is_closed=False))
    return found


def promises(source: str) -> list[str]:
    """Return what the comments beside the code of a program say that it prints."""
    return [match[1].strip() for _, _, match in _promises(source)]


def without_promises(source: str) -> str:
    """Return a program without the comments that say what it prints: its output does."""
    lines = source.split("\n")
    for row, column, _ in _promises(source):
        lines[row] = lines[row][:column].rstrip()
    return "\n".join(lines)


def _promises(source: str) -> Iterator[tuple[int, int, re.Match[str]]]:
    """Yield row and column, from 0, of such comments, and what they say."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (tokenize.TokenError, SyntaxError):
        return
    for token in tokens:
        is_beside = token.type == tokenize.COMMENT and token.line[: token.start[1]].strip()
        if is_beside and (match := _PROMISE.fullmatch(token.string)):
            yield token.start[0] - 1, token.start[1], match


@lru_cache(maxsize=64)
def parsed(source: str) -> ast.Module | None:
    """Return the syntax tree of a program; None where it is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def nodes(source: str) -> Iterator[ast.AST]:
    """Yield the nodes of a program's syntax tree; none where it is no program."""
    module = parsed(source)
    return ast.walk(module) if module is not None else iter(())


def _joined(sources: Sequence[str]) -> str:
    """Return the first block that does something, behind those whose definitions it needs."""
    defining: list[str] = []
    for source in sources:
        needed = _undefined(source)
        before = [each for each in defining if needed & _defined(each)]
        if _acts(source):
            return _continued("\n".join((*before, source)), sources[sources.index(source) + 1 :])
        defining.append(source)
    return sources[0]


def _continued(program: str, later: Sequence[str]) -> str:
    """Return a program with the later blocks that don't stand without it."""
    for source in later:
        if _acts(source) and _undefined(source) & _defined(program):
            program += "\n" + source
    return program


def _acts(source: str) -> bool:
    module = parsed(source)
    return module is not None and any(
        isinstance(node, _ACTS) and any(isinstance(each, ast.Call) for each in ast.walk(node))
        for node in module.body
    )


def _is_program(text: str) -> bool:
    return any(isinstance(node, (ast.Call, ast.Import, ast.ImportFrom)) for node in nodes(text))


def _defined(source: str) -> set[str]:
    names: set[str] = set()
    for node in nodes(source):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ClassDef(name=name) | ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names.update(each.asname or each.name.partition(".")[0] for each in aliases)
    return names


def _undefined(source: str) -> set[str]:
    used = {
        node.id
        for node in nodes(source)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    return used - _defined(source) - _BUILTINS
