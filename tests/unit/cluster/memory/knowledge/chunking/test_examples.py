"""Listings become programs that can run alone, or no examples at all."""

from __future__ import annotations

import contextlib
import io
from textwrap import dedent

import pytest

from cluster.memory.knowledge.chunking.examples import BASE_MAX, SOURCE_CHARS_MAX, examples
from cluster.memory.knowledge.chunking.page import Listing


def programs(*sources: str, language: str = "python") -> list[str]:
    listings = [Listing(1, 1, dedent(source), language) for source in sources]
    return [chunk.text for chunk in examples(listings)]


def output_of(program: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(program, "<example>", "exec"), {"__name__": "__main__"})  # noqa: S102
    return out.getvalue()


def test_a_listing_that_needs_nothing_is_a_program_as_it_stands() -> None:
    assert programs("    import os\n    print(os.sep)\n") == ["import os\nprint(os.sep)\n"]


def test_an_example_keeps_lines_title_and_what_stood_before_it() -> None:
    listing = Listing(7, 9, "print(1)", "python", ("A", "B"), "To print one:")

    (chunk,) = examples([listing])

    assert (chunk.start_line, chunk.end_line, chunk.kind) == (7, 9, "code")
    assert (chunk.title, chunk.context) == ("A > B", "To print one:")


def test_a_session_becomes_a_program_that_prints_what_it_shows() -> None:
    session = """\
        >>> import math
        >>> x = [1,
        ...      2]
        >>> sum(x)  # adds up
        3
        >>> print("plain")
        plain
        >>> for each in x:
        ...     print(each)
        ...
        1
        2
        >>> x.append(3)
        >>> math.sqrt(
        ...     16)
        4.0
        """

    (program,) = programs(session, language="pycon")

    assert output_of(program) == "3\nplain\n1\n2\n4.0\n"


def test_an_exception_that_a_session_shows_is_printed_and_ends_nothing() -> None:
    session = """\
        >>> int("x")
        Traceback (most recent call last):
          ...
        ValueError: invalid literal for int() with base 10: 'x'
        >>> 1 + 1
        2
        """

    (program,) = programs(session)

    assert output_of(program).splitlines() == [
        "ValueError: invalid literal for int() with base 10: 'x'",
        "2",
    ]


def test_a_listing_is_put_after_the_ones_it_leans_on() -> None:
    assert programs("import math as m", "x = m.pi", "y = 1", "print(x)") == [
        "import math as m\n\nx = m.pi\n\nprint(x)\n"
    ]


def test_of_a_listing_with_an_import_only_the_import_is_taken() -> None:
    first = "from math import floor, pi\nprint(pi)"

    assert programs(first, "print(floor(2.5))")[1] == (
        "from math import floor\n\nprint(floor(2.5))\n"
    )


def test_what_a_section_did_to_a_thing_meanwhile_is_part_of_the_story() -> None:
    assert (
        programs("x = []", "x.append(1)", "print(x)")[-1] == "x = []\n\nx.append(1)\n\nprint(x)\n"
    )


def test_the_latest_of_two_that_bind_a_name_counts() -> None:
    assert programs("x = 1", "x = 2", "print(x)") == ["x = 2\n\nprint(x)\n"]


@pytest.mark.parametrize(
    "source",
    [
        "print(unknown)",
        "from . import sibling\nprint(sibling)",
        "def broken(:",
        "await something()",
        "",
        "x = 1",
        "'only a text'",
        "print(1)  # " + "x" * SOURCE_CHARS_MAX,
        "\0",
    ],
)
def test_what_could_not_run_or_would_show_nothing_is_no_example(source: str) -> None:
    assert programs(source) == []


def test_what_leans_on_something_broken_is_no_example() -> None:
    assert programs("x = unknown()", "print(x)") == []


def test_a_story_that_is_too_long_is_no_example() -> None:
    steps = [f"x{at + 1} = x{at} + 1" for at in range(BASE_MAX + 1)]

    assert programs("x0 = 0", *steps, f"print(x{BASE_MAX + 1})") == []


@pytest.mark.parametrize(
    ("source", "language", "is_example"),
    [
        ("print(1)", "", True),
        ("make", "", False),
        ("40 + 2", "", False),
        ("import os\nos.getpid()", "text", True),
        ("print(1)", "ruby", False),
        ("40 + 2", "python", True),
        (">>> 40 + 2\n42", "console", True),
    ],
)
def test_code_in_no_known_language_must_look_like_python(
    source: str, language: str, *, is_example: bool
) -> None:
    assert bool(programs(source, language=language)) == is_example


def test_every_way_of_binding_a_name_is_known() -> None:
    binds = """\
        async def later(a, *b, c=1, **d): return a, b, c, d
        class K: pass
        with open(__file__) as opened: pass
        for i, (j, k) in []: pass
        try: pass
        except ValueError as error: print(error)
        match [1, 2]:
            case [first, *rest]: print(first, rest)
            case {"a": value, **others}: print(value, others)
            case int() as number: print(number)
        if (walrus := 1): print(walrus, K, opened, i, j, k, later)
        print([n for n in range(3)], (lambda z: z)(1))
        """

    assert len(programs(binds)) == 1
    assert len(programs("import os.path, sys as system", "print(os.path.sep, system.argv)")) == 1
    assert len(programs("from math import *\nprint(pi)")) == 1
