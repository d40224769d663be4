"""Whether a text is a regular expression of Java: the paths of routes are, and a wrong one refuses everything.

Java's expressions differ from Python's in what matters here: `{id}` is an error, `(?<name>...)`, `\\p{L}`,
possessive quantifiers and `[a-z&&[^b]]` are fine. So this reads them by Java's grammar, as far as
validity goes; references to groups and the names of Unicode properties are not looked up.
"""

from __future__ import annotations

import re

_QUANTIFIER = re.compile(r"(?:[*+?]|\{(\d+)(?:,(\d*))?\})[+?]?")
_GROUP = re.compile(r"\?(?:<[A-Za-z][A-Za-z0-9]*>|<?[=!]|>|[a-zA-Z]*(?:-[a-zA-Z]*)?:)")
_FLAGS = re.compile(r"\?[idmsuxU]*(?:-[idmsuxU]+)?\)")
_PROPERTY = re.compile(r"[pP](?:[A-Z]|\{[^}]+\})")
_ESCAPES = re.compile(
    r"x[\da-fA-F]{2}|x\{[\da-fA-F]{1,6}\}|u[\da-fA-F]{4}|0[0-3]?[0-7]{1,2}|c.|k<[A-Za-z][A-Za-z0-9]*>|N\{[^}]+\}",
    re.DOTALL,
)
_LETTERS = frozenset("tnrfaedDhHsSvVwWbBAGzZRXQE")


class _InvalidError(ValueError):
    pass


def is_java_pattern(text: str) -> bool:
    """True if Java compiles the text as a regular expression."""
    try:
        end = _expression(text, 0, depth=0)
    except (_InvalidError, RecursionError):
        return False
    return end == len(text)


def _expression(text: str, position: int, depth: int) -> int:
    """Read alternatives up to the end or a closing bracket; returns where that is."""
    if depth > 100:
        raise _InvalidError
    repeatable = False
    while position < len(text):
        character = text[position]
        if character == ")":
            if depth:
                return position
            raise _InvalidError
        if character == "|":
            position, repeatable = position + 1, False
            continue
        if (character in "*+?" or character == "{") and not repeatable:
            raise _InvalidError
        if repeatable and (quantifier := _QUANTIFIER.match(text, position)):
            low, high = quantifier.groups()
            if high and int(low) > int(high):
                raise _InvalidError
            # `a**` dangles, but `^*` and `a{2}{3}` are accepted by Java; only stars after stars are refused
            position, repeatable = quantifier.end(), text.startswith("{", quantifier.end())
            continue
        if character == "{":
            raise _InvalidError
        position, repeatable = _atom(text, position, depth), True
    if depth:
        raise _InvalidError
    return position


def _atom(text: str, position: int, depth: int) -> int:
    character = text[position]
    if character == "\\":
        return _escape(text, position + 1)
    if character == "[":
        return _class(text, position + 1, depth + 1)
    if character == "(":
        position += 1
        if flags := _FLAGS.match(text, position):
            return flags.end()
        if text.startswith("?", position):
            group = _GROUP.match(text, position)
            if group is None:
                raise _InvalidError
            position = group.end()
        return _expression(text, position, depth + 1) + 1
    return position + 1


def _escape(text: str, position: int) -> int:
    """After a backslash."""
    if position >= len(text):
        raise _InvalidError
    character = text[position]
    if character == "Q":
        end = text.find("\\E", position)
        return len(text) if end < 0 else end + 2
    for form in (_PROPERTY, _ESCAPES):
        if match := form.match(text, position):
            return match.end()
    if character in _LETTERS or not (character.isascii() and (character.isalpha() or character == "0")):
        return position + 1
    raise _InvalidError


def _class(text: str, position: int, depth: int) -> int:
    """After an opening square bracket; classes nest, and a closing bracket right at the start is a character."""
    if depth > 100:
        raise _InvalidError
    if text.startswith("^", position):
        position += 1
    first, previous = True, ""
    while position < len(text):
        character = text[position]
        if character == "]" and not first:
            return position + 1
        if character == "[":
            position, previous = _class(text, position + 1, depth + 1), ""
        elif character == "\\":
            position, previous = _escape(text, position + 1), ""
        elif character == "-" and previous and text[position + 1 : position + 2] not in ("", "]", "[", "\\"):
            if text[position + 1] < previous:
                raise _InvalidError
            position, previous = position + 2, ""
        else:
            position, previous = position + 1, character
        first = False
    raise _InvalidError
