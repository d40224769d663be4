"""The matrix in a real browser: by keyboard alone, without JavaScript, on a telephone, and without a jump."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Watched
from tests.browser.test_main_job import sign_in

pytestmark = pytest.mark.browser

FIRST = "claude-3-5-sonnet, analysts: "


def test_a_role_is_attached_undone_and_limited_by_keyboard_alone(watched: Watched) -> None:
    page = watched.page
    sign_in(page, "Ada")
    page.goto("/deployments/matrix/?kind=model")
    page.locator("[data-matrix] tbody .cell").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label(f"{FIRST}not attached")).to_be_focused()
    expect(page.locator("[data-matrix-says]")).to_have_text(f"{FIRST}not attached")

    page.keyboard.press("Space")
    expect(page.locator("#messages")).to_contain_text("analysts is attached to claude-3-5-sonnet")
    expect(page.get_by_label(f"{FIRST}attached, unlimited")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator("#messages")).to_contain_text("analysts")
    expect(page.get_by_label(f"{FIRST}not attached")).to_be_focused()
    page.keyboard.press("u")
    expect(page.get_by_label(f"{FIRST}attached, unlimited")).to_be_visible()

    page.get_by_label(f"{FIRST}attached, unlimited").focus()
    page.wait_for_load_state()
    boxes = page.locator("[data-matrix] thead .column").first.bounding_box()
    page.keyboard.press("Enter")
    heading = page.get_by_role("heading", name="analysts on claude-3-5-sonnet")
    expect(heading).to_be_focused()
    assert page.locator("[data-matrix] thead .column").first.bounding_box() == boxes  # nothing has moved
    expect(page).to_have_url(re.compile(r"cell=\d+\.\d+"))
    kept = "Object.keys(localStorage).concat(Object.keys(sessionStorage)).filter(key => key.includes('history-cache'))"
    assert page.evaluate(kept) == []  # no page stays behind in the browser after sign-out
    page.get_by_label("Tokens per day").focus()
    page.keyboard.type("1.5M")
    expect(page.locator("#limit-effect")).to_contain_text("1,500,000")
    expect(page.locator("#limit-effect")).to_contain_text("The limit rises for")
    page.keyboard.press("Enter")
    expect(page.locator("#messages")).to_contain_text("is saved")
    expect(page.get_by_label(f"{FIRST}attached, limited")).to_be_focused()

    page.keyboard.press("Enter")
    expect(heading).to_be_focused()
    page.keyboard.press("Escape")
    expect(heading).to_be_hidden()
    expect(page.get_by_label(f"{FIRST}attached, limited")).to_be_focused()
    expect(page).to_have_url(re.compile(r"/deployments/matrix/\?kind=model$"))
    watched.assert_sound()


def test_many_are_ticked_and_changed_together(watched: Watched) -> None:
    page = watched.page
    sign_in(page, "Ada")
    page.goto("/deployments/matrix/?kind=application")
    for name in ("contract-review", "service-desk"):
        page.get_by_label(f"Choose {name}").check()
    for name in ("finance", "engineers"):
        page.get_by_label(f"Choose the role {name}").check()
    page.get_by_role("button", name="Show what changes…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Attach engineers, finance to 2 deployments?")
    page.get_by_role("button", name="Attach engineers, finance to 2 deployments").click()
    expect(page.locator("#messages")).to_contain_text("2 changed")
    expect(page).to_have_url(re.compile(r"/deployments/matrix/\?kind=application"))
    expect(page.get_by_label("service-desk, finance: attached")).to_be_visible()
    watched.assert_sound()


@pytest.mark.parametrize("width", [1440, 390])
def test_without_javascript_a_cell_is_a_page(chromium: Browser, dashboard: str, width: int) -> None:
    context = chromium.new_context(
        base_url=dashboard, java_script_enabled=False, viewport={"width": width, "height": 800}
    )
    page = context.new_page()
    sign_in(page, "Ada")
    page.goto("/deployments/matrix/?kind=addon")
    cell = page.locator(".matrix .cell").first
    label = cell.get_attribute("aria-label") or ""
    name, role = label.partition(":")[0].split(", ")
    cell.click()
    expect(page.get_by_role("heading", name=f"{role} on {name}")).to_be_visible()
    page.get_by_label("Tokens per day").fill(f"{width}k")
    page.get_by_role("radio", name="Limited The numbers").check()
    page.get_by_role("button", name="Show what changes", exact=True).click()
    expect(page.get_by_text(f"{width * 1000:,}")).to_be_visible()
    page.get_by_role("button", name="Save limit").click()
    expect(page.locator("#messages")).to_contain_text("is saved")
    expect(page).to_have_url(re.compile(r"/deployments/matrix/\?kind=addon#c"))
    context.close()
