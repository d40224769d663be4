"""Core's own answers: the engine must agree in every row."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from deployments.core.evaluate import differences, evaluate, evaluate_reload
from deployments.core.text import SettingsError, parse
from deployments.core.versions import Version

VECTORS = Path(__file__).parent / "vectors"


class MissingFileError(Exception):
    """A file of the vector does not exist."""


def names(kind: str) -> Iterator[str]:
    return (str(path.relative_to(VECTORS)) for path in sorted(VECTORS.glob(f"*/{kind}/*")))


def read(name: str) -> dict[str, Any]:
    data = (VECTORS / name).read_bytes()
    vector: dict[str, Any] = json.loads(gzip.decompress(data) if name.endswith(".gz") else data)
    return vector


def as_file(entry: Any) -> bytes:
    """The bytes of one file of a vector; `{"$raw": text}` is a file with exactly that text."""
    if isinstance(entry, dict) and entry.keys() == {"$raw"}:
        if entry["$raw"] is None:
            raise MissingFileError
        return str(entry["$raw"]).encode()
    return json.dumps(entry).encode()


def as_documents(files: Sequence[Any]) -> list[Any] | None:
    """The parsed files, or None where Core would not read one of them."""
    try:
        return [parse(as_file(entry), f"f{number}.json") for number, entry in enumerate(files)]
    except (MissingFileError, SettingsError):
        return None


def answer(vector: dict[str, Any]) -> dict[str, Any]:
    version = Version.parse(vector["generation"])
    overwrite = bool(vector.get("options", {}).get("overwriteArrays"))
    if "steps" in vector:
        steps = [as_documents(files) for files in vector["steps"]]
        return evaluate_reload(steps, vector["principals"], version=version, overwrite_arrays=overwrite)
    documents = as_documents(vector["files"])
    if documents is None:
        return {"loaded": False, "error": ""}
    return evaluate(documents, vector["principals"], version=version, overwrite_arrays=overwrite)


@pytest.mark.parametrize("name", [*names("cases"), *names("reload")])
def test_core_agrees(name: str) -> None:
    vector = read(name)
    actual = answer(vector)
    assert list(differences(vector["expected"], actual)) == []
    assert not actual["loaded"] or actual["results"] == vector["expected"]["results"]  # in Core's order, too


@pytest.mark.parametrize("name", list(names("big")))
def test_core_agrees_about_a_large_organisation(name: str) -> None:
    vector = read(name)
    actual = answer(vector)
    assert actual["results"] == vector["expected"]["results"]
    assert list(differences(vector["expected"], actual)) == []
