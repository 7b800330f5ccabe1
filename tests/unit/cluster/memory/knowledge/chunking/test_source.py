"""Python along its definitions, other source along its blank lines."""

from __future__ import annotations

from textwrap import dedent

from cluster.memory.knowledge.chunking.chunks import chunks_of
from cluster.memory.knowledge.chunking.page import Block, Page
from cluster.memory.knowledge.chunking.source import PYTHON_CHARS_MAX, python, source
from cluster.memory.knowledge.records import CODE

MODULE = dedent('''\
    """What it is for."""

    import os

    LIMIT = 3

    # Says why.
    @cache
    def first():
        return 1


    class Second:
        """A class."""

        def method(self):
            return 2
    ''')


def first_lines(page: Page, blocks: list[Block]) -> list[tuple[str, tuple[str, ...]]]:
    return [
        (page.content[block.start : block.end].strip().split("\n")[0], block.path)
        for block in blocks
    ]


def test_definitions_are_blocks_with_their_comments_and_decorators() -> None:
    page = Page.of(MODULE)

    found = first_lines(page, [each for each in python(page).blocks if each.path])

    assert found == [("# Says why.", ("first",)), ("class Second:", ("Second",))]


def test_a_large_class_is_taken_apart_into_its_methods() -> None:
    body = "".join(
        f"    def method_{at}(self):\n        return '{'x' * 300}'\n\n" for at in range(5)
    )
    page = Page.of(f"class Large:\n    limit = 1\n\n{body}")

    found = first_lines(page, python(page).blocks)

    assert found[0] == ("class Large:", ("Large",))
    assert ("def method_0(self):", ("Large", "method_0")) in found


def test_statements_that_share_a_line_are_one_block() -> None:
    page = Page.of("a = 1; b = (2,\n3); c = 4\n")

    assert first_lines(page, python(page).blocks) == [("a = 1; b = (2,", ()), ("3); c = 4", ())]


def test_python_that_does_not_parse_is_read_as_any_source() -> None:
    page = Page.of("print 'two'\n\nexec code in scope\n")

    assert first_lines(page, python(page).blocks) == [
        ("print 'two'", ()),
        ("exec code in scope", ()),
    ]


def test_python_that_is_very_large_is_read_as_any_source() -> None:
    page = Page.of("def f(): pass\n" * (PYTHON_CHARS_MAX // 14 + 1))

    assert [block.path for block in python(page).blocks] == [()]


def test_any_source_is_cut_at_blank_lines() -> None:
    page = Page.of("int main() {\n  return 0;\n}\n\nint other;\n")

    assert first_lines(page, source(page).blocks) == [("int main() {", ()), ("int other;", ())]


def test_a_small_program_is_an_example_as_a_whole() -> None:
    content = "import math\n\nprint(math.pi)\n"

    assert [chunk.text for chunk in chunks_of(content, "python") if chunk.kind == CODE] == [content]


def test_a_module_that_only_defines_things_is_no_example() -> None:
    assert not [chunk for chunk in chunks_of(MODULE, "python") if chunk.kind == CODE]


def test_sessions_in_docstrings_are_examples_where_they_stand_alone() -> None:
    content = dedent('''\
        def twice(x):
            """Double it.

            >>> twice(2)
            4

            >>> sorted([2, 1])
            [1, 2]
            """
            return 2 * x
        ''')

    (example,) = [chunk for chunk in chunks_of(content, "python") if chunk.kind == CODE]

    assert example.text == "print(repr(sorted([2, 1])))\n"
    assert (example.start_line, example.end_line) == (7, 8)
