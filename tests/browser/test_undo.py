"""The timed walk: yesterday's change is undone from the home page with the keyboard, in two actions."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Watched
from tests.browser.test_main_job import attach, sign_in

pytestmark = pytest.mark.browser


def test_a_change_is_undone_from_the_home_page_by_keyboard(watched: Watched) -> None:
    page = watched.page
    sign_in(page, "Ada Nwosu")
    attach(page, "analysts", "gpt-4-32k")
    page.goto("/")
    watched.assert_sound()

    actions = ["u"]  # to the newest change that can be undone
    page.keyboard.press("u")
    expect(page.get_by_role("heading", level=1)).to_have_text("Undo “attached analysts to gpt-4-32k”?")
    expect(page.get_by_role("main")).to_contain_text("people lose it")
    watched.assert_sound()
    actions.append("u")  # the button of the page
    page.keyboard.press("u")
    expect(page.get_by_role("status")).to_contain_text("Undone: attached analysts to gpt-4-32k.")
    assert len(actions) <= 5
    assert page.url.endswith("/")
    expect(page.get_by_role("listitem").filter(has_text="attached analysts to gpt-4-32k").last).to_contain_text(
        "Undone by Ada Nwosu"
    )

    page.get_by_role("status").get_by_role("button", name="Redo").press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Redone: ")
    watched.assert_sound()


def test_what_is_undone_already_is_told_on_a_narrow_page(watched: Watched) -> None:
    page = watched.page
    page.set_viewport_size({"width": 390, "height": 800})
    page.emulate_media(color_scheme="dark")
    sign_in(page, "Ada Nwosu")
    attach(page, "engineers", "gpt-4-turbo")
    page.goto("/")
    page.get_by_role("link", name=re.compile("^Undo… .*attached engineers")).first.click()
    expect(page.get_by_role("button", name="Undo it")).to_be_visible()
    asked = page.url
    page.get_by_role("button", name="Undo it").click()
    expect(page.get_by_role("status")).to_contain_text("Undone: ")
    refused = page.goto(asked)
    assert refused is not None
    assert refused.status == 409
    expect(page.get_by_role("heading", level=1)).to_have_text("It is undone already")
    expect(page.get_by_role("link", name=re.compile("^Redo…"))).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
