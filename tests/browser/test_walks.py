"""The walks that administrators make a dozen times a day: from the home page, none takes more than five actions.

An action is one click, one key, or one text typed.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.browser.test_main_job import sign_in

pytestmark = pytest.mark.browser


class Walk:
    """Counts what it does on a page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.actions = 0

    def _did(self, act: Callable[[], object]) -> None:
        self.actions += 1
        self.page.wait_for_load_state()  # as nobody presses a key before the page is there
        act()

    def click(self, role: str, name: str) -> None:
        self._did(lambda: self.page.get_by_role(role, name=name, exact=True).first.click())  # type: ignore[arg-type]

    def press(self, key: str) -> None:
        self._did(lambda: self.page.keyboard.press(key))

    def type(self, text: str) -> None:
        self._did(lambda: self.page.keyboard.type(text))


@pytest.fixture
def walk(watched: Watched) -> Walk:
    sign_in(watched.page, "Ada")
    expect(watched.page.get_by_role("heading", level=1)).to_have_text("Who reaches which model")
    return Walk(watched.page)


def test_a_group_gets_a_model_with_a_limit(walk: Walk) -> None:
    walk.click("link", "Matrix")
    walk.click("link", "o1-preview, legal: not attached")
    expect(walk.page.get_by_role("heading", name="legal on o1-preview")).to_be_focused()
    walk.page.get_by_label("Tokens per day").focus()
    walk.actions += 1
    walk.type("200k")
    expect(walk.page.locator("#limit-effect")).to_contain_text("gain it")
    walk.press("Enter")
    expect(walk.page.locator("#messages")).to_contain_text("legal is attached to o1-preview, with its limit")
    expect(walk.page.get_by_label("o1-preview, legal: attached, limited")).to_be_focused()
    assert walk.actions <= 5


def test_who_reaches_a_model_is_found_and_exported(walk: Walk) -> None:
    walk.press("/")
    expect(walk.page.locator("#finder-q")).to_be_focused()
    walk.type("gpt-4o")
    expect(walk.page.locator("#finder-results [data-found]").first).to_contain_text("gpt-4o")
    walk.press("Enter")
    expect(walk.page.get_by_role("heading", level=1)).to_have_text("GPT-4o")
    walk.click("link", "Who reaches it")
    with walk.page.expect_download() as downloading:
        walk.click("button", "Download CSV")
    assert "grace" in downloading.value.path().read_text().lower()
    assert walk.actions <= 5
