"""Writing a document as text: the same document always gives the same bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring
from typing import Any

from deployments.core.text import Real

_STORED = "\n  "  # the line break of what holds a Fragment's text
_SURROGATE = re.compile("[\ud800-\udfff]")


class Fragment:
    """A value of JSON that is text already: the text that `fragment` gives, which `render` writes as it is."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def fragment(value: Any) -> str:
    """The text of any value, as `render` writes it one level below the document; numbers as written."""
    parts: list[str] = []
    _write(value, _STORED, parts)
    return "".join(parts)


def with_key(text: str, key: str, value: str | None) -> str:
    """The text of an object (of `fragment`) with a key set to the text of a value, or taken out (None).

    `value` is a text of `fragment` too. A key whose value is null keeps its place; one that is not there comes
    last; one that has another value counts as not there. Never parses, so that it costs next to nothing.
    """
    # In this form the keys of the object itself, and nothing else, follow a line break and four spaces.
    mark = f"{_STORED}  {quote(key)}: null"
    start = text.find(mark)
    if start >= 0 and text[start + len(mark)] in ",\n":
        head, tail = text[:start], text[start + len(mark) :]
        if value is not None:
            return f"{head}{mark[:-4]}{indented(value)}{tail}"
        if head.endswith(","):
            return head[:-1] + tail
        return head + tail[1:] if tail.startswith(",") else "{}"
    if value is None:
        return text
    head = "{" if text == "{}" else f"{text[: -len(_STORED + '}')]},"
    return f"{head}{mark[:-4]}{indented(value)}{_STORED}}}"


def fragment_of(members: Iterable[str]) -> str:
    """The text of an object (as `fragment` gives it) of its members, each `quoted key: indented value`."""
    inner = f",{_STORED}  ".join(members)
    return f"{{{_STORED}  {inner}{_STORED}}}" if inner else "{}"


def fragment_of_list(items: Iterable[str]) -> str:
    """The text of a list (as `fragment` gives it) of quoted texts."""
    inner = f",{_STORED}  ".join(items)
    return f"[{_STORED}  {inner}{_STORED}]" if inner else "[]"


def indented(text: str) -> str:
    """A text of `fragment` as it stands one level deeper. Texts of JSON hold no line breaks of their own."""
    return text.replace("\n", "\n  ") if "\n" in text else text


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
    elif isinstance(value, Fragment):
        parts.append(value.text if newline == _STORED else value.text.replace("\n", "\n" + newline[len(_STORED) :]))
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
