"""Carrying out the mechanical mend of a finding on a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployments.core.findings import Mend, Path


def mended(document: Mapping[str, Any], operation: Mend) -> dict[str, Any]:
    """A copy of the document with the operation carried out; what it does not touch is shared.

    Under `keys` the second step of a path is the position of the API key. Raises LookupError when the
    path leads nowhere: the document is not the one that was checked.
    """
    result = _at(document, operation[1], operation)
    assert isinstance(result, dict)  # noqa: S101 - a path has at least one step, into an object
    return result


def _at(value: Any, path: Path, operation: Mend, under: str = "") -> Any:
    step, rest = path[0], path[1:]
    if isinstance(value, list):
        if not isinstance(step, int) or step >= len(value):
            raise LookupError("The place does not exist.")
        items = list(value)
        if rest:
            items[step] = _at(items[step], rest, operation)
        elif operation[0] == "set":
            items[step] = operation[2]
        else:
            del items[step]
        return items
    if not isinstance(value, Mapping):
        raise LookupError("The place does not exist.")
    key = list(value)[step] if isinstance(step, int) and under == "keys" else step
    if rest:
        if key not in value:
            raise LookupError("The place does not exist.")
        return {name: _at(item, rest, operation, str(step)) if name == key else item for name, item in value.items()}
    if operation[0] == "set":
        return {**value, key: operation[2]}
    if key not in value:
        raise LookupError("The place does not exist.")
    if operation[0] == "remove":
        return {name: item for name, item in value.items() if name != key}
    return {operation[2] if name == key else name: item for name, item in value.items()}
