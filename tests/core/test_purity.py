"""The engine stays pure: plain Python on plain data."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "deployments" / "core"
OUTSIDE = {"os", "pathlib", "io", "time", "datetime", "random", "socket", "subprocess", "threading", "logging"}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", sorted(CORE.glob("*.py")), ids=lambda path: path.name)
def test_imports(path: Path) -> None:
    for module in imported(path):
        top = module.partition(".")[0]
        assert module.startswith("deployments.core") or (top in sys.stdlib_module_names and top not in OUTSIDE)


def test_the_map_of_the_rooms_is_complete() -> None:
    rooms = {path.stem for path in CORE.glob("*.py")} - {"__init__"}
    described = ast.get_docstring(ast.parse((CORE / "__init__.py").read_text())) or ""
    assert rooms == {line.split("`")[1] for line in described.splitlines() if line.startswith("- `")}
