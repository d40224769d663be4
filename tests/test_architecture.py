"""The tree shows one direction, and each border is kept."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def imports(folder: str) -> Iterator[tuple[str, str]]:
    """(file, imported module) of every import below a folder."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((str(path.relative_to(ROOT)), alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield str(path.relative_to(ROOT)), node.module


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("roles", ("deployments",)),
        ("deployments/core", ("deployments.access", "deployments.releases")),
        ("deployments/access", ("deployments.views",)),
        ("dialadmin/accounts", ("roles", "deployments")),
        ("dialadmin/history", ("roles", "deployments")),
        ("deployments/core", ("django", "dialadmin", "roles", "deployments.models", "deployments.draft")),
    ],
)
def test_imports_go_one_way(folder: str, forbidden: tuple[str, ...]) -> None:
    wrong = [(file, name) for file, name in imports(folder) if name.startswith(forbidden)]
    assert wrong == []


AWS = {"roles/cognito.py", "deployments/releases/targets/s3.py", "deployments/releases/targets/secrets_manager.py"}


def test_only_one_module_talks_to_cognito_and_one_each_to_the_targets() -> None:
    folders = ("roles", "deployments", "dialadmin")
    found = {
        file for folder in folders for file, name in imports(folder) if name.split(".")[0] in ("boto3", "botocore")
    }
    assert {file for file in found if not file.startswith("dialadmin/demo/")} <= AWS


def test_nothing_in_production_imports_the_demo() -> None:
    folders = ("roles", "deployments", "dialadmin")
    wrong = [
        (file, name)
        for folder in folders
        for file, name in imports(folder)
        if name.startswith("dialadmin.demo") and not file.startswith("dialadmin/demo/")
    ]
    assert wrong == []
