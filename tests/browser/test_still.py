"""What is swapped in place moves nothing else: no layout shift, and what stood beside it stays where it is.

A browser does not count a shift within half a second of a key or click against the page, so here it is counted too:
every entry of `layout-shift`, `hadRecentInput` or not, is added up.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.browser.test_main_job import sign_in

pytestmark = pytest.mark.browser

WATCH = """() => {
  window.shifted = 0;
  new PerformanceObserver(list => list.getEntries().forEach(entry => { window.shifted += entry.value; }))
    .observe({type: 'layout-shift', buffered: false});
}"""


def shifted(page: Page) -> float:
    """Summed scores since WATCH, two frames from now so that the last one has been counted."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    score: float = page.evaluate("window.shifted")
    return score


def test_the_search_opens_and_answers_above_the_page(watched: Watched) -> None:
    page = watched.page
    sign_in(page, "Ada")
    page.goto("/deployments/")
    page.evaluate(WATCH)
    page.keyboard.press("/")
    page.keyboard.type("gpt")
    expect(page.locator("#finder-results [data-found]").first).to_be_visible()
    before = page.locator("#finder-q").bounding_box()
    page.keyboard.type("-4o-mini")
    expect(page.locator("#finder-results [data-found]").first).to_contain_text("gpt-4o-mini")
    assert page.locator("#finder-q").bounding_box() == before
    assert shifted(page) < 0.01


def test_a_cell_of_the_matrix_opens_beside_it(watched: Watched) -> None:
    page = watched.page
    sign_in(page, "Ada")
    page.goto("/deployments/matrix/")
    page.evaluate(WATCH)
    stays = [page.get_by_role("heading", level=1), page.locator(".corner"), page.locator(".matrix .cell").first]
    before = [item.bounding_box() for item in stays]
    page.locator(".matrix .cell").first.click()
    expect(page.locator("#cell h2")).to_be_visible()
    page.get_by_label("Tokens per day").fill("5k")
    expect(page.locator("#limit-effect")).to_contain_text("5,000")
    page.keyboard.press("Escape")
    expect(page.locator("#cell h2")).to_be_hidden()
    assert [item.bounding_box() for item in stays] == before
    assert shifted(page) < 0.01


def test_a_limit_is_edited_in_the_place_of_its_row(watched: Watched) -> None:
    page = watched.page
    sign_in(page, "Ada")
    page.goto("/deployments/")
    page.get_by_role("link", name="gpt-4o", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("GPT-4o")
    page.wait_for_load_state()  # its stylesheet among others
    rows = page.get_by_role("region", name=re.compile("roles", re.IGNORECASE)).first.locator("tbody tr")
    last = rows.count() - 1
    stays = [page.get_by_role("heading", level=1), rows.nth(0), page.locator("table.cards thead").first]
    before = [item.bounding_box() for item in stays]
    rows.nth(last).get_by_role("link", name=re.compile("^Edit the limit")).click()
    expect(page.get_by_label("Tokens per day")).to_be_visible()
    # The form is longer than the row, so that what stands below it makes room; what is above and beside it does not.
    for item, was in zip(stays, before, strict=True):
        now = item.bounding_box()
        assert now is not None
        assert was is not None
        assert (now["x"], now["y"]) == (was["x"], was["y"])
