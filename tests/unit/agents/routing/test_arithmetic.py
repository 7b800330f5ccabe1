"""What surely is a calculation is computed exactly; near misses are left to a model."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.routing.arithmetic import CHARS_MAX, computed

COMPUTED = {
    "what is 17 % of 2,340?": "397.8",
    "What's 17% of 2340": "397.8",
    "12*(3+4)": "84",
    "square root of 144": "12",
    "15% tip on $48.20": "$7.23",
    "How much is 365 times 24?": "8,760",
    "please calculate 1024 / 16": "64",
    "7 + 3 * 2 - 1": "12",
    "(5 - 3) * 2^10": "2,048",
    "what is 1/3 + 1/6": "0.5",
    "0.1 + 0.2": "0.3",
    "1 / 3": "≈ 0.3333333333",
    "square root of 2": "≈ 1.4142135624",
    "33% of $1.99": "≈ $0.66",
    "sum of 12, 15 and 18": "45",
    "add 19.99 and 4.50": "24.49",
    "average of 3, 7, 11 and 20": "10.25",
    "subtract 45 from 300": "255",
    "divide 144 by 12": "12",
    "multiply 23 by 47 please": "1,081",
    "what is 5 factorial?": "120",
    "17 mod 5": "2",
    "-5 + 12": "7",
    "999x3": "2,997",
    "100 - 37.5": "62.5",
    "half of 3,500": "1,750",
    "what is 15 squared": "225",
    "48 ÷ 6 = ?": "8",
    "99/3": "33",
    "Could you tell me what is 6 times 7, thanks": "42",
}
NEAR_MISSES = [
    "",
    "what is",
    "what is 17 % of our customers?",
    "what is 17 % of 2,340 customers?",
    "what is 5",
    "2,340*2",  # thousands, or a decimal comma?
    "1,50 * 2",
    "what is 1.234,56 * 2",
    "was ist 2,5 * 2",
    "100 + 10 %",  # 110, or 100.1?
    "17 % 5",  # a remainder?
    "-2^2",
    "2^3^2",
    "2^-3^2",
    "6/2(1+2)",
    "2(3)",
    "(2)(3)",
    "2 plus 3 times 4",
    "10 plus 20 divided by 2",
    "square root of 144 + 25",
    "17 % of 200 + 5",
    "24/7",
    "what is 24/7",
    "what is 9/11",
    "what happened on 9-11",
    "12-05-2024",
    "2024-05-12",
    "12/05/2024",
    "10-12",
    "555-0199",
    "007 + 1",
    "5!",
    "3x + 4",
    "x + 4",
    "1e6 / 250",
    "1.2.3 + 1",
    "what is 3.5.2 - 1",
    "10:30 + 2",
    "$5 + €3",
    "1/0",
    "0^0",
    "0^-1",
    "2^0.5",
    "2^100000",
    "9^99^99",
    "100000 factorial",
    "square root of -4",
    "-7 mod 3",
    "average of 100,200,300",
    "sum of 5",
    "(1 + 2",
    "1 + 2)",
    "1 +",
    "+ 1",
    "1 + + 2",
    "5 3",
    "write a program that adds 2 + 2",
    "why is 2 + 2 = 4?",
    "what is 2 + 2 in binary",
    "what is 2 + 2 not",
    "what is the difference between 5 and 3 stars",
    "is 2 + 2 = 5?",
    "convert 5 km to miles",
    "how much is 12 dollars in euros",
    "version 3.2 - 3.1",
    "20 - 30 people",
    "٣ + ٤",
    "\uff11+\uff11",
    "²",
    "(" * 60 + "1+1" + ")" * 60,
]


@pytest.mark.parametrize(("question", "text"), COMPUTED.items())
def test_a_calculation_is_computed(question: str, text: str) -> None:
    result = computed(question)

    assert result is not None
    assert result.text == text


@pytest.mark.parametrize("question", NEAR_MISSES)
def test_what_two_readers_may_read_differently_is_not_computed(question: str) -> None:
    assert computed(question) is None


numbers = st.integers(0, 10**9)
trees = st.recursive(
    numbers.map(str),
    lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner).map(
        lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
    ),
    max_leaves=8,
)


@given(trees)
def test_a_formula_is_what_fractions_make_of_it(formula: str) -> None:
    result = computed(formula)

    if result is not None:
        assert result.is_exact
        assert result.value == _expected(formula)


def _expected(formula: str) -> Fraction:
    """The value of a formula in which each operation has its brackets."""
    if formula.isdigit():
        return Fraction(formula)
    depth = 0
    for at, sign in enumerate(formula):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth == 1 and formula[at : at + 3] in {" + ", " - ", " * ", " / "}:
            one, other = _expected(formula[1:at]), _expected(formula[at + 3 : -1])
            match formula[at + 1]:
                case "+":
                    return one + other
                case "-":
                    return one - other
                case "*":
                    return one * other
                case _:
                    return one / other
    raise AssertionError(formula)


@given(numbers, numbers, numbers)
def test_products_come_before_sums_and_equals_are_read_from_the_left(
    one: int, two: int, three: int
) -> None:
    mixed = computed(f"{one} + {two} * {three}")
    left = computed(f"what is {one} - {two} - {three}?")

    assert mixed is not None
    assert mixed.value == one + two * three
    assert left is not None
    assert left.value == one - two - three


@given(st.decimals(0, 1000, places=2), st.integers(0, 10**6))
def test_a_share_of_a_number_is_exact(share: object, whole: int) -> None:
    result = computed(f"What is {share} % of {whole:,}?")

    assert result is not None
    assert result.value == Fraction(str(share)) * whole / 100


@given(st.integers(0, 10**12))
def test_a_root_is_exact_or_says_that_it_is_not(value: int) -> None:
    result = computed(f"square root of {value}")

    assert result is not None
    assert result.is_exact == (result.value**2 == value)
    assert abs(result.value**2 - value) <= Fraction(1, 10**10)


@given(st.text(max_size=CHARS_MAX + 10))
def test_no_text_whatever_is_an_error(text: str) -> None:
    computed(text)


@given(trees, st.from_regex(r"\A[a-z]{4,9}\Z"))
def test_a_word_more_is_a_word_too_much(formula: str, word: str) -> None:
    if word not in {"plus", "minus", "times", "squared", "cubed", "please", "thanks"}:
        assert computed(f"{formula} {word}") is None
