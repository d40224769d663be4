"""Two people at a draft, a release that takes a second thought, and the pipeline that fetches it."""

from __future__ import annotations

import hashlib
import re
import urllib.request

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.browser.test_main_job import sign_in
from tests.browser.test_publish import release

pytestmark = pytest.mark.browser


def open_access(page: Page, name: str, access: str) -> None:
    """Choose another access on the page of a deployment, and confirm it."""
    page.get_by_label(access).check()
    page.get_by_role("button", name="Change access…").click()
    page.get_by_role("button", name=re.compile("^Make it")).click()


def test_a_conflict_a_risky_release_and_a_pipeline(watched: Watched, dashboard: str) -> None:
    page = watched.page
    sign_in(page, "Ada Nwosu")
    release(page, 1, "What DIAL Core runs today")

    page.goto("/deployments/?q=claude-3-haiku")
    page.get_by_role("link", name="claude-3-haiku", exact=True).click()
    expect(page.get_by_role("button", name="Change access…")).to_be_visible()
    other = watched.context.new_page()
    other.goto(page.url)
    open_access(other, "claude-3-haiku", "Closed")
    expect(other.get_by_role("status")).to_contain_text("claude-3-haiku is closed now")
    other.close()
    page.get_by_label("Open to everyone").check()
    page.get_by_role("button", name="Change access…").click()
    expect(page.locator("main")).to_contain_text("people gain it.")
    watched.assert_sound()
    page.get_by_role("button", name="Make it open to everyone").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("It has changed meanwhile")
    complaints = [text for text in watched.complaints if "409" not in text]  # the browser notes the status
    assert complaints == []
    watched.complaints.clear()
    watched.assert_sound()
    page.get_by_role("button", name="Do mine now").click()
    expect(page.get_by_role("status")).to_contain_text("claude-3-haiku is open to everyone now")

    page.get_by_role("link", name="Review", exact=True).click()
    row = page.get_by_role("row", name=re.compile("^claude-3-haiku"))
    expect(row).to_contain_text("restricted → open to everyone")
    row.get_by_role("link", name=re.compile("gain claude-3-haiku$")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Who would gain claude-3-haiku")
    watched.assert_sound()
    page.goto("/")
    release(page, 2, "Haiku for everyone")
    digest = page.locator("dd code").first.inner_text()

    page.goto("/accounts/tokens/")
    page.get_by_label("Name").fill("deploy")
    page.get_by_label("read releases, secrets included").check()
    page.get_by_role("button", name="Make token").click()
    token = page.get_by_role("region", name="The token deploy").locator("code").inner_text()
    watched.assert_sound()
    request = urllib.request.Request(  # noqa: S310  # our own address
        f"{dashboard}/api/v1/releases/latest", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        assert hashlib.sha256(answer.read()).hexdigest() == digest
        assert answer.headers["ETag"] == f'"{digest}"'
    page.goto("/history/")
    expect(page.locator("main")).to_contain_text("API token deploy fetched /api/v1/releases/latest")
    page.goto("/accounts/tokens/")
    page.get_by_role("button", name="Revoke deploy").click()
    expect(page.locator("#messages")).to_contain_text("The token deploy is revoked")
