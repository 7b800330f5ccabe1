"""What was left out is said in one line, by kind and count."""

from __future__ import annotations

import pytest

from cluster.memory.knowledge.omissions import (
    PARTS_MAX,
    LeftOut,
    Omission,
    Omissions,
    left_out_line,
)


def line_of(*added: tuple[str, Omission, str]) -> str:
    omissions = Omissions()
    for kind, reason, source in added:
        omissions.add(kind, reason, source)
    return left_out_line(omissions.left_out())


def test_nothing_left_out_is_no_line() -> None:
    assert line_of() == ""


def test_kinds_are_counted_and_the_most_frequent_come_first() -> None:
    images = [("images", Omission.KIND, f"{at}.png") for at in range(12)]

    assert line_of(("archives", Omission.KIND, "a.zip"), *images) == (
        "Left out: 12 images, 1 archive"
    )


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (Omission.TOO_LARGE, "1 PDF over 20 MB (a.pdf)"),
        (Omission.UNREADABLE, "1 unreadable PDF (a.pdf)"),
        (Omission.CHANGING, "1 changing PDF (a.pdf)"),
        (Omission.EMPTY, "1 empty PDF"),
        (Omission.BINARY, "1 binary PDF"),
        (Omission.ENCRYPTED, "1 encrypted PDF (a.pdf)"),
        (Omission.BROKEN, "1 broken PDF (a.pdf)"),
        (Omission.NO_TEXT, "1 PDF without text (a.pdf)"),
        (Omission.UNPACKS_TOO_LARGE, "1 PDF too large when unpacked (a.pdf)"),
        (Omission.TOO_SLOW, "1 PDF too slow to read (a.pdf)"),
    ],
)
def test_each_reason_has_its_words(reason: Omission, said: str) -> None:
    assert line_of(("PDFs", reason, "a.pdf")) == f"Left out: {said}"


def test_what_should_have_been_readable_comes_first_with_a_few_names() -> None:
    broken = [("PDFs", Omission.BROKEN, f"{at}.pdf") for at in range(4)]
    images = [("images", Omission.KIND, f"{at}.png") for at in range(1_500)]

    assert line_of(*images, *broken) == (
        "Left out: 4 broken PDFs (0.pdf, 1.pdf, 2.pdf, ...), 1,500 images"
    )


def test_a_line_tells_so_many_kinds_apart_and_counts_the_rest() -> None:
    many = [LeftOut(f".{at} files", Omission.KIND, 2) for at in range(PARTS_MAX + 3)]

    assert left_out_line(many).endswith(f".{PARTS_MAX - 1} files, 6 others")
