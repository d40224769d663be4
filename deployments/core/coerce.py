"""Which JSON value Core accepts for a field of a type, and what it makes of it (core-semantics 3.3, 4.5).

Each function takes any parsed JSON value and returns Core's value, or raises UnfitError, whose message says
what would fit and never quotes the value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from deployments.core.text import Real

LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1
INT_MIN, INT_MAX = -(2**31), 2**31 - 1

# Java trims every character up to the space, and its digits are those of all scripts, as are Python's \d.
_JAVA_SPACE = "".join(map(chr, range(33)))
_INTEGER = re.compile(r"[+-]?\d+\Z")
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z")
_DOUBLE = re.compile(
    r"[+-]?(NaN|Infinity|((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|0[xX]([\da-fA-F]+\.?|[\da-fA-F]*\.[\da-fA-F]+)[pP][+-]?\d+)[fFdD]?)\Z",
    re.ASCII,
)
_TRUE, _FALSE = ("true", "True", "TRUE"), ("false", "False", "FALSE")


class UnfitError(ValueError):
    """Core refuses the value, and with it the whole configuration."""


def as_long(value: Any, low: int = LONG_MIN, high: int = LONG_MAX) -> int:
    """A whole number of 64 bits. Null and blank texts become 0, which as a limit denies; fractions are cut off."""
    if type(value) is int:  # by far the most frequent; bool is another type
        number = value
    elif value is None:
        return 0
    elif isinstance(value, bool):
        raise UnfitError("a whole number is needed, not true or false")
    elif isinstance(value, str):
        number = _integer_of(value)
    elif isinstance(value, int):
        number = int(value)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise UnfitError("the number is too large")
        number = int(value)
    else:
        raise UnfitError("a whole number is needed")
    if not low <= number <= high:
        raise UnfitError(f"the number is out of range ({low} to {high})")
    return number


def _integer_of(text: str) -> int:
    trimmed = text.strip(_JAVA_SPACE)
    if not trimmed or trimmed == "null":
        return 0
    if not _INTEGER.match(trimmed):
        raise UnfitError("a whole number is needed; as a text it holds digits only, with no point, exponent or comma")
    if len(trimmed) > 1000:
        raise UnfitError("the number is too large")
    return int(trimmed)


def as_int(value: Any) -> int:
    """A whole number of 32 bits."""
    return as_long(value, INT_MIN, INT_MAX)


def as_bool(value: Any) -> bool:
    """True or false, also as a text; whole numbers count as true unless 0."""
    if isinstance(value, bool):
        return value
    if value is None:
        return False
    if isinstance(value, str):
        trimmed = value.strip(_JAVA_SPACE)
        if trimmed in _TRUE:
            return True
        if trimmed in _FALSE or trimmed in ("", "null"):
            return False
    elif isinstance(value, int):
        return value != 0
    raise UnfitError("true or false is needed")


def as_text(value: Any) -> str | None:
    """A text; numbers and booleans become their text, null stays null."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return java_double(value)
    raise UnfitError("a text is needed, not " + kind_of(value))


def as_texts(value: Any) -> list[str | None] | None:
    """A list of texts; null stays null."""
    if value is None:
        return None
    if not isinstance(value, list):
        raise UnfitError('a list is needed, like ["a", "b"], not ' + kind_of(value))
    return [as_text(item) for item in value]


def as_decimal(value: Any) -> Decimal | None:
    """An exact decimal, as costs are; null and blank texts are null."""
    if value is None:
        return None
    if isinstance(value, str):
        trimmed = value.strip(_JAVA_SPACE)
        if trimmed in ("", "null"):
            return None
        if _DECIMAL.match(trimmed):
            return Decimal(trimmed)
    elif isinstance(value, bool):
        pass
    elif isinstance(value, Real) and value.text == "-0":
        return Decimal(0)
    elif isinstance(value, int):
        return Decimal(value)
    elif isinstance(value, float) and math.isfinite(value):
        return Decimal(java_double(value))
    raise UnfitError("a number is needed")


def as_price(value: Any, *, trees: bool) -> None:
    """Check a price: a text that holds a number; with `trees` also a decision tree (core-semantics 1.3)."""
    if value is None:
        return
    if isinstance(value, str) and _DOUBLE.match(value.strip(_JAVA_SPACE)):
        return
    if trees and isinstance(value, Mapping):
        if not isinstance(value.get("test"), Mapping):
            raise UnfitError('a decision tree of prices needs a "test"')
        for branch in ("ifTrue", "ifFalse"):
            as_price(value.get(branch), trees=True)
        return
    raise UnfitError('a price is written as a text that holds a number, like "0.00001"')


def kind_of(value: Any) -> str:
    """What a value is, for people."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "a text" if value else "an empty text"
    if isinstance(value, int | float):
        return "a number"
    return "a list" if isinstance(value, list) else "an object"


def java_double(value: float) -> str:
    """A floating-point number as Java writes it, which is what it becomes as a role: `1e3` is "1000.0"."""
    if isinstance(value, Real) and value.text == "-0":
        return "0"  # an integer to Core
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0.0" if math.copysign(1, value) < 0 else "0.0"
    exact = Decimal(float.__repr__(value)).normalize()
    if -3 <= exact.adjusted() < 7:  # Java writes 0.001 up to, not including, 10,000,000 without exponent
        plain = format(exact, "f")
        return plain if "." in plain else plain + ".0"
    digits = "".join(map(str, exact.as_tuple().digits))
    return f"{'-' if exact < 0 else ''}{digits[0]}.{digits[1:] or '0'}E{exact.adjusted()}"
