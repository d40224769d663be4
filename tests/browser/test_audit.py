"""What auditors come for: who reaches what and why, what somebody reaches, and a review that is signed off."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Watched
from tests.browser.test_main_job import sign_in

pytestmark = pytest.mark.browser


def heading(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def arrive(watched: Watched, person: str) -> Page:
    sign_in(watched.page, person)
    heading(watched.page, "Who reaches which model")
    return watched.page


def open_review(page: Page, title: str, *deployments: str) -> None:
    """Choose, count, open."""
    page.goto("/access/reviews/new/")
    page.get_by_role("textbox", name="Title").fill(title)
    for name in deployments:
        page.get_by_role("checkbox", name=re.compile(f"^{re.escape(name)}")).first.check()
    page.get_by_role("button", name="Count the rows").click()
    page.get_by_role("button", name=re.compile("^Open the review of")).click()
    heading(page, title)


def decide_all(page: Page, decision: str, reason: str = "") -> None:
    page.get_by_label("Which rows").select_option("all")
    page.get_by_role("textbox", name="Reason").fill(reason)
    page.get_by_role("button", name=decision, exact=True).click()


def test_who_reaches_gpt_4o_and_why(watched: Watched, tmp_path: Path) -> None:
    page = arrive(watched, "Věra")  # an auditor
    page.get_by_role("link", name="Access", exact=True).click()
    heading(page, "Who can reach what")
    page.get_by_role("textbox", name="Deployment").fill("gpt-4o")
    page.get_by_role("button", name="Show who").click()
    heading(page, "Who reaches gpt-4o")
    row = page.get_by_role("row", name=re.compile("^Amara Okafor"))
    expect(row).to_contain_text("analysts data-science")
    expect(row).to_contain_text("120,000 tokens per minute")
    expect(page.get_by_role("region", name="API keys")).to_contain_text("customer-chatbot")
    watched.assert_sound()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download CSV").click()
    target = tmp_path / "who.csv"
    downloading.value.save_as(target)
    assert "amara" in target.read_text().lower()

    row.get_by_role("link", name="Why Amara Okafor").click()
    expect(page.get_by_role("heading", name="They reach gpt-4o, with limits.")).to_be_visible()
    expect(page.get_by_role("list").filter(has_text="The largest counts")).to_be_visible()
    watched.assert_sound()

    page.get_by_role("textbox", name="User").fill("Nico")
    page.get_by_role("button", name="Explain").click()
    expect(page.get_by_role("heading", name=re.compile("They do not reach gpt-4o"))).to_be_visible()
    expect(page.get_by_text("Put them into the group analysts.")).to_be_visible()
    watched.assert_sound()


def test_what_does_this_person_reach(watched: Watched) -> None:
    page = arrive(watched, "Věra")
    page.goto("/roles/users/?q=amara")
    page.get_by_role("link", name="Amara Okafor").click()
    page.get_by_role("link", name="What this person reaches").click()
    heading(page, "What Amara Okafor reaches")
    expect(page.get_by_role("row", name=re.compile("^gpt-4o Model"))).to_contain_text("from data-science")
    expect(page.get_by_role("row", name=re.compile("^gpt-4o-mini"))).to_contain_text("Open to everyone")
    watched.assert_sound()
    page.get_by_role("textbox", name="As of").fill("2001-01-01")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("alert")).to_contain_text("No release was in force")
    assert len(watched.complaints) == 1  # the browser's own note of the status 400
    watched.complaints.clear()

    page.goto("/access/why/")
    page.get_by_role("textbox", name="ID token, access token").fill("analysts\nlegal")
    page.get_by_role("button", name="Answer").click()
    expect(page.get_by_role("row", name=re.compile("^gpt-4o Model"))).to_contain_text("analysts legal")
    watched.assert_sound()


def test_review_and_sign_off(watched: Watched, chromium: Browser, dashboard: str) -> None:
    page = arrive(watched, "Věra")
    page.get_by_role("link", name="Reviews", exact=True).click()
    heading(page, "Access reviews")
    open_review(page, "Fourth quarter", "contract-review", "gpt-4-turbo")
    watched.assert_sound()
    decide_all(page, "Keep")
    expect(page.get_by_role("heading", name="Every row is decided")).to_be_visible()
    page.get_by_label("Deployment", exact=True).select_option("gpt-4-turbo")
    page.get_by_role("button", name="Show").click()
    decide_all(page, "Remove", "The project is over")
    expect(page.get_by_role("row", name=re.compile("Amara Okafor"))).to_contain_text("The project is over")
    watched.assert_sound()
    page.get_by_role("button", name=re.compile("^Sign off: ")).click()
    heading(page, "Access review: Fourth quarter")
    expect(page.get_by_role("main")).to_contain_text("sha256")
    watched.assert_sound()
    page.get_by_role("link", name="Removals").click()
    expect(page.get_by_text("An editor applies it.")).to_be_visible()
    watched.assert_sound()

    context = chromium.new_context(base_url=dashboard, java_script_enabled=False)
    editor = context.new_page()
    sign_in(editor, "Emil")
    editor.goto(page.url)
    editor.get_by_role("link", name="Apply: detach data-science from gpt-4-turbo").click()
    editor.get_by_role("button", name=re.compile("^Detach it")).click()
    expect(editor.get_by_role("status")).to_contain_text("data-science is detached from gpt-4-turbo")
    expect(editor.get_by_text("Done")).to_be_visible()
    context.close()
