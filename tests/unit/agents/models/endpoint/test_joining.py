"""Chunks with all of the text so far are told from pieces, and pieces are never taken for them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence

import pytest

from agents.models.endpoint.joining import Contradicted, Joining

VERSE = "I will arise and go now, and go to Innisfree, and a small cabin build there."
CODE = "for row in rows:\n    print(row)\n    print(row)\n"
HONEST = {
    "verse": VERSE * 20,
    "ha": "ha " * 3_000,
    "haha": "ha" * 3_000,
    "dashes": "-" * 5_000,
    "a table of dashes": "| name | count |\n|------|-------|\n" * 200,
    "rules": ("-" * 79 + "\n") * 60,
    "code with repeated lines": CODE * 100,
    "one line again and again": "print('Nine bean rows')\n" * 200,
    "growing lines": "".join("*" * width + "\n" for width in range(90)),
    "blanks": " " * 3_000 + VERSE,
    "other letters": "\u65e5\u672c\u8a9e " * 800,
}


def heard(texts: Iterable[str], *, repeats: bool = False) -> tuple[str, Joining, int]:
    """What chunks come to, and how often it was void."""
    joining, passed, turns = Joining(repeats=repeats), "", 0
    for text in texts:
        new = joining.joined(text)
        if joining.has_turned:
            passed, turns = "", turns + 1
        passed += new
    return passed + joining.left(), joining, turns


def cut(text: str, sizes: Iterable[int]) -> list[str]:
    """A text in pieces of these sizes, in turn."""
    pieces, at, turn = [], 0, itertools.cycle(sizes)
    while at < len(text):
        size = next(turn)
        pieces.append(text[at : at + size])
        at += size
    return pieces


def summed(pieces: Sequence[str]) -> list[str]:
    return list(itertools.accumulate(pieces))


# ---- pieces ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HONEST)
@pytest.mark.parametrize(
    "sizes",
    [
        (1,),
        (2,),
        (3,),
        (4,),
        (5, 7),
        (16,),
        (24,),
        (79,),
        (80,),
        (2_000,),
        tuple(range(1, 90)),
        tuple(range(3, 300, 3)),
        tuple(80 * times for times in range(1, 9)),
        (16, 32, 64, 128),
        (24, 48, 72, 96),
        (3, 9, 27, 81, 243),
    ],
    ids=str,
)
def test_repetitive_texts_in_pieces_stay_as_they_are(name: str, sizes: tuple[int, ...]) -> None:
    text = HONEST[name]

    passed, joining, turns = heard(cut(text, sizes))

    assert passed == text
    assert turns == 0
    assert not joining.repeats


def test_repetitive_texts_cut_anywhere_stay_as_they_are() -> None:
    rng = random.Random(7)
    for _ in range(2_000):
        text = rng.choice(list(HONEST.values()))[: rng.randint(40, 1_500)]
        largest = rng.choice((3, 20, 90, 400))
        pieces = cut(text, [rng.randint(1, largest) for _ in range(50)])

        assert heard(pieces)[0] == text


@pytest.mark.parametrize("token", ["ha", "-" * 16, "https://example.com/a", "\U0001f331"])
def test_one_token_ten_thousand_times_is_ten_thousand_tokens(token: str) -> None:
    passed, joining, _ = heard([token] * 10_000)

    assert passed == token * 10_000
    assert not joining.repeats


def test_a_beginning_that_comes_twice_tells_nothing() -> None:
    pieces = [VERSE, f"{VERSE} Nine", " bean rows"]

    assert heard(pieces)[0] == "".join(pieces)


def test_tokens_that_begin_with_those_before_them_tell_nothing() -> None:
    pieces = ["a", "an", "and", "andr", "andro", "android", " x"]

    assert heard(pieces)[0] == "".join(pieces)


# ---- all of the text each time -----------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 5, 12, 40])
def test_text_that_comes_again_with_each_chunk_is_read_once(size: int) -> None:
    chunks = summed(cut(VERSE * 3, [size]))

    passed, joining, turns = heard([*chunks, chunks[-1]])

    assert passed == VERSE * 3
    assert turns == 1
    assert joining.repeats


@pytest.mark.parametrize("size", [1, 5, 12, 40, 1_000])
def test_where_it_is_expected_nothing_is_void(size: int) -> None:
    chunks = summed(cut(VERSE, [size]))

    passed, _, turns = heard([*chunks, chunks[-1]], repeats=True)

    assert passed == VERSE
    assert turns == 0


def test_pieces_of_an_endpoint_that_repeated_before_are_pieces() -> None:
    passed, joining, _ = heard(cut(VERSE, [12]), repeats=True)

    assert passed == VERSE
    assert joining.repeats is False


@pytest.mark.parametrize("part", [chr(0xFFFD), chr(0xD83C)], ids=ascii)
@pytest.mark.parametrize("repeats", [True, False])
def test_a_character_that_came_in_parts_is_one(part: str, *, repeats: bool) -> None:
    said = f"{VERSE[:40]}\U0001f331"
    chunks = [*summed(cut(VERSE[:40], [8])), VERSE[:40] + part, said, f"{said} rows"]

    assert heard(chunks, repeats=repeats)[0] == f"{said} rows"


def test_a_part_of_a_character_at_the_end_is_replaced() -> None:
    chunks = [*summed(cut(VERSE[:40], [8])), VERSE[:40] + "\ud83c"]

    assert heard(chunks)[0] == VERSE[:40] + "\ufffd"


def test_a_text_without_the_blanks_at_its_end_says_nothing_new() -> None:
    chunks = [*summed(cut(VERSE, [19])), f"{VERSE}\n", VERSE, f"{VERSE}\nNine"]

    assert heard(chunks)[0] == f"{VERSE}\nNine"


def test_another_text_than_was_said_can_not_be_joined() -> None:
    joining = Joining()
    for text in summed(cut(VERSE, [12])):
        joining.joined(text)

    for _ in range(2):
        with pytest.raises(Contradicted):
            joining.joined("Nine bean rows")
    assert joining.repeats is False


# ---- messages ----------------------------------------------------------------------------------


@pytest.mark.parametrize("last", ["Nine bean rows", "Nine bean rows will", "", " will"])
def test_of_a_whole_message_only_what_is_new_counts(last: str) -> None:
    joining = Joining()
    passed = joining.joined("Nine") + joining.joined(" bean rows")

    passed += joining.joined(last, is_whole=True)

    assert passed == "Nine bean rows" + (" will" if "will" in last else "")


def test_a_whole_message_tells_that_short_ones_before_it_had_all() -> None:
    joining = Joining()
    for text in ("Nine", "Nine bean", "Nine bean rows"):
        joining.joined(text)

    assert joining.joined("Nine bean rows", is_whole=True) == "Nine bean rows"
    assert joining.has_turned
