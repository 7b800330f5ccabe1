"""Turns the listings of a file into programs that can be run as they are.

A listing that leans on earlier ones of its file (an import, a client that was made) is put after
them; one that needs a name nobody defines is no example. Called by
`cluster.memory.knowledge.chunking.chunks`. Pure: nothing is executed here.
"""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from cluster.memory.knowledge.chunking.page import PROMPT, Listing, title_of
from cluster.memory.knowledge.chunking.syntax import parsed
from cluster.memory.knowledge.records import CODE, Chunk

SOURCE_CHARS_MAX = 6_000
BASE_MAX = 40
"""Earlier listings that one may lean on; beyond that it is a story, not an example."""
LISTINGS_MAX = 2_000
"""Listings that are looked at in one file."""

_PYTHON = frozenset({"python", "python3", "py", "py3", "pycon", "pycon3", "ipython", "ipython3"})
_UNKNOWN = frozenset({"", "default", "none", "text", "console", "doctest"})
_CONTINUED = re.compile(r"[ \t]*\.\.\.(?:[ \t]|$)")
_GIVEN = frozenset({*dir(builtins), "__name__", "__file__", "__doc__"})
_PRINTING = ("print", "pprint", "pp", "help", "write", "dump", "dis", "show")


@dataclass(frozen=True, slots=True)
class _Snippet:
    listing: Listing
    source: str
    binds: frozenset[str]
    """Names it leaves behind."""
    imports: Mapping[str, str]
    """Those of them that are imports, and the statements."""
    uses: frozenset[str]
    """Names it reads."""
    needs: frozenset[str]
    """Those of them that it doesn't bind itself."""


@dataclass(frozen=True, slots=True)
class _Base:
    """What must come before a snippet: earlier ones, by their number, and single imports."""

    snippets: frozenset[int]
    imports: frozenset[str]


def examples(listings: Iterable[Listing]) -> list[Chunk]:
    """Return the runnable programs among the listings of one file, given in their order."""
    chunks: list[Chunk] = []
    snippets: list[_Snippet] = []
    bases: list[_Base | None] = []
    binders: dict[str, int] = {}
    for listing in islice(listings, LISTINGS_MAX):
        snippet = _snippet(listing)
        if snippet is None:
            continue
        base = _base(snippet, snippets, bases, binders)
        if base is not None:
            earlier = [snippets[index].source for index in sorted(base.snippets)]
            chunks.extend(_program(snippet, [*sorted(base.imports), *earlier]))
        binders.update(dict.fromkeys(snippet.binds, len(snippets)))
        snippets.append(snippet)
        bases.append(base)
    return chunks


def _base(
    snippet: _Snippet,
    earlier: list[_Snippet],
    bases: list[_Base | None],
    binders: Mapping[str, int],
) -> _Base | None:
    """Return what must run before a snippet; None where that would not be enough."""
    if not snippet.needs <= binders.keys():
        return None
    by_name = {name: earlier[binders[name]].imports.get(name) for name in snippet.needs}
    imports = {statement for statement in by_name.values() if statement}
    made = {name for name, statement in by_name.items() if not statement}
    base = {binders[name] for name in made}
    # What the same section did meanwhile to the things it leans on belongs to the story.
    for index in range(max(min(base, default=0), len(earlier) - BASE_MAX), len(earlier)):
        other = earlier[index]
        if made & other.uses and other.listing.path == snippet.listing.path:
            base.add(index)
    for index in tuple(base):
        below = bases[index]
        if below is None:
            return None
        base |= below.snippets
        imports |= below.imports
    return _Base(frozenset(base), frozenset(imports)) if len(base) <= BASE_MAX else None


def _program(snippet: _Snippet, before: Sequence[str]) -> Iterator[Chunk]:
    source = "\n\n".join([*before, snippet.source])
    if len(source) <= SOURCE_CHARS_MAX and _acts(snippet.source) and parsed(source):
        yield Chunk(
            start_line=snippet.listing.start_line,
            end_line=snippet.listing.end_line,
            text=source + "\n",
            kind=CODE,
            title=title_of(snippet.listing.path),
            context=snippet.listing.context,
        )


def _snippet(listing: Listing) -> _Snippet | None:
    if len(listing.source) > SOURCE_CHARS_MAX:
        return None
    is_session = any(PROMPT.match(line) for line in listing.source.splitlines())
    is_python = is_session or listing.language in _PYTHON
    if not is_python and listing.language not in _UNKNOWN:
        return None
    if is_session:
        source = "\n".join(_statements(listing.source))
    else:
        source = textwrap.dedent(listing.source).strip("\n")
    tree = parsed(source)
    if tree is None or not (is_python or _looks_meant(tree)):
        return None
    names = _names(tree)
    if names is None:
        return None
    bound, used = names
    needs = frozenset() if "*" in bound else used - bound - _GIVEN
    return _Snippet(listing, source, _bound_outside(tree), _imports(tree), used, needs)


def _looks_meant(tree: ast.Module) -> bool:
    """Tell Python from a command or a number that happens to be Python too."""
    return any(isinstance(node, ast.Import | ast.ImportFrom | ast.Call) for node in ast.walk(tree))


def _acts(source: str) -> bool:
    """Say whether a program does more than define things."""
    tree = parsed(source)
    quiet = (
        ast.Import,
        ast.ImportFrom,
        ast.FunctionDef,
        ast.AsyncFunctionDef,
        ast.ClassDef,
        ast.Assign,
        ast.AnnAssign,
        ast.Pass,
    )
    return tree is not None and any(
        not isinstance(node, quiet)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in tree.body
    )


def _names(tree: ast.Module) -> tuple[set[str], frozenset[str]] | None:
    """Return the names a program binds anywhere and those it reads; None if that can't be told."""
    bound: set[str] = set()
    used: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                used.add(name)
            case ast.Name(id=name) | ast.arg(arg=name):
                bound.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                bound.add(name)
            case ast.ClassDef(name=name):
                bound.add(name)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                bound.add(name)
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                bound.add(name)
            case ast.ImportFrom(level=level) if level:
                return None
            case ast.alias():
                bound.add(_imported_as(node))
    return bound, frozenset(used)


def _bound_outside(tree: ast.Module) -> frozenset[str]:
    """Return the names that a program leaves behind at its top level."""
    bound: set[str] = set()
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                bound.add(name)
            case ast.ClassDef(name=name):
                bound.add(name)
            case ast.Lambda() | ast.ListComp() | ast.SetComp():
                pass
            case ast.DictComp() | ast.GeneratorExp():
                pass
            case ast.alias():
                bound.add(_imported_as(node))
            case ast.Name(id=name, ctx=ast.Store()):
                bound.add(name)
            case _:
                todo.extend(ast.iter_child_nodes(node))
    return frozenset(bound)


def _imports(tree: ast.Module) -> dict[str, str]:
    """Return the names that a program imports at its top level, each with its statement."""
    found: dict[str, str] = {}
    for node in tree.body:
        match node:
            case ast.Import(names=aliases):
                start = ""
            case ast.ImportFrom(module=module, names=aliases):
                start = f"from {module} "
            case _:
                continue
        for alias in aliases:
            found[_imported_as(alias)] = f"{start}import {ast.unparse(alias)}"
    return found


def _imported_as(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _statements(session: str) -> Iterator[str]:
    """Turn an interactive session into statements that print what the session shows."""
    source: list[str] = []
    shown: list[str] = []
    for line in [*session.splitlines(), ">>> "]:
        if PROMPT.match(line):
            if source:
                yield _statement("\n".join(source), shown)
            source, shown = [_after(line)], []
        elif source and not shown and _CONTINUED.match(line):
            source.append(_after(line))
        elif source and line.strip():
            shown.append(line.strip())


def _after(line: str) -> str:
    """Return what stands after the prompt."""
    text = line.lstrip()[3:]
    return text[1:] if text.startswith((" ", "\t")) else text


def _statement(source: str, shown: list[str]) -> str:
    source = source.rstrip()
    if not shown:
        return source
    if shown[0].startswith("Traceback "):
        return (
            f"try:\n{textwrap.indent(source, '    ')}\n"
            "except Exception as error:\n"
            '    print(f"{type(error).__name__}: {error}")'
        )
    match parsed(source):
        case ast.Module(body=[ast.Expr(value=value)]) if not _prints(value):
            return f"print(repr({ast.get_source_segment(source, value)}))"
        case _:
            return source


def _prints(value: ast.expr) -> bool:
    """Say whether an expression writes its result itself."""
    match value:
        case ast.Call(func=ast.Name(id=name)) | ast.Call(func=ast.Attribute(attr=name)):
            return name in _PRINTING
        case _:
            return False
