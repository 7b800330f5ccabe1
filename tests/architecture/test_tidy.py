"""The house rules that no linter checks: sizes, names, and text that must not be committed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("agents", "cluster", "protos", "tests", "benchmarks", "examples", "docs", ".ci")
TEXT_SUFFIXES = {".py", ".proto", ".lua", ".sh", ".md", ".rst", ".html", ".txt", ".toml"}
ROOT_FILES = ("pyproject.toml", "Makefile", "README.md", "constraints.txt")
# A bracket in a word keeps this file from holding what it forbids.
FORBIDDEN = {
    "an unfinished thought without its issue": r"\b(T[O]DO|F[I]XME|X[X]X)\b(?! \(#\d+\))",
    "a blanket type-checker exemption": r"# type: [i]gnore(?!\[)",
    "a shell": r"shell=[T]rue",
    "work between fork and exec": r"preexec[_]fn=",
    "code in data": r"\byaml\.load\(|^\s*(import|from) [p]ickle\b",
    "the host of a package registry": (
        r"(pypi|npmjs|rubygems|crates)\.[a-z]+\b|pythonhost[e]d|deb\.debian|(docker|ghcr|quay)\.io"
    ),
    "a path of somebody's machine": r"(?<![\w.~])/(work|root|home/\w+|opt/pypi|opt/wheels)/",
}
# The test that errors survive what Ray and multiprocessing do to them.
MAY_PICKLE = ROOT / "tests" / "architecture" / "test_errors.py"

LINES_MAX = 400
TEST_LINES_MAX = 500
BODY_LINES_MAX = 50
POSITIONAL_MAX = 5
DECISION_STATUS = re.compile(r"\*Status: (accepted|withdrawn|replaced by ADR \d+)\.")
REPLACED_BY = re.compile(r"\*Status: replaced by ADR (\d+)\.")

type_of_function = (ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def texts() -> dict[Path, str]:
    """All files that people write, generated code excluded."""
    paths = [ROOT / name for name in ROOT_FILES]
    for folder in FOLDERS:
        paths += (path for path in (ROOT / folder).rglob("*") if path.suffix in TEXT_SUFFIXES)
    written = (path for path in paths if path.is_file() and "_pb2" not in path.name)
    return {path: path.read_text(encoding="utf-8") for path in written}


@cache
def modules() -> dict[Path, ast.Module]:
    """All Python files but the pages of the demo's knowledge, parsed."""
    pages = ROOT / "examples" / "knowledge"
    python = {path: text for path, text in texts().items() if path.suffix == ".py"}
    return {path: ast.parse(text) for path, text in python.items() if pages not in path.parents}


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """All functions and methods, each with the place it is at."""
    for path, module in modules().items():
        for node in ast.walk(module):
            if isinstance(node, type_of_function):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Counts the lines of a function from its first statement on, its docstring not counted."""
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    last = function.end_lineno or 0
    return last - body[0].lineno + 1 if body else 0


def test_no_file_is_longer_than_one_sitting() -> None:
    lengths = {path.relative_to(ROOT): len(texts()[path].splitlines()) for path in modules()}

    assert {path: lines for path, lines in lengths.items() if lines > lines_max(path)} == {}


def lines_max(path: Path) -> int:
    """The hard limit for a file, its path relative to the root."""
    return TEST_LINES_MAX if path.parts[0] == "tests" else LINES_MAX


def test_no_function_is_longer_than_a_screen() -> None:
    long = [place for place, function in functions() if body_lines(function) > BODY_LINES_MAX]

    assert long == []


def test_no_function_takes_more_than_five_positional_parameters() -> None:
    def positional(arguments: ast.arguments) -> int:
        names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
        return len([name for name in names if name not in {"self", "cls"}])

    wide = [place for place, function in functions() if positional(function.args) > POSITIONAL_MAX]

    assert wide == []


def test_every_module_says_what_lives_there() -> None:
    silent = [path.relative_to(ROOT) for path, tree in modules().items() if not docstring(tree)]

    assert silent == []


def docstring(module: ast.Module) -> str | None:
    """A module's docstring; an empty module needs none."""
    return ast.get_docstring(module) if module.body else "empty"


def test_names_are_ascii() -> None:
    names = [str(path.relative_to(ROOT)) for path in texts()]
    for module in modules().values():
        names += (node.id for node in ast.walk(module) if isinstance(node, ast.Name))
        names += (node.arg for node in ast.walk(module) if isinstance(node, ast.arg))
        names += (
            node.name
            for node in ast.walk(module)
            if isinstance(node, (*type_of_function, ast.ClassDef))
        )

    assert [name for name in names if not name.isascii()] == []


def test_nothing_forbidden_is_committed() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {what}: {match.group().strip()}"
        for path, text in texts().items()
        for what, pattern in FORBIDDEN.items()
        for match in re.finditer(pattern, text, re.MULTILINE)
        if not (what == "code in data" and path == MAY_PICKLE)
    ]

    assert found == []


def test_decisions_are_numbered_without_a_hole_and_each_says_whether_it_holds() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [int(path.name[:4]) for path in decisions]
    heads = [texts()[path].splitlines()[:3] for path in decisions]

    assert numbers == list(range(1, len(decisions) + 1))
    for number, (title, _, status) in zip(numbers, heads, strict=True):
        assert title.startswith(f"# {number}. ")
        assert DECISION_STATUS.match(status), f"decision {number} has no status"


def test_a_decision_that_was_replaced_is_named_by_the_one_that_replaces_it() -> None:
    decisions = {int(path.name[:4]): texts()[path] for path in (ROOT / "docs" / "adr").iterdir()}
    replaced = {
        number: int(found[1])
        for number, text in decisions.items()
        if (found := REPLACED_BY.search(text))
    }

    assert all(f"ADR {old}" in decisions[new] for old, new in replaced.items())


def test_tests_wait_for_events_and_never_for_time() -> None:
    sleeping = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, module in modules().items()
        if path.is_relative_to(ROOT / "tests" / "unit")
        and "simulation" not in path.parts  # its time is virtual: a sleep takes none
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and sleeps(node)
    ]

    assert sleeping == []


def sleeps(call: ast.Call) -> bool:
    """Whether a call is `sleep` of something other than a plain 0."""
    if not (isinstance(call.func, ast.Attribute) and call.func.attr == "sleep"):
        return False
    return not (call.args and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0)
