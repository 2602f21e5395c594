"""Values of REDCap expressions, computed exactly and in three-valued logic.

Belongs here: what operators and functions give. Does not belong here: where a field's cell is looked up, syntax
(``logic``).

Where REDCap's answer depends on the day, its version or its settings, or where it is not documented (an order of a
blank and a number, rounding without a number of places, years and months of a ``datediff``), the value is UNKNOWN.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import date
from fractions import Fraction
from typing import Final

from fm_platform.sources.redcap.logic import Call, Node, Number, Reference, Text


class Unknown:
    """The one value of what cannot be decided."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()
BLANK: Final = ""
Value = bool | Fraction | str | Unknown
Lookup = Callable[[Reference], str | Unknown]
"""Gives the cell of a field as text (empty: blank)."""

_NUMBER = re.compile(r"^[+-]?(\d+([.,]\d*)?|[.,]\d+)$")
_YMD = re.compile(r"^\d{4}-\d{2}-\d{2}$")
_DATE_WORDS = {"ymd", "mdy", "dmy", "true", "false"}
_LARGEST_POWER = 32
_PLACES = 12


def evaluate(node: Node, lookup: Lookup) -> Value:
    """The value of an expression.

    Args:
        node: Its tree.
        lookup: Gives the cells of fields.

    Returns:
        A truth value, a number, a text (empty: blank) or UNKNOWN.
    """
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Text):
        return node.value
    if isinstance(node, Reference):
        return lookup(node)
    if node.name in ("and", "or", "not"):
        return _logical(node.name, [truth(evaluate(operand, lookup)) for operand in node.operands])
    if node.name == "if":
        return _if(node, lookup)
    values = [evaluate(operand, lookup) for operand in node.operands]
    if any(isinstance(value, Unknown) for value in values):
        return UNKNOWN
    if node.name in _ORDERS:
        return _compared(node.name, values[0], values[1])
    function = _FUNCTIONS.get(node.name)
    return UNKNOWN if function is None else function(values)


def truth(value: Value) -> bool | Unknown:
    """A truth value; anything else is undecided."""
    return value if isinstance(value, bool) else UNKNOWN


def number(value: Value) -> Fraction | None:
    """A number, also one written as text, with a decimal point or comma; None for anything else."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, str) and _NUMBER.match(value.strip()):
        return Fraction(value.strip().replace(",", "."))
    return None


def is_known(node: Node) -> bool:
    """Whether every function of an expression is one that is computed here."""
    if not isinstance(node, Call):
        return True
    own = node.name in _FUNCTIONS or node.name in _ORDERS or node.name in ("and", "or", "not", "if")
    return own and all(is_known(operand) for operand in node.operands)


def _logical(name: str, operands: Sequence[bool | Unknown]) -> bool | Unknown:
    if name == "not":
        return UNKNOWN if isinstance(operands[0], Unknown) else not operands[0]
    decisive = name == "or"
    if any(operand is decisive for operand in operands):
        return decisive
    return UNKNOWN if any(isinstance(operand, Unknown) for operand in operands) else not decisive


def _if(node: Call, lookup: Lookup) -> Value:
    if len(node.operands) != 3:
        return UNKNOWN
    condition = truth(evaluate(node.operands[0], lookup))
    if isinstance(condition, Unknown):
        return UNKNOWN
    return evaluate(node.operands[1 if condition else 2], lookup)


_ORDERS: dict[str, Callable[[Fraction | str, Fraction | str], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,  # type: ignore[operator]
    ">": lambda a, b: a > b,  # type: ignore[operator]
    "<=": lambda a, b: a <= b,  # type: ignore[operator]
    ">=": lambda a, b: a >= b,  # type: ignore[operator]
}


def _compared(sign: str, left: Value, right: Value) -> Value:
    numbers = number(left), number(right)
    if numbers[0] is not None and numbers[1] is not None:
        return _ORDERS[sign](numbers[0], numbers[1])
    if isinstance(left, bool) or isinstance(right, bool):
        return UNKNOWN
    if sign in ("=", "<>"):
        if BLANK in (left, right) and 0 in numbers:
            return UNKNOWN
        return _ORDERS[sign](_as_text(left), _as_text(right))
    if isinstance(left, str) and isinstance(right, str) and _YMD.match(left) and _YMD.match(right):
        return _ORDERS[sign](left, right)
    return UNKNOWN


def _as_text(value: Value) -> str:
    return value if isinstance(value, str) else f"{float(value):g}" if isinstance(value, Fraction) else ""


def _arithmetic(
    compute: Callable[[Fraction, Fraction], Fraction | None],
) -> Callable[[Sequence[Value]], Value]:
    def apply(values: Sequence[Value]) -> Value:
        if BLANK in values:
            return BLANK
        left, right = number(values[0]), number(values[1])
        if left is None or right is None:
            return UNKNOWN
        found = compute(left, right)
        return UNKNOWN if found is None else found

    return apply


def _minus(values: Sequence[Value]) -> Value:
    if len(values) == 2:
        return _arithmetic(lambda a, b: a - b)(values)
    return _arithmetic(lambda a, b: a - b)((Fraction(0), values[0]))


def _power(base: Fraction, exponent: Fraction) -> Fraction | None:
    if exponent.denominator == 1 and abs(exponent) <= _LARGEST_POWER and (base or exponent >= 0):
        return Fraction(base ** int(exponent))
    if base <= 0:
        return None
    try:
        return Fraction(float(base) ** float(exponent))
    except (OverflowError, ValueError):
        return None


def _one(compute: Callable[[Fraction], Fraction | None]) -> Callable[[Sequence[Value]], Value]:
    def apply(values: Sequence[Value]) -> Value:
        return _arithmetic(lambda a, _: compute(a))((values[0], Fraction(0))) if len(values) == 1 else UNKNOWN

    return apply


def _rounded(how: Callable[[Fraction], int]) -> Callable[[Sequence[Value]], Value]:
    def places(value: Fraction, count: Fraction) -> Fraction | None:
        if count.denominator != 1 or abs(count) > _PLACES:
            return None
        scale = Fraction(10) ** int(count)
        return Fraction(how(value * scale)) / scale

    return lambda values: _arithmetic(places)(values) if len(values) == 2 else UNKNOWN


def _half_away(value: Fraction) -> int:
    return int(math.copysign(1, value)) * math.floor(abs(value) + Fraction(1, 2))


def _away(value: Fraction) -> int:
    return math.ceil(value) if value > 0 else math.floor(value)


def _over(compute: Callable[[list[Fraction]], Fraction]) -> Callable[[Sequence[Value]], Value]:
    """A function of several numbers that passes over blanks."""

    def apply(values: Sequence[Value]) -> Value:
        present = [number(value) for value in values if value != BLANK]
        if any(value is None for value in present):
            return UNKNOWN
        return compute([value for value in present if value is not None]) if present else BLANK

    return apply


def _median(values: list[Fraction]) -> Fraction:
    ordered = sorted(values)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _datediff(values: Sequence[Value]) -> Value:
    """Days between two dates of the export, which are written year first."""
    if len(values) < 3 or values[2] != "d" or not set(values[3:]) <= _DATE_WORDS:
        return UNKNOWN
    if BLANK in values[:2]:
        return BLANK
    if not all(isinstance(value, str) and _YMD.match(value) for value in values[:2]):
        return UNKNOWN
    try:
        start, end = (date.fromisoformat(str(value)) for value in values[:2])
    except ValueError:
        return UNKNOWN
    days = Fraction((end - start).days)
    return days if "true" in values[3:] else abs(days)


_FUNCTIONS: dict[str, Callable[[Sequence[Value]], Value]] = {
    "+": _arithmetic(lambda a, b: a + b),
    "-": _minus,
    "*": _arithmetic(lambda a, b: a * b),
    "/": _arithmetic(lambda a, b: a / b if b else None),
    "^": _arithmetic(_power),
    "abs": _one(abs),
    "sqrt": _one(lambda a: Fraction(math.sqrt(a)) if a >= 0 else None),
    "round": _rounded(_half_away),
    "roundup": _rounded(_away),
    "rounddown": _rounded(math.trunc),
    "min": _over(min),
    "max": _over(max),
    "sum": _over(lambda values: sum(values, Fraction(0))),
    "mean": _over(lambda values: sum(values, Fraction(0)) / len(values)),
    "median": _over(_median),
    "datediff": _datediff,
}
