"""A group of the pool changed by keyboard alone: the person's next token has it, and a sync finds nothing to change."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Watched
from tests.browser.test_main_job import sign_in

pytestmark = pytest.mark.browser


def reach(page: Page, target: Locator) -> None:
    """Press Tab until the target has the focus."""
    for _ in range(120):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never reaches {target}")


def test_a_person_is_put_into_a_group_by_keyboard(watched: Watched, chromium: Browser, dashboard: str) -> None:
    page = watched.page
    sign_in(page, "Emil")  # an editor
    page.goto("/roles/?q=analysts")
    reach(page, page.get_by_role("link", name="analysts", exact=True))
    page.keyboard.press("Enter")
    reach(page, page.get_by_role("link", name="Add a person"))
    page.keyboard.press("Enter")
    reach(page, page.get_by_role("textbox", name="Person"))
    page.keyboard.type("nico")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Nico Bauer")).to_be_visible()
    watched.assert_sound()
    reach(page, page.get_by_role("link", name="Nico Bauer"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Add Nico Bauer to analysts?")
    expect(page.get_by_role("row", name=re.compile("^gpt-4o model"))).to_contain_text("Gained")
    watched.assert_sound()
    reach(page, page.get_by_role("textbox", name="Reason"))
    page.keyboard.type("joins the analysts")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nico Bauer is in analysts now.")).to_be_visible()
    expect(page.get_by_role("link", name="Remove Nico Bauer from analysts")).to_be_visible()
    watched.assert_sound()

    context = chromium.new_context(base_url=dashboard)
    sign_in(context.new_page(), "Nico")  # whose new token says so
    expect(context.pages[0].get_by_text("analysts")).to_be_visible()
    context.close()

    page.goto("/roles/syncs/")
    page.get_by_role("button", name="Sync now").click()
    expect(page.get_by_text("No change", exact=False).first).to_be_visible()
