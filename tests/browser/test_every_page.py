"""Every page that somebody can reach by following links: sound in light and dark, and whole at 320 px."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from django.urls import Resolver404, resolve
from playwright.sync_api import Browser, Error, Page, expect

from tests.browser.conftest import AXE, Watched, violations
from tests.browser.test_main_job import sign_in
from tests.test_url_map import LISTED, POST_ONLY

pytestmark = pytest.mark.browser

# Pages without a link: what a browser meets on its way in and out, and what answers no person.
UNLINKED = {"health", "accounts:callback", "accounts:failed", "accounts:signed-out"}
# Links that download a file or start a sign-in instead of showing a page.
NO_PAGE = {"accounts:sign-in", "access:review-csv"}
PASTED = '{"models": {"new-model": {"type": "chat", "endpoint": "http://model"}}}'


def links(page: Page) -> list[str]:
    """Where the links of the page lead, without what leads to a file or to another part of the same page."""
    found: list[str] = page.eval_on_selector_all(
        "a[href]:not([download], [href^='#'])", "links => links.map(link => link.href)"
    )
    return found


def name_of(address: str) -> str | None:
    """The name of the URL of an address, or None where there is none."""
    try:
        return resolve(urlsplit(address).path).view_name
    except Resolver404:
        return None


def judge(watched: Watched) -> list[str]:
    """What is wrong with the page as it stands."""
    page = watched.page
    page.emulate_media(color_scheme="light")
    page.evaluate(AXE)
    found = violations(page)
    page.emulate_media(color_scheme="dark")
    found += violations(page, runOnly=["color-contrast"])  # what may differ between light and dark
    wrong = [f"{rule}: {elements}" for rule, elements in found]
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if width:
        wrong.append(f"scrolls sideways by {width} px")
    if page.locator("[style]:not(.htmx-request)").count():
        wrong.append("has inline style")
    if page.locator("h1").count() != 1 or not page.title():
        wrong.append("has no title, or not one heading of the first level")
    return wrong + watched.complaints


def fill(watched: Watched) -> list[str]:
    """Make what has a page only when somebody makes it; addresses that are not linked afterwards."""
    page = watched.page
    page.goto("/deployments/1/")
    page.get_by_label("Role to attach").fill("support")  # an act that history leads to the undoing of
    page.get_by_role("button", name="Attach", exact=True).click()
    page.goto("/releases/review/")
    reviewed = links(page)  # there is less to see once it is released
    page.get_by_label("Note").fill("The first release")
    page.get_by_label(re.compile("^Type 1")).fill("1")
    page.get_by_role("button", name="Make release 1").click()
    expect(page).to_have_url(re.compile(r"/releases/\d+/"))
    page.goto("/deployments/import/")
    page.locator("textarea").fill(PASTED)
    page.locator("main form").first.locator("button[type=submit]").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("change")
    somebody = "/roles/users/1/erase/"  # linked from people who have gone, and in the demo nobody has
    addresses = [*reviewed, page.url, page.evaluate("path => new URL(path, location).href", somebody)]
    done = signed_off(page)
    return [*addresses, review(page, "Still open"), f"{done}report/", f"{done}removals/"]


def review(page: Page, title: str) -> str:
    """Open an access review of one deployment; its address."""
    page.goto("/access/reviews/new/")
    page.get_by_label("Title").fill(title)
    page.get_by_role("checkbox", name=re.compile("^addon-ledger")).check()
    page.get_by_role("button", name="Count the rows").click()
    page.get_by_role("button", name=re.compile("^Open the review")).click()
    expect(page).to_have_url(re.compile(r"/access/reviews/\d+/$"))
    return page.url


def signed_off(page: Page) -> str:
    """An access review that removes everybody, signed off; its address."""
    address = review(page, "Everybody out")
    page.get_by_label("Which rows").select_option("all")
    page.get_by_label("Reason").fill("Nobody needs it")
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_role("button", name=re.compile("^Sign off")).click()
    expect(page.get_by_role("button", name=re.compile("^Sign off"))).to_have_count(0)
    return address


@pytest.mark.timeout(400)
def test_every_page_is_accessible_in_both_themes_and_whole_at_320_px(chromium: Browser, dashboard: str) -> None:
    context = chromium.new_context(
        base_url=dashboard,
        viewport={"width": 320, "height": 700},
        reduced_motion="reduce",  # a change of theme is not to be judged on its way
    )
    context.set_default_timeout(15_000)
    watched = Watched(context)
    sign_in(watched.page, "Ada Nwosu")
    expect(watched.page.get_by_role("heading", level=1)).to_have_text("Who reaches which model")
    waiting = [f"{dashboard}/gallery/", watched.page.url, *fill(watched)]
    seen: set[str] = set(NO_PAGE)
    wrong: dict[str, list[str]] = {}
    while waiting:
        address = waiting.pop(0)
        name = name_of(address)
        if name is None or name in seen or not address.startswith(dashboard):
            continue
        seen.add(name)
        watched.complaints.clear()
        try:
            watched.page.goto(address)
        except Error as error:
            if "Download is starting" not in str(error):
                raise
            continue
        if found := judge(watched):
            wrong[f"{name} ({urlsplit(address).path})"] = found
        waiting += [] if name == "gallery" else links(watched.page)  # its rows are made up
    context.close()
    assert wrong == {}
    left = LISTED.keys() - POST_ONLY - UNLINKED - seen
    assert {name for name in left if not name.startswith("api:")} == set()
