"""Every finding has its paragraph in docs/checks.md, under its severity's rules, and nothing else has."""

from __future__ import annotations

import re
from pathlib import Path

from deployments.core.findings import CODES

ROOT = Path(__file__).parents[2]


def test_every_code_has_its_anchor() -> None:
    text = (ROOT / "docs" / "checks.md").read_text()
    paragraphs = re.findall(r"^### (\S+)\n(\S.+)", text, re.MULTILINE)
    assert sorted(anchor for anchor, _ in paragraphs) == sorted(CODES)


def test_every_code_is_reported_somewhere() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "deployments" / "core").glob("*.py"))
    assert [code for code in CODES if sources.count(f'"{code}"') < 2] == []
