"""Reading the text of one settings file as Core does (core-semantics 4.2), losing nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, NoReturn

from deployments.core.findings import Path, display

# Core's JSON parser refuses numbers of more than 1000 characters.
MAX_NUMBER = 1000
# Core's parser reads 1000 levels. Only free-form values (`defaults`, `extraData`) can nest at all deeply, and
# the functions of this package call themselves once per level, so that this product stops earlier.
MAX_DEPTH = 250
KIB64 = 65536

_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b'"[]{}'))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_MARK = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]', re.DOTALL)
_SPACE = re.compile(r"[ \t\n\r]*")


class SettingsError(ValueError):
    """A text that Core would not read as a settings file; `str()` says all of it in one sentence or two.

    `line` and `column` count from 1 and are 0 when the place is unknown; `path` is in display form.
    Nothing of the file's content is quoted: it may be a secret.
    """

    def __init__(
        self, message: str, *, file: str = "", line: int = 0, column: int = 0, path: str = "", mend: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.column = column
        self.path = path
        self.mend = mend

    @property
    def place(self) -> str:
        """Where it is, as in `settings.json, line 3, column 5, at models.gpt-4o`."""
        parts = [self.file] if self.file else []
        if self.line:
            parts.append(f"line {self.line}, column {self.column}")
        if self.path:
            parts.append(f"at {self.path}")
        return ", ".join(parts)

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text} {self.mend}" if self.mend else text


class Real(float):
    """A number that is not a plain integer, with the text in which it was written (`1.10`, `1e3`, `-0`)."""

    __slots__ = ("text",)
    text: str

    def __new__(cls, text: str) -> Real:
        real = super().__new__(cls, text)
        real.text = text
        return real

    def __repr__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[type[Real], tuple[str]]:
        return (Real, (self.text,))


class Repeated(dict[str, Any]):
    """An object in which keys were written more than once. As a dict the last of each wins.

    `pairs` is everything as written: where Core updates an object that is already there, it reads a
    repeated key as a further update instead (core-semantics 4.2).
    """

    __slots__ = ("pairs",)
    pairs: list[tuple[str, Any]]

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


class _RefusedError(ValueError):
    """Raised inside the JSON scanner, which does not tell its hooks where it is."""


def parse(data: bytes | str, name: str) -> Any:
    """The document in one settings file: a dict, or None for a file that holds only `null`.

    Text after the first document is ignored, as Core does. `name` names the file in errors.
    Raises SettingsError for everything that Core's parser refuses: an empty file, a root that is no
    object, comments, trailing commas, NaN, leading zeros, control characters in strings.
    """
    text = _decode(data, name)
    start = _space(text, 0)
    if start == len(text):
        raise SettingsError(
            "The file is empty. Core refuses the whole configuration.",
            file=name,
            mend="Write {} for a file without settings, or take it off Core's list of files.",
        )
    _check_depth(text, name)
    try:
        document, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise _syntax_error(text, error.pos, _SYNTAX.get(error.msg, "This is not valid JSON"), name) from None
    except _RefusedError as error:
        raise SettingsError(f"{error}. Core refuses the whole configuration.", file=name) from None
    except RecursionError:
        raise _too_deep(name) from None
    if document is None and text[end : end + 1].isalnum():
        raise _syntax_error(text, end, "This is no word of JSON", name)
    if document is not None and not isinstance(document, dict):
        raise SettingsError(
            f"The file holds {_kind(document)} where Core expects an object. Core refuses the whole configuration.",
            file=name,
            line=1,
            column=start + 1,
            mend='Settings start with "{" and end with "}".',
        )
    return document


def _decode(data: bytes | str, name: str) -> str:
    if isinstance(data, str):
        return data.removeprefix("\ufeff")
    try:
        # Core's parser detects UTF-8, UTF-16 and UTF-32 by the first bytes, as this function does.
        return data.decode(json.detect_encoding(data)).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"The file is not valid {error.encoding.upper()} text (byte {error.start + 1}). Core refuses it.",
            file=name,
            mend="Save the file as UTF-8.",
        ) from None


def _check_depth(text: str, name: str) -> None:
    """Refuse absurd nesting before anything recurses, in C-speed passes over the text."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    for length in (KIB64, len(text)):  # what is absurd mostly is so from the start
        if _is_too_deep(text[:length].encode("utf-8", "surrogatepass")):
            raise _too_deep(name)


def _is_too_deep(data: bytes) -> bool:
    if b"\\" in data:
        data = _ESCAPE.sub(b"", data)
    outside_strings = b"".join(data.translate(None, _NOT_BRACKETS).split(b'"')[::2])
    depth = 0
    for start in range(0, len(outside_strings), KIB64):
        chunk = outside_strings[start : start + KIB64]
        levels = list(accumulate(map(_STEP.__getitem__, chunk), initial=depth))
        if max(levels) > MAX_DEPTH:
            return True
        depth = levels[-1]
    return False


def _too_deep(name: str) -> SettingsError:
    return SettingsError(
        f"Brackets are nested more than {MAX_DEPTH} levels deep. No settings file of Core needs that, and Core "
        "itself refuses more than 1000.",
        file=name,
        mend="Check that this is the right file.",
    )


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    return document if len(document) == len(pairs) else Repeated(pairs)


def _integer(text: str) -> int | Real:
    if len(text) > MAX_NUMBER:
        raise _RefusedError(f"A number has {len(text)} digits; Core reads at most {MAX_NUMBER}")
    return Real(text) if text == "-0" else int(text)


def _real(text: str) -> Real:
    if len(text) > MAX_NUMBER:
        raise _RefusedError(f"A number has {len(text)} characters; Core reads at most {MAX_NUMBER}")
    return Real(text)


def _constant(text: str) -> NoReturn:
    raise _RefusedError(f"{text} is not a number of JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_float=_real, parse_constant=_constant, strict=True
)

# What Python's scanner says, and what a person needs to read.
_SYNTAX = {
    "Expecting value": "A value is missing or not valid JSON here (JSON knows no comments, no NaN, no single quotes)",
    "Expecting property name enclosed in double quotes": "A key in double quotes is missing here, "
    "perhaps after a trailing comma",
    "Illegal trailing comma before end of object": "There is a comma after the last entry",
    "Illegal trailing comma before end of array": "There is a comma after the last entry",
    "Expecting ':' delimiter": "A colon is missing here",
    "Expecting ',' delimiter": "A comma or a closing bracket is missing here (JSON knows no comments)",
    "Unterminated string starting at": "A text starts here and never ends",
    "Invalid control character at": "A text holds a line break or another control character; write \\n or \\t",
    "Invalid \\escape": "A backslash is followed by a letter that JSON does not know",
    "Invalid \\uXXXX escape": "\\u must be followed by four hexadecimal digits",
}


def _syntax_error(text: str, position: int, what: str, name: str) -> SettingsError:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    ended = position >= len(text.rstrip())
    return SettingsError(
        "The file ends too early: a bracket or a quote is not closed." if ended else f"{what}.",
        file=name,
        line=line,
        column=column,
        path=display(_path_at(text, position)),
        mend="Core refuses the whole configuration until this is mended.",
    )


def _path_at(text: str, position: int) -> Path:
    """The path of the place at `position`, read from the text before it. Keys under `keys` become numbers."""
    path: list[str | int] = []
    closers: list[str] = []
    fresh_key: str | None = None
    for mark in _marks(text, position):
        if mark in "{[":
            closers.append(mark)
            path.append(0 if mark == "[" else "")
        elif mark in "]}":
            if closers:
                closers.pop()
                path.pop()
        elif mark == ",":
            fresh_key = None
            if closers and closers[-1] == "[" and isinstance(path[-1], int):
                path[-1] += 1
        elif mark == ":":
            if closers and closers[-1] == "{" and fresh_key is not None:
                path[-1] = fresh_key
        else:
            fresh_key = mark[1:-1]
    while path and path[-1] == "":
        path.pop()
    if path and path[0] == "keys" and len(path) > 1:
        path[1] = "?"  # the map key is the API key itself
    return tuple(path)


def locate(text: str, path: Path) -> int:
    """The line, from 1, on which the place at `path` begins in a valid text; where it is not there, its parent."""
    line, deepest = 1, 0
    here: list[str | int] = []
    closers: list[str] = []
    fresh_key: str | None = None

    def visit(position: int) -> None:
        nonlocal line, deepest
        if len(here) > deepest and tuple(here) == path[: len(here)]:
            line, deepest = text.count("\n", 0, position) + 1, len(here)

    for match in _MARK.finditer(text):
        mark = match.group()
        if mark in "{[":
            closers.append(mark)
            here.append(0 if mark == "[" else "")
            if mark == "[":
                visit(_space(text, match.end()))
        elif mark in "]}":
            closers.pop()
            here.pop()
        elif mark == ",":
            fresh_key = None
            if closers[-1] == "[" and isinstance(here[-1], int):
                here[-1] += 1
                visit(_space(text, match.end()))
        elif mark == ":" and fresh_key is not None:
            here[-1] = fresh_key
            visit(match.start())
        elif mark != ":":
            fresh_key = json.loads(mark, strict=False)
    return line


def _marks(text: str, end: int) -> Iterator[str]:
    return (match.group() for match in _MARK.finditer(text, 0, end))


def _space(text: str, start: int) -> int:
    match = _SPACE.match(text, start)
    assert match is not None  # noqa: S101 - the pattern matches the empty text
    return match.end()


def _kind(value: object) -> str:
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return "a text"
    return "true or false" if isinstance(value, bool) else "a number"
