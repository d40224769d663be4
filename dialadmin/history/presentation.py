"""How an entry reads on a page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dialadmin.history import registry


class _Values(dict[str, Any]):
    """Values for a sentence; what an older entry lacks is shown as a question mark."""

    def __missing__(self, key: str) -> str:
        return "?"


def sentence(act: str, *, target: str, before: Any, after: Any, note: str) -> str:
    """What follows the actor's name. An act that no longer exists is shown by its code."""
    known = registry.get(act)
    if known is None:
        return f"{act} {target}".strip()

    def values(value: Any) -> _Values:
        return _Values(value if isinstance(value, Mapping) else {})

    return known.sentence.format(target=target, before=values(before), after=values(after), note=note).rstrip(": ")


def differences(before: Any, after: Any) -> list[tuple[str, str | None, str | None]]:
    """(field, before, after) of what differs, as text; None where there was nothing."""
    one = before if isinstance(before, Mapping) else {}
    other = after if isinstance(after, Mapping) else {}
    return [
        (str(key), _text(one.get(key)), _text(other.get(key)))
        for key in [*one, *(key for key in other if key not in one)]
        if one.get(key) != other.get(key)
    ]


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(value) or "none"
    return json.dumps(value, ensure_ascii=False)
