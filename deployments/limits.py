"""How limits are written and read by people: windows, units, the three states."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

LONG_MAX = 2**63 - 1  # Core's Long.MAX: unlimited (core-semantics 3.3)


@dataclass(frozen=True)
class Window:
    """One window of a limit: its field in Core, what it counts, over which time."""

    field: str
    unit: str
    label: str


WINDOWS = (
    Window("minute", "tokens", "Tokens per minute"),
    Window("day", "tokens", "Tokens per day"),
    Window("week", "tokens", "Tokens per week"),
    Window("month", "tokens", "Tokens per month"),
    Window("requestHour", "requests", "Requests per hour"),
    Window("requestDay", "requests", "Requests per day"),
)

_AMOUNT = re.compile(r"(?P<number>\d[\d ,_']*(?:\.\d+)?)\s*(?P<unit>[kKmMbB]?)", re.ASCII)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}


def parse_amount(text: str) -> int | None:
    """`200k`, `1.5M`, `10,000` as a whole number; None for an empty text, which means unlimited.

    Raises ValueError, with a text for people, for anything that is not a whole number of 0 or more.
    """
    text = text.strip()
    if not text or text.lower() == "unlimited":
        return None
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError("Write a whole number of 0 or more, such as 5000, 200k or 1.5M. Leave it empty for unlimited.")
    digits = re.sub(r"[ ,_']", "", match["number"])
    amount = Decimal(digits) * _UNITS[match["unit"].lower()]
    if amount != amount.to_integral_value():
        raise ValueError("Core counts whole tokens and requests: write a whole number.")
    if amount > LONG_MAX:
        raise ValueError(f"The largest limit that Core reads is {LONG_MAX}. Leave it empty for unlimited.")
    return int(amount)


def state(limit: Mapping[str, Any] | None) -> str:
    """The state of effective values: `denied` (some value is 0 or less), `unlimited`, or `limited`.

    `limit` maps windows to whole numbers, as `core.limits` resolves them; None is `inherited`.
    """
    if limit is None:
        return "inherited"
    if any(value <= 0 for value in limit.values()):
        return "denied"
    return "limited" if any(value < LONG_MAX for value in limit.values()) else "unlimited"


def words(limit: Mapping[str, Any] | None) -> str:
    """How an entry of `limits` reads in a line."""
    if limit is None:
        return "from default"
    return ", ".join(f"{window} {value}" for window, value in limit.items()) or "unlimited"
