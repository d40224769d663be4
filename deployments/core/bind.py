"""A document against the table of `versions`: everything that Core's parser would refuse.

Core stops at the first refusal; this reports all (core-semantics 4.4, 4.5).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from deployments.core.coerce import UnfitError, as_bool, as_decimal, as_int, as_long, as_price, as_text, kind_of
from deployments.core.findings import Finding, Mend, Path, report
from deployments.core.patterns import is_java_pattern
from deployments.core.versions import (
    OBJECTS,
    TRANSLATED_SINCE,
    Shape,
    Version,
    known_versions,
    sections,
    shape,
)

REFUSED = "Core refuses the whole configuration: nothing of it takes effect, and a restarted Core does not come up."


def bind(document: Mapping[str, Any], version: Version) -> list[Finding]:
    """All refusals of Core's parser, in document order."""
    known = sections(version)
    findings: list[Finding] = []
    for section, value in document.items():
        kind = known.get(section)
        if kind is not None and value is not None:
            findings.extend(_any(kind, value, (section,), version))
    return findings


def _any(kind: str, value: Any, path: Path, version: Version) -> Iterator[Finding]:
    """One value of a kind of the table."""
    if value is None or kind in ("json", "ignored"):
        return
    if kind.endswith("[]"):
        yield from _list(kind[:-2], value, path, version)
    elif kind.endswith("{}"):
        yield from _map(kind[:-2], value, path, version)
    elif kind in OBJECTS:
        yield from _object(kind, value, path, version)
    else:
        try:
            _scalar(kind, value, version)
        except UnfitError as unfit:
            yield _unfit(path, str(unfit), kind)


def _list(kind: str, value: Any, path: Path, version: Version) -> Iterator[Finding]:
    if not isinstance(value, list):
        yield _unfit(
            path, 'a list is needed, like ["a", "b"], not ' + kind_of(value), "list", _listed(kind, path, value)
        )
        return
    if kind == "string" and all(type(item) is str for item in value):
        return
    for index, item in enumerate(value):
        yield from _any(kind, item, (*path, index), version)


def _listed(kind: str, path: Path, value: Any) -> Mend | None:
    """A text where a list of texts belongs is what was meant, in a list."""
    return ("set", path, [value]) if kind == "string" and isinstance(value, str) and value else None


def _map(kind: str, value: Any, path: Path, version: Version) -> Iterator[Finding]:
    if not isinstance(value, Mapping):
        yield _unfit(path, 'an object is needed, like {"name": …}, not ' + kind_of(value), "object")
        return
    hidden = path == ("keys",)  # these map keys are the API keys themselves
    for index, (name, item) in enumerate(value.items()):
        if item is not None:
            yield from _any(kind, item, (*path, index if hidden else name), version)


def _object(name: str, value: Any, path: Path, version: Version) -> Iterator[Finding]:
    if not isinstance(value, Mapping):
        yield _unfit(path, f"an object is needed, not {kind_of(value)}", "object")
        return
    known = shape(name, version)
    fields = known.fields
    for key, item in value.items():
        field = fields.get(key)
        if field is None:
            if not known.ignores_unknown:
                yield _unknown(name, key, value, path, known, version)
        elif item is not None:
            kind = field[1]
            if kind == "long" and type(item) is int and -(2**63) <= item < 2**63:
                continue  # nearly all of a large file are limits
            yield from _any(kind, item, (*path, key), version)


def _text(value: Any, version: Version) -> None:
    """A text that may be translated (core-semantics 1.2)."""
    if version < TRANSLATED_SINCE:
        as_text(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            as_text(item)
    elif not isinstance(value, str):
        raise UnfitError("a text or an object of translations is needed, not " + kind_of(value))


def _pattern(value: Any, version: Version) -> None:
    text = as_text(value)
    if text is not None and not is_java_pattern(text):
        raise UnfitError(
            "this is no regular expression of Java (a { stands for a repetition there; write \\\\{ or [^/]+)"
        )


def _object_of_anything(value: Any, version: Version) -> None:
    if not isinstance(value, Mapping):
        raise UnfitError("an object is needed, not " + kind_of(value))


def _schema(value: Any, version: Version) -> None:
    if not isinstance(value, Mapping) or not isinstance(value.get("$id"), str):
        raise UnfitError('a JSON schema with its "$id" is needed')


_SCALARS: Mapping[str, Callable[[Any, Version], object]] = {
    "string": lambda value, version: as_text(value),
    "text": _text,
    "bool": lambda value, version: as_bool(value),
    "int": lambda value, version: as_int(value),
    "long": lambda value, version: as_long(value),
    "decimal": lambda value, version: as_decimal(value),
    "price": lambda value, version: as_price(value, trees=version >= TRANSLATED_SINCE),
    "pattern": _pattern,
    "object": _object_of_anything,
    "Schema": _schema,
}


def _scalar(kind: str, value: Any, version: Version) -> None:
    """Raises UnfitError for a value that Core refuses."""
    check = _SCALARS.get(kind)
    if check is not None:
        check(value, version)
        return
    words = kind.split("|")
    if isinstance(value, str):
        # any case; Core also takes the position of the word, as a number or as its text
        fits = value.strip().lower() in map(str.lower, words) or (value.strip().isdecimal() and int(value) < len(words))
    else:
        fits = type(value) is int and 0 <= value < len(words)
    if not fits:
        raise UnfitError("one of these is needed: " + ", ".join(words))


def _unfit(path: Path, reason: str, kind: str, operation: Mend | None = None) -> Finding:
    return report(
        _CODES.get(kind, "value-refused"),
        path,
        f"This value is refused: {reason}.",
        REFUSED,
        "Write the value as Core reads it.",
        operation,
    )


_CODES = {"pattern": "pattern-refused", "price": "price-refused", "Schema": "schema-refused"}


def _unknown(name: str, key: str, entry: Mapping[str, Any], path: Path, known: Shape, version: Version) -> Finding:
    here = (*path, key)
    versions = known_versions(name, key)
    meant = _meant(key, known)
    if versions:
        since, last = versions[0], versions[-1]
        when = f"since {since}" if version < since else f"up to {last}"
        target = f"Core {since} or later" if version < since else f"Core {last} or earlier"
        return report(
            "key-of-other-version",
            here,
            f'Core {version} does not know "{key}" here; Core knows it {when}.',
            REFUSED,
            f"Take the key out, or choose {target} as the target version.",
            ("rename", here, meant) if meant and meant not in entry and _same(meant, key) else None,
        )
    return report(
        "unknown-key",
        here,
        f'Core {version} does not know "{key}" here.' + (f' "{meant}" is meant, perhaps.' if meant else ""),
        REFUSED,
        f'Write "{meant}", or take the key out.' if meant else "Take the key out.",
        ("rename", here, meant) if meant and meant not in entry and _same(meant, key) else None,
    )


def _meant(key: str, known: Shape) -> str | None:
    """The key that was meant: the same but for case and underscores, or else the nearest."""
    for spelling in known.fields:
        if _same(spelling, key):
            return spelling
    nearest = difflib.get_close_matches(key, known.fields, n=1, cutoff=0.75) if len(key) < 100 else []
    return nearest[0] if nearest else None


def _same(one: str, other: str) -> bool:
    return _letters(one) == _letters(other)


def _letters(key: str) -> str:
    return key.replace("_", "").replace("-", "").lower()
