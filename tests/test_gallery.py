"""The gallery shows every component in every state, and no page of ours carries style or script of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from deployments.matrix import LOOKS
from dialadmin.accounts.models import Staff
from dialadmin.templatetags.ui import BADGES

ROOT = Path(__file__).parent.parent
TEMPLATES = ROOT / "templates"
STYLESHEET = ROOT / "dialadmin" / "static" / "dialadmin" / "app.css"


@pytest.fixture
def page(client_of: Callable[[Staff], Client], vera: Staff) -> tuple[str, set[str]]:
    """The gallery's HTML, and the templates that went into it."""
    response = client_of(vera).get("/gallery/")
    assert response.status_code == 200
    return response.content.decode(), {str(template.name) for template in response.templates}


def test_every_component_is_shown(page: tuple[str, set[str]]) -> None:
    components = {f"components/{path.name}" for path in (TEMPLATES / "components").glob("*.html")}
    assert components - page[1] == set()


def test_every_state_has_its_badge_in_both_themes(page: tuple[str, set[str]]) -> None:
    for _, words in BADGES.values():
        assert len(re.findall(rf"</span> {re.escape(words)}</span>", page[0])) >= 2, words


def test_every_cell_of_the_matrix_is_shown_in_both_themes(page: tuple[str, set[str]]) -> None:
    for look in LOOKS.values():
        assert page[0].count(f'<span class="cell {look.css}" aria-hidden="true">{look.shape}</span> {look.words}<') == 2


def test_no_id_stands_twice(page: tuple[str, set[str]]) -> None:
    ids = re.findall(r'\bid="([^"]+)"', page[0])
    assert sorted(ids) == sorted(set(ids))


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_no_template_carries_style_or_script(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\sstyle\s*=|<style|\son[a-z]+\s*=", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))


def test_the_stylesheet_has_no_rule_outside_its_layers_and_no_colour_outside_its_tokens() -> None:
    text = re.sub(r"/\*.*?\*/", "", STYLESHEET.read_text(), flags=re.DOTALL)
    depth, outside = 0, []
    for part in re.split(r"([{}])", text):
        depth += {"{": 1, "}": -1}.get(part, 0)
        if depth == 0 and part.strip(" \n};"):
            outside.append(part.strip())
    assert all(part.startswith("@layer") for part in outside), outside
    components = text[text.index("@layer components {") :]
    assert re.findall(r"#[0-9a-f]{3,8}\b", components) == []
