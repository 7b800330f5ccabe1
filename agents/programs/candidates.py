"""Candidate programs: what is wrong with each, what they leave open, and which is best.

Pure. `agents.coder` lets candidates be written, run and repaired; whether one that ran is what
was asked for is decided here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass

from agents.programs.brief import Brief
from agents.programs.names import used_names
from agents.programs.reading import nodes, promises
from agents.programs.words import stem, stems
from cluster.kernel.vocabulary import Run

OVERLAP_MIN = 0.34
"""Share of what it is to be about that a program has to have where nothing else speaks for it."""
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_BLANK = re.compile(r"[\s'\"`]+")
_TRACEBACK = "Traceback (most recent call last)"
_NO_RESULT = re.compile(r"(?:None|<[\w. ]+ at 0x\w+>)\s*|(?:Error|Exception)\b.*", re.DOTALL)
_NO_MODULE = re.compile(r"^ModuleNotFoundError: No module named '([\w.]+)'", re.MULTILINE)
_BUG_NAMES = (
    "AttributeError ImportError IndentationError ModuleNotFoundError NameError SyntaxError "
    "UnboundLocalError"
)
_BUGS = frozenset(_BUG_NAMES.split())
"""Exceptions that tell of a mistake in the program itself."""
_PRINTED_BUG = re.compile(rf"^\W*({'|'.join(sorted(_BUGS))})\b", re.MULTILINE)
_NEVER_AWAITED = re.compile(r"coroutine '([A-Za-z_][\w.]{0,80})' was never awaited")
_GROUPED = "+-+----"
_EXCEPTION = re.compile(r"^(?:  \| )?([A-Za-z_][\w.]{0,80})(?=: |$)", re.MULTILINE)
_INNER_EXCEPTION = re.compile(r"^ *\| +([A-Za-z_]\w{0,80}): ", re.MULTILINE)
_LINE = re.compile(r'File "/program\.py", line (\d{1,6})')
_NO_INPUT = re.compile(r"^EOFError: EOF when reading a line", re.MULTILINE)
_TIMED_OUT = 124
_OUTPUT_LENGTH_MAX = 2_000
_SUBSTRING_MIN = 4


@dataclass(frozen=True, slots=True)
class Candidate:
    """A program that was run; ``origin`` is ``model`` or the source of an example."""

    source: str
    run: Run
    origin: str = "model"
    is_embedded: bool = False
    """Whether the embedded model wrote it, which writes working programs about something else."""

    @property
    def is_example(self) -> bool:
        """Say whether it was found and not written."""
        return self.origin != "model"


@dataclass(frozen=True, slots=True)
class OpenWishes:
    """What was asked of a program and isn't seen in it."""

    names: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    """Of these it uses none."""
    values: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """Infinitives, for a person to read."""

    @property
    def number(self) -> int:
        """How many there are."""
        return len(self.names) + bool(self.one_of) + len(self.values) + len(self.others)

    def __str__(self) -> str:
        """Say in one sentence what was not seen; empty where nothing is open."""
        missing = [f"use {_listed(self.names, 'and')}"] if self.names else []
        missing += [f"use {_listed(self.one_of, 'or')}"] if self.one_of else []
        missing += [f"work on {_listed(self.values, 'and')}"] if self.values else []
        missing += self.others
        return f"the program was not seen to {' and to '.join(missing)}." if missing else ""


def works(run: Run) -> bool:
    """Say whether a run is one of a working program: it ended well and printed a result."""
    output = run.stdout.strip()
    return run.exit_code == 0 and bool(output) and not output.startswith(_TRACEBACK)


def failure(run: Run) -> str:
    """Say why a run is no working program, as a fact; empty where it is one.

    The user may read it, and the model that is to repair the program does. Only words of this
    module and names of modules are in it: it stands outside the marks that keep what a program
    printed from being read as an order.
    """
    if works(run):
        return ""
    if run.exit_code != 0:
        return _reason(run)
    return f"the program printed {'an error' if run.stdout.strip() else 'no result'}."


def _reason(run: Run) -> str:
    if _NO_INPUT.search(run.stderr):
        return "the program waits for input, and there is none."
    if missing := _NO_MODULE.search(run.stderr):
        return f"the program needs the module `{missing[1]}`, which is not installed."
    if run.exit_code == _TIMED_OUT:
        return "the program did not end in time."
    exception, line = _uncaught(run.stderr)
    if not exception:
        return f"the program ended with exit code {run.exit_code}."
    return (
        f"the program ended with exit code {run.exit_code}: nothing caught the {exception} that "
        f"came out of line {line}."
    )


def advice(run: Run) -> str:
    """Say what may mend a run that failed, to the model that repairs it; empty for no idea."""
    if run.exit_code in {0, _TIMED_OUT} or _NO_MODULE.search(run.stderr):
        return ""
    if _NO_INPUT.search(run.stderr):
        return "It may not call `input`, and the values have to stand in it."
    exception, _ = _uncaught(run.stderr)
    if not exception:
        return ""
    if exception in _BUGS:
        return "Mend its cause."
    return "Catch it around that line where the task is about it, or else mend its cause."


def _uncaught(stderr: str) -> tuple[str, str]:
    """Return the exception that ended a program and the line that it came out of; empty if none.

    Of a group of exceptions it is the group, which is what can be caught there, unless a mistake of
    the program itself is in it.
    """
    outer, _, inner = stderr.partition(_GROUPED)
    names, lines = _EXCEPTION.findall(outer), _LINE.findall(outer)
    bugs = [name for name in _INNER_EXCEPTION.findall(inner) if name in _BUGS]
    if bugs:
        names, lines = bugs, _LINE.findall(inner) or lines
    if not names or not lines:
        return "", ""
    return names[-1], lines[-1]


def open_wishes(candidate: Candidate, brief: Brief) -> OpenWishes:
    """Return what is asked for and not seen in a candidate that ran."""
    used = used_names(candidate.source) - (brief.library & _own_classes(candidate.source))
    is_other = bool(brief.one_of) and not brief.one_of & used
    return OpenWishes(
        tuple(sorted(brief.names - used)),
        tuple(sorted(brief.one_of)) if is_other else (),
        tuple(value for value in brief.values if not _has_value(candidate.source, value)),
        tuple(_beside_the_point(candidate, brief)),
    )


def _beside_the_point(candidate: Candidate, brief: Brief) -> list[str]:
    found = []
    if _NO_RESULT.fullmatch(candidate.run.stdout.strip()):
        found.append("print a result")
    found += [f"print what its comment says: {promise}" for promise in _broken_promises(candidate)]
    found += [f"await `{name}`" for name in _NEVER_AWAITED.findall(candidate.run.stderr)[:1]]
    bugs = dict.fromkeys(_PRINTED_BUG.findall(candidate.run.stdout))
    found += [f"run without a {bug}" for bug in bugs if bug not in brief.names | brief.one_of]
    found += [f"use the `{name}` that it makes" for name in _idle(candidate.source, brief.names)]
    overlap = _overlap(candidate, brief)
    is_about = overlap > 0 or bool(brief.values)
    if candidate.is_example:
        is_about = overlap >= OVERLAP_MIN
        if brief.count and not _has_value(candidate.source, brief.count):
            found.append(f"give {brief.count} results")
    return found if is_about else [*found, "do what the task asks"]


def _own_classes(source: str) -> frozenset[str]:
    """Return the classes and functions that a program makes itself."""
    made = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in nodes(source) if isinstance(node, made))


def _idle(source: str, wanted: frozenset[str]) -> list[str]:
    """Return the variables that are given something the task names, and are never read.

    A semaphore that nobody acquires limits nothing, although the program has the name in it.
    """
    read = {
        node.id
        for node in nodes(source)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    made: list[str] = []
    for node in nodes(source):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=func)):
                called = {n.attr for n in ast.walk(func) if isinstance(n, ast.Attribute)}
                called |= {n.id for n in ast.walk(func) if isinstance(n, ast.Name)}
                made += [name] if called & wanted and name not in read else []
    return made[:1]


def _broken_promises(candidate: Candidate) -> list[str]:
    """Return what comments beside the code say that is printed and isn't.

    Small models change the values of an example and leave its comment.
    """
    printed = _BLANK.sub("", candidate.run.stdout)
    said = promises(candidate.source)
    return [each for each in said if _BLANK.sub("", each) not in printed][:1]


def complaint(candidate: Candidate, brief: Brief) -> str:
    """Say what is wrong with a candidate, as a fact; empty where nothing is."""
    return failure(candidate.run) or str(open_wishes(candidate, brief))


def fits(candidate: Candidate, brief: Brief) -> bool:
    """Say whether a candidate works and leaves nothing open."""
    return works(candidate.run) and not open_wishes(candidate, brief).number


def is_certain(candidate: Candidate, brief: Brief) -> bool:
    """Say whether a candidate does so clearly what was asked that no other need be tried."""
    is_about = bool(brief.values) or _overlap(candidate, brief) >= OVERLAP_MIN
    return is_about and fits(candidate, brief)


def best_of(candidates: Iterable[Candidate], brief: Brief) -> Candidate | None:
    """Return the candidate to offer, if any.

    A program of the model that ran is offered whatever it leaves open: what the goal's words ask
    for is read by rules that miss a synonym, and the program's reader sees better. The one with
    the fewest open wishes counts, of several the last, which was written with the most knowledge.
    An example of the documents goes before it only where it leaves nothing open and the model's
    does: it was written for another purpose, so that what is open weighs more.

    One of the embedded model is not offered with an open wish; and where no other model's ran, an
    example that is more about what was asked goes first.
    """
    ran = [(each, open_wishes(each, brief)) for each in candidates if works(each.run)]
    fitting = [each for each, wishes in ran if not wishes.number]
    written = [
        (each, wishes)
        for each, wishes in ran
        if not (each.is_example or (each.is_embedded and wishes.number))
    ]
    if all(each.is_embedded for each, _ in written):
        return max(fitting, key=lambda each: _overlap(each, brief), default=None)
    best, left = min(reversed(written), key=lambda pair: pair[1].number)
    if not left.number:
        return best
    return max(fitting, key=lambda each: _overlap(each, brief), default=best)


def _has_value(source: str, value: str) -> bool:
    """Say whether a program has a number or a text among its constants, or its words."""
    constants = [node.value for node in nodes(source) if isinstance(node, ast.Constant)]
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
    pieces = stems(text)
    # "below 50" is `range(50)` as well as `range(1, 51)`.
    pieces |= {str(int(piece) + by) for piece in pieces if piece.isdecimal() for by in (-1, 1)}
    lower = text.lower()
    found = [
        key
        for key in brief.about
        if stem(key.lower()) in pieces or (len(key) >= _SUBSTRING_MIN and key.lower() in lower)
    ]
    return len(found) / len(brief.about)


def _listed(items: tuple[str, ...], conjunction: str) -> str:
    quoted = [item if _NUMBER.fullmatch(item) else f"`{item}`" for item in items]
    *head, last = quoted
    return f"{', '.join(head)} {conjunction} {last}" if head else last
