"""Writing a document as text: the same document always gives the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from json.encoder import encode_basestring
from typing import Any

from deployments.core.text import Real

_SURROGATE = re.compile("[\ud800-\udfff]")


def render(document: Mapping[str, Any]) -> str:
    """JSON with two spaces of indentation, keys in the order given, numbers as written, a line break at the end.

    `text.parse(render(x))` equals x. Raises TypeError for values that are no JSON.
    """
    parts: list[str] = []
    _write(document, "\n", parts)
    parts.append("\n")
    return "".join(parts)


def _write(value: Any, newline: str, parts: list[str]) -> None:
    """Append the text of one value; `newline` is a line break with the indentation of the value's parent."""
    if isinstance(value, str):
        parts.append(quote(value))
    elif isinstance(value, Mapping):
        _write_object(value, newline, parts)
    elif isinstance(value, list | tuple):
        _write_list(value, newline, parts)
    else:
        parts.append(_scalar(value))


def _write_object(value: Mapping[str, Any], newline: str, parts: list[str]) -> None:
    if not value:
        parts.append("{}")
        return
    inner = newline + "  "
    separator = "{"
    for key, item in value.items():
        if not isinstance(key, str):
            raise TypeError(f"A key of JSON is a text, not {type(key).__name__}.")
        parts.append(f"{separator}{inner}{quote(key)}: ")
        _write(item, inner, parts)
        separator = ","
    parts.append(newline + "}")


def _write_list(value: list[Any] | tuple[Any, ...], newline: str, parts: list[str]) -> None:
    if not value:
        parts.append("[]")
        return
    inner = newline + "  "
    separator = "["
    for item in value:
        parts.append(separator + inner)
        _write(item, inner, parts)
        separator = ","
    parts.append(newline + "]")


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Real):
        return value.text
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return json.dumps(value, allow_nan=False)
    raise TypeError(f"{type(value).__name__} is no value of JSON.")


def quote(text: str) -> str:
    """A text as JSON. Non-ASCII stays readable; a lone surrogate, which no encoding can hold, is escaped."""
    quoted = encode_basestring(text)
    return quoted if text.isascii() else _SURROGATE.sub(_escape, quoted)


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"
