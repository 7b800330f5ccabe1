"""No sentence for a person steers the program: what it decides by is a type.

Whether a string reads like a sentence, or a name holds one of ours, can't be told for certain, so
this finds what looks like it, and `FOREIGN` has the few places where the text is somebody else's.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SENTENCE = re.compile(r"[A-Za-z][\w',;:.`-]*(?: [A-Za-z'`(][\w',;:.`-]*){2,}")
"""Three words with blanks between them."""
TOLD = re.compile(r"(?:\w+_)?(?:message|reasons?|degraded|complaint|fault|because|why)")
"""Fields and variables that hold what is said to a person."""
ERROR = re.compile(r"(?:\w+_)?(?:error|failure|exception)")
COMPARED = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)
OF_TEXT = frozenset(
    [
        "startswith",
        "endswith",
        "find",
        "rfind",
        "index",
        "rindex",
        "count",
        "removeprefix",
        "removesuffix",
        "partition",
        "rpartition",
    ]
)
OF_PATTERNS = frozenset(
    ["compile", "search", "match", "fullmatch", "findall", "finditer", "split", "sub"]
)
FOREIGN = {
    (
        're.compile("(?:(?:please|hey|hi|so|ok|and)[, ]+)*(?:(?:can|could|would'
        ") you (?:please )?)?(?:(?:(?:tell me )?(?:what is|what's|whats|how muc"
        "h is)|calculate|compute|evaluate|work out|calc)(?: the (?:result|value"
        ') of)? (?:the )?)?")'
    ): "how a user asks for a calculation, of which every word has to be understood",
    "message['type'] == 'http.response.start'": "ASGI's name of a message",
    "message['type'] in _OVER": "as above",
    "output.startswith(_TRACEBACK)": "Python's word for an uncaught error, in a program's output",
    "re.compile(\"^ModuleNotFoundError: No module named '([\\\\w.]+)'\", re.MULTILINE)": (
        "Python says so on a program's stderr, and nothing else of it reaches us"
    ),
    "re.compile(\"coroutine '([A-Za-z_][\\\\w.]{0,80})' was never awaited\")": "as above",
    "re.compile('^EOFError: EOF when reading a line', re.MULTILINE)": "as above",
    "re.compile('\\\\s*You are the (\\\\w+)', re.IGNORECASE)": (
        "the simulated model plays a model, which has nothing but its prompt to go by"
    ),
    "re.compile('\\\\(at line (\\\\d+), ')": "tomllib says only there which line is wrong",
    "_LINE.search(str(error))": "as above",
    "cause.reason in _NO_TLS": "OpenSSL's names for what went wrong, which have no other type",
    "told == str(error)": "whether a secret was taken out of what redis' client says",
    "_first(details.message or 'it left no result').partition(', last available')": (
        "Ray's text about a job, cut before what it shows of the log"
    ),
    "_head(goal).startswith(_OF_A_TITLE)": (
        "templates of chat clients, which say by nothing else that nobody has typed them"
    ),
    "_head(system).startswith(_OF_A_SYSTEM)": "as above",
    "reason == 'content_filter'": "an endpoint's finish reason, which is a code",
    "finish.reason == 'length'": "the same, in our own two codes",
    "reason in found.faults": "members of the enum `Reason`",
}
"""What is compared or searched by its text, with whose text it is."""


def modules() -> dict[str, ast.Module]:
    """All modules of the two packages by their dotted names."""
    paths = [path for name in ("agents", "cluster") for path in (ROOT / name).rglob("*.py")]
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text("utf-8"))
        for path in paths
    }


def constants(module: ast.Module) -> set[str]:
    """The names that a module gives to sentences."""
    named = [node for node in module.body if isinstance(node, (ast.Assign, ast.AnnAssign))]
    return {
        target.id
        for node in named
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and node.value is not None and is_sentence(node.value)
    }


def known_in(module: ast.Module, all_constants: Mapping[str, set[str]]) -> set[str]:
    """The names of sentences in a module: its own and the imported ones."""
    imported = {
        alias.asname or alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name in all_constants.get(node.module or "", set())
    }
    return constants(module) | imported


def is_sentence(node: ast.AST, known: frozenset[str] = frozenset()) -> bool:
    """Whether an expression is a sentence, or a collection that has one."""
    match node:
        case ast.Constant(value=str(text)):
            return bool(SENTENCE.search(text))
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in known
        case ast.JoinedStr(values=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return any(is_sentence(part, known) for part in parts)
        case ast.List(elts=parts):
            return any(is_sentence(part, known) for part in parts)
        case ast.BinOp(left=left, right=right):
            return is_sentence(left, known) or is_sentence(right, known)
    return False


def is_told(node: ast.AST) -> bool:
    """Whether an expression is something that is said to a person, by the name it has."""
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return bool(TOLD.fullmatch(name)) or name == "args"
        case ast.Call(func=ast.Name(id="str"), args=[ast.Name(id=name)]):
            return bool(ERROR.fullmatch(name))
        case ast.BoolOp(values=parts):
            return any(is_told(part) for part in parts)
        case ast.Subscript(value=value) | ast.Call(func=ast.Attribute(value=value)):
            return is_told(value)
        case ast.Call(args=[argument, *_]):
            return is_told(argument)
    return False


def compared(node: ast.AST) -> list[ast.expr]:
    """What an expression compares, searches or takes a prefix of; nothing where it does neither."""
    match node:
        case ast.Compare(left=left, ops=ops, comparators=others):
            return [left, *others] if any(isinstance(op, COMPARED) for op in ops) else []
        case ast.Call(func=ast.Attribute(value=value, attr=name), args=arguments):
            if name in OF_TEXT:
                return [value, *arguments[:1]]
            return arguments[:2] if name in OF_PATTERNS and is_of_re(value) else []
        case ast.MatchValue(value=value):
            return [value]
    return []


def is_of_re(node: ast.expr) -> bool:
    """Whether a method is one of `re`, or of what looks like a compiled pattern's constant."""
    return isinstance(node, ast.Name) and (node.id == "re" or node.id.lstrip("_").isupper())


def found_in(module: ast.Module, known: frozenset[str] = frozenset()) -> Iterator[str]:
    """The expressions of a module that decide something by a sentence."""
    word_lists = {
        id(argument)
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and len(node.args) > 1
        for argument in node.args[1:]
        if isinstance(argument, ast.Constant)
    }
    for node in ast.walk(module):
        parts = [part for part in compared(node) if id(part) not in word_lists]
        if any(is_sentence(part, known) or is_told(part) for part in parts):
            yield ast.unparse(node)


def test_no_sentence_steers_the_program() -> None:
    all_modules = modules()
    all_constants = {name: constants(module) for name, module in all_modules.items()}
    found = {
        f"{name}: {expression}": expression
        for name, module in all_modules.items()
        for expression in found_in(module, frozenset(known_in(module, all_constants)))
    }

    assert [place for place, expression in found.items() if expression not in FOREIGN] == []
    assert FOREIGN.keys() - found.values() == set()


@pytest.mark.parametrize(
    "source",
    [
        "if failure.message == other: pass",
        "if BROKEN_OFF in made.reasons: pass",
        "if 'has lost its lease' in text: pass",
        "if str(error).startswith('no'): pass",
        "if error.args[0] == 'x': pass",
        "found = re.search('can.t be reached by', text)",
        "if finding.text == NOTHING_FOUND: pass",
        "match said:\n    case 'nothing was found here': pass",
    ],
)
def test_what_decides_by_a_sentence_is_found(source: str) -> None:
    assert list(found_in(ast.parse(source), frozenset({"NOTHING_FOUND"})))


@pytest.mark.parametrize(
    "source",
    [
        "if failure.kind == DeadlinePassed.kind: pass",
        "raise UsageError('the goal is empty')",
        "if finding.basis is Basis.NOTHING: pass",
        "if reason is None: pass",
        "words = 'one two three four'.split()",
        "text = f'{failure.message} and more of it'",
    ],
)
def test_what_decides_by_a_type_or_only_speaks_is_left_alone(source: str) -> None:
    assert list(found_in(ast.parse(source))) == []
