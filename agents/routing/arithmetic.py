"""Computes what surely is a calculation, and nothing else: exact, without a model, in microseconds.

Called by whoever answers the intent `arithmetic`. The whole question has to be understood, to its
last word, else there is no result: a wrong number is worse than a question that a model gets. So
"17 % of 2,340" is computed, and "17 % of our customers" is not; nor is what two readers may read
differently: "1,50", "100 + 10 %", "-2^2", "6/2(1+2)", "24/7", or "2 plus 3 times 4" in words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from math import factorial, isqrt, prod

CHARS_MAX = 200
DIGITS_MAX = 40
"""Of numerator and denominator: more is no answer that anyone reads."""
PLACES_MAX = 10
"""Places that are shown of what has no end."""
_POWER_MAX = 128
_FACTORIAL_MAX = 30
_NESTED_MAX = 20
_DAYS_MAX = 31

_DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_NUMBER = rf"(-?{_DIGITS})"
_TOKEN = re.compile(rf"\s*({_DIGITS}|\*\*|[-+*/^()])")
_DOUBTFUL = re.compile(r"(?<![\d.,])0\d|\.\d+[.,]\d|\d[.,](?![\d\s?!]|$)|(?<!\d)[.,]\d")
"""Leading zeros (dates, phone numbers), versions, points and commas that separate no digits."""
_COMMA = re.compile(r"\d,\d")
_PLAIN_COMMAS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_ASKED = re.compile(
    r"(?:(?:please|hey|hi|so|ok|and)[, ]+)*"
    r"(?:(?:can|could|would) you (?:please )?)?"
    r"(?:(?:(?:tell me )?(?:what is|what's|whats|how much is)"
    r"|calculate|compute|evaluate|work out|calc)(?: the (?:result|value) of)? (?:the )?)?"
)
_ENDED = re.compile(r"(?:,? (?:please|thanks|thank you|for me)|\s*=|\s*[?.])*\s*")
_COMPACT = re.compile(r"(\d+)([-/])(\d+)")
_WORDS: Mapping[str, str] = {
    " multiplied by ": " * ",
    " divided by ": " / ",
    " to the power of ": " ^ ",
    " times ": " * ",
    " plus ": " + ",
    " minus ": " - ",
}
_SIGNS = str.maketrans(
    {
        "\N{MULTIPLICATION SIGN}": "*",
        "\N{MIDDLE DOT}": "*",
        "\N{DIVISION SIGN}": "/",
        "\N{MINUS SIGN}": "-",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{NO-BREAK SPACE}": " ",
    }
)
_CURRENCIES = "€£"
_CROSS = re.compile(r"(?<=\d)\s*x\s*(?=\d)")
_LEVELS = ("+-", "*/", "^")


@dataclass(frozen=True, slots=True)
class Computed:
    """The result of a calculation."""

    value: Fraction
    is_exact: bool = True
    """False for a root that has no end, of which there are 40 digits."""
    currency: str = ""
    """``$``, ``€`` or ``£`` where the amount has it."""

    @property
    def text(self) -> str:
        """The value as one writes it, with ≈ where it had to be rounded."""
        places = 2 if self.currency else PLACES_MAX
        shown = round(self.value, places)
        exact = Context(prec=2 * DIGITS_MAX + PLACES_MAX)
        plain = f"{exact.divide(Decimal(shown.numerator), Decimal(shown.denominator)):,f}"
        if self.currency and shown.denominator != 1:
            plain = f"{Decimal(plain.replace(',', '')):,.2f}"
        sign, digits = ("-", plain[1:]) if plain.startswith("-") else ("", plain)
        mark = "" if self.is_exact and shown == self.value else "≈ "
        return f"{mark}{sign}{self.currency}{digits}"


class _NotUnderstood(Exception):
    """A part of the question is no part of a calculation, or there is no result to show."""


def computed(question: str) -> Computed | None:
    """Return the result of a calculation; None where anything of the question isn't understood."""
    if len(question) > CHARS_MAX:
        return None
    text = " ".join(question.translate(_SIGNS).lower().split())
    if not text.translate({ord(sign): "" for sign in _CURRENCIES}).isascii():
        return None  # digits and words of other writing
    asked = _ASKED.match(text)
    start = asked.end() if asked else 0
    body = text[start : _body_end(text, start)]
    try:
        _refuse_doubtful_numbers(body, is_english=bool(re.search(r"[a-w]", text)))
        result = _phrased(body) or _expression(body, is_asked=start > 0)
    except (_NotUnderstood, ZeroDivisionError):
        return None
    return result if _is_shown(result.value) else None


def _body_end(text: str, start: int) -> int:
    for at in range(start, len(text)):
        if _ENDED.fullmatch(text, at):
            return at
    return len(text)


def _refuse_doubtful_numbers(body: str, *, is_english: bool) -> None:
    """A comma separates thousands only in English, and only where all of them do."""
    has_other_commas = bool(_COMMA.search(_PLAIN_COMMAS.sub("", body)))
    is_foreign = not is_english and bool(_COMMA.search(body))
    if _DOUBTFUL.search(body) or has_other_commas or is_foreign:
        raise _NotUnderstood


def _is_shown(value: Fraction) -> bool:
    return bool(max(abs(value.numerator), value.denominator) < 10**DIGITS_MAX)


# --- What is said in words: each form is the whole question. ---


def _phrased(body: str) -> Computed | None:
    for pattern, compute in _PHRASES:
        if match := pattern.fullmatch(body):
            return compute(match)
    return None


def _fraction(text: str) -> Fraction:
    return Fraction(text.replace(",", ""))


def _share(match: re.Match[str]) -> Computed:
    share, currency, whole = match.groups()
    return Computed(_fraction(share) / 100 * _fraction(whole), currency=currency or "")


def _part(factor: Fraction) -> Callable[[re.Match[str]], Computed]:
    return lambda match: Computed(factor * _fraction(match[1]))


def _power(exponent: int) -> Callable[[re.Match[str]], Computed]:
    def raised(match: re.Match[str]) -> Computed:
        if match[1].startswith("-"):
            raise _NotUnderstood
        return Computed(_raised(_fraction(match[1]), Fraction(exponent)))

    return raised


def _square_root(match: re.Match[str]) -> Computed:
    value = _fraction(match[1])
    if value < 0 or not _is_shown(value):
        raise _NotUnderstood
    root = Fraction(isqrt(value.numerator), isqrt(value.denominator))
    if root * root == value:
        return Computed(root)
    digits = Context(prec=DIGITS_MAX)
    shown = digits.sqrt(digits.divide(Decimal(value.numerator), Decimal(value.denominator)))
    return Computed(Fraction(round(Fraction(shown), 2 * PLACES_MAX)), is_exact=False)


def _factorial(match: re.Match[str]) -> Computed:
    value = _fraction(match[1])
    if value.denominator != 1 or not 0 <= value <= _FACTORIAL_MAX:
        raise _NotUnderstood
    return Computed(Fraction(factorial(int(value))))


def _remainder(match: re.Match[str]) -> Computed:
    value, divisor = _fraction(match[1]), _fraction(match[2])
    if value.denominator != 1 or divisor.denominator != 1 or value < 0 or divisor <= 0:
        raise _NotUnderstood  # languages differ
    return Computed(value % divisor)


def _listed(
    combine: Callable[[Sequence[Fraction]], Fraction],
) -> Callable[[re.Match[str]], Computed]:
    def of_list(match: re.Match[str]) -> Computed:
        if _COMMA.search(match[1]):
            raise _NotUnderstood  # 100,200: two numbers, or one?
        return Computed(combine([Fraction(n) for n in re.findall(r"-?\d+(?:\.\d+)?", match[1])]))

    return of_list


def _product(values: Sequence[Fraction]) -> Fraction:
    return prod(values, start=Fraction(1))


def _mean(values: Sequence[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def _pair(combine: Callable[[Fraction, Fraction], Fraction]) -> Callable[[re.Match[str]], Computed]:
    return lambda match: Computed(combine(_fraction(match[1]), _fraction(match[2])))


_LIST = r"(-?\d[\d.,]*(?:(?:, | and |, and )-?\d[\d.,]*)+)"
_PHRASES = tuple(
    (re.compile(pattern), compute)
    for pattern, compute in (
        (rf"{_NUMBER} ?(?:%|percent|per cent) of ([$€£]?){_NUMBER}", _share),
        (rf"(?:a )?{_NUMBER} ?(?:%|percent|per cent) tip on ([$€£]?){_NUMBER}", _share),
        (rf"half of {_NUMBER}", _part(Fraction(1, 2))),
        (rf"a quarter of {_NUMBER}", _part(Fraction(1, 4))),
        (rf"a third of {_NUMBER}", _part(Fraction(1, 3))),
        (rf"(?:twice|double) {_NUMBER}", _part(Fraction(2))),
        (rf"{_NUMBER} squared", _power(2)),
        (rf"(?:square of) {_NUMBER}", _power(2)),
        (rf"{_NUMBER} cubed", _power(3)),
        (rf"(?:square root of |sqrt ?){_NUMBER}", _square_root),
        (rf"sqrt ?\({_NUMBER}\)", _square_root),
        (rf"{_NUMBER} factorial", _factorial),
        (rf"factorial of {_NUMBER}", _factorial),
        (rf"{_NUMBER} (?:mod|modulo) {_NUMBER}", _remainder),
        (rf"(?:sum of|add|add up) {_LIST}", _listed(lambda values: sum(values, Fraction(0)))),
        (rf"(?:product of) {_LIST}", _listed(_product)),
        (rf"(?:average|mean|average of|mean of) {_LIST}", _listed(_mean)),
        (rf"subtract {_NUMBER} from {_NUMBER}", _pair(lambda a, b: b - a)),
        (rf"divide {_NUMBER} by {_NUMBER}", _pair(lambda a, b: a / b)),
        (rf"multiply {_NUMBER} (?:by|with) {_NUMBER}", _pair(lambda a, b: a * b)),
    )
)


# --- What is written as a formula. ---


def _expression(body: str, *, is_asked: bool) -> Computed:
    if _may_be_no_formula(body, is_asked=is_asked):
        raise _NotUnderstood
    written = _CROSS.sub(" * ", body)
    has_words = False
    for word, sign in _WORDS.items():
        has_words |= word in written
        written = written.replace(word, sign)
    formula = _Formula(_tokens(written))
    value = formula.whole()
    # Spoken, "2 plus 3 times 4" is 20 to some and 14 to others.
    if not formula.levels or (has_words and len(formula.levels) > 1):
        raise _NotUnderstood
    return Computed(value)


def _may_be_no_formula(body: str, *, is_asked: bool) -> bool:
    """Say whether "24/7", "9/11", "12-05-2024" or "10-12" may be a date, a range or an idiom."""
    if re.fullmatch(r"\d+(?:[-/]\d+){2,}", body):
        return True
    match = _COMPACT.fullmatch(body)
    if match is None:
        return False
    first, sign, second = int(match[1]), match[2], int(match[3])
    if sign == "-":
        return not is_asked or first <= second
    is_whole = second > 1 and first != second and first % second == 0
    return not (is_whole and (is_asked or first > _DAYS_MAX))


def _tokens(written: str) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(written):
        match = _TOKEN.match(written, at)
        if match is None:
            raise _NotUnderstood
        found.append("^" if match[1] == "**" else match[1])
        at = match.end()
    return found


def _raised(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1 or abs(exponent) > _POWER_MAX or (base == 0 and exponent <= 0):
        raise _NotUnderstood
    digits = len(str(max(abs(base.numerator), base.denominator)))
    if digits * abs(exponent) > 2 * DIGITS_MAX and abs(base) != 1:
        raise _NotUnderstood
    return base ** int(exponent)


class _Formula:
    """A formula being read: sums of products of powers of numbers and brackets."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self.levels: set[str] = set()
        """Which of `_LEVELS` it has operators of."""

    def whole(self) -> Fraction:
        """Return the value of all of it."""
        value = self._sum()
        if self._at < len(self._tokens):
            raise _NotUnderstood
        return value

    def _next(self, expected: str) -> str:
        """Take the next token if it is one of the expected signs; empty if it isn't."""
        if self._at < len(self._tokens) and self._tokens[self._at] in set(expected):
            self._at += 1
            return self._tokens[self._at - 1]
        return ""

    def _operator(self, level: str) -> str:
        sign = self._next(level)
        if sign:
            self.levels.add(level)
        return sign

    def _sum(self) -> Fraction:
        value = self._product()
        while sign := self._operator(_LEVELS[0]):
            value = value + self._product() if sign == "+" else value - self._product()
        return value

    def _product(self) -> Fraction:
        value = self._signed()
        while sign := self._operator(_LEVELS[1]):
            value = value * self._signed() if sign == "*" else value / self._signed()
        return value

    def _signed(self) -> Fraction:
        is_negative = bool(self._next("-"))
        before = self._at
        base = self._single()
        if self._operator(_LEVELS[2]):
            exponent = -self._single() if self._next("-") else self._single()
            # -2^2 and 2^3^2 are read both ways.
            if is_negative or self._next("^") or before == self._at:
                raise _NotUnderstood
            return _raised(base, exponent)
        return -base if is_negative else base

    def _single(self) -> Fraction:
        if self._next("("):
            self._depth += 1
            if self._depth > _NESTED_MAX:
                raise _NotUnderstood
            value = self._sum()
            if not self._next(")"):
                raise _NotUnderstood
            self._depth -= 1
            return value
        if self._at == len(self._tokens) or not self._tokens[self._at][0].isdigit():
            raise _NotUnderstood
        self._at += 1
        return _fraction(self._tokens[self._at - 1])
