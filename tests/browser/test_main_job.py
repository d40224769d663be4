"""The main job as a newcomer does it: from sign-in to a downloaded file that DIAL Core accepts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from deployments.core.check import check
from deployments.core.load import load
from deployments.core.versions import DEFAULT
from tests.browser.conftest import Watched

pytestmark = pytest.mark.browser


def sign_in(page: Page, person: str) -> None:
    """Through the provider's own page, where one picks a person."""
    page.goto("/")
    page.get_by_role("button", name=re.compile(person)).click()


def open_deployment(page: Page, name: str) -> None:
    page.goto("/deployments/")
    page.get_by_label("Search", exact=True).fill(name)
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role("link", name=name, exact=True).click()


def attach(page: Page, role: str, name: str) -> None:
    open_deployment(page, name)
    page.get_by_label("Role to attach").fill(role)
    page.get_by_role("button", name="Attach", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text(f"{role} is attached to {name}")


def test_from_sign_in_to_a_file_that_core_accepts(watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    sign_in(page, "Ada Nwosu")
    expect(page.get_by_role("heading", level=1)).to_have_text("Who reaches which model")

    page.get_by_role("link", name="Users", exact=True).click()
    expect(page.get_by_role("table")).to_contain_text("Ada Nwosu")
    page.get_by_role("link", name="Roles", exact=True).click()
    expect(page.get_by_role("table")).to_contain_text("analysts")

    attach(page, "analysts", "gpt-4-turbo")
    watched.assert_sound()

    page.get_by_role("link", name="Edit the limit of analysts").click()
    page.get_by_label("Tokens per minute").fill("20k")
    expect(page.get_by_role("radio", name=re.compile("^Limited"))).to_be_checked()
    watched.assert_sound()
    page.get_by_role("button", name="Save limit").click()
    expect(page.get_by_role("row", name=re.compile("^analysts"))).to_contain_text("20,000")

    page.get_by_role("link", name="Export", exact=True).click()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download aidial.config.json").click()
    target = tmp_path / "aidial.config.json"
    downloading.value.save_as(target)

    settings = json.loads(target.read_text())
    assert "analysts" in settings["models"]["gpt-4-turbo"]["userRoles"]
    assert settings["roles"]["analysts"]["limits"]["gpt-4-turbo"] == {"minute": 20000}
    assert load(settings, DEFAULT).settings is not None
    assert not [finding for finding in check(settings, DEFAULT) if finding.severity == "error"]

    page.get_by_role("link", name="History", exact=True).click()
    expect(page.get_by_role("list").filter(has_text="exported the settings")).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    page.goto("/")
    expect(page.get_by_role("button", name=re.compile("Ada Nwosu"))).to_be_visible()  # Cognito asks again
    assert watched.complaints == []


def test_somebody_without_rights_sees_which_groups_they_need(watched: Watched) -> None:
    sign_in(watched.page, "Nico")
    expect(watched.page.get_by_role("heading", level=1)).to_have_text("You need one of these groups")
    expect(watched.page.get_by_text("dial-publishers")).to_be_visible()
    expect(watched.page.get_by_role("navigation")).to_have_count(0)


def test_the_main_job_works_without_javascript(chromium: Browser, dashboard: str) -> None:
    context = chromium.new_context(base_url=dashboard, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, "Ada Nwosu")
    open_deployment(page, "gpt-4-turbo")
    page.get_by_label("Role to attach").fill("legal")
    page.get_by_role("button", name="Attach", exact=True).click()
    page.get_by_role("link", name="Edit the limit of legal").click()
    page.get_by_role("radio", name=re.compile("^Limited")).check()
    page.get_by_label("Tokens per day").fill("1.5M")
    page.get_by_role("button", name="Save limit").click()
    expect(page.get_by_role("row", name=re.compile("^legal"))).to_contain_text("1,500,000")
    page.get_by_role("button", name="Detach legal").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("row", name=re.compile("^legal"))).to_be_visible()
    context.close()


def test_a_limit_is_set_with_the_keyboard_alone(watched: Watched) -> None:
    page = watched.page
    sign_in(page, "Ada Nwosu")
    page.goto("/deployments/")
    page.keyboard.press("/")
    page.keyboard.type("gpt-4o-mini")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Attached roles")).to_be_visible()
    edit = page.get_by_role("link", name="Edit the fallback limit")
    for _ in range(80):
        page.keyboard.press("Tab")
        if edit.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Enter")
    field = page.get_by_label("Requests per hour")
    for _ in range(40):
        page.keyboard.press("Tab")
        if field.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Control+a")
    page.keyboard.type("60")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name=re.compile("Fallback"))).to_contain_text("60 requests per hour")
    assert watched.complaints == []


def test_anything_is_found_with_the_keyboard_alone(watched: Watched) -> None:
    page = watched.page
    sign_in(page, "Ada Nwosu")
    page.goto("/history/")
    page.keyboard.press("Control+k")
    page.keyboard.type("joana fereira")
    expect(page.get_by_role("dialog")).to_contain_text("with one letter changed")
    watched.assert_sound()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name=re.compile("^Joana Ferreira"))).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("/")
    page.keyboard.type("sync now")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Syncs")
    page.wait_for_load_state()
    page.get_by_role("link", name="Search").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.type("no such thing")
    expect(page.get_by_role("dialog")).to_contain_text("Nothing is called that")
    assert watched.complaints == []


def test_the_button_syncs_in_a_process_of_its_own_and_the_page_follows_it(watched: Watched) -> None:
    page = watched.page
    sign_in(page, "Ada Nwosu")
    expect(page.get_by_role("heading", level=1)).to_have_text("Who reaches which model")
    page.get_by_role("link", name="Syncs", exact=True).click()
    page.get_by_role("button", name="Sync now").click()
    expect(page).to_have_url(re.compile(r"/roles/syncs/\d+/"))
    expect(page.get_by_role("main")).to_contain_text("The pool says what the tables say", timeout=30_000)
    expect(page.get_by_role("main")).to_contain_text("calls of Cognito")
    watched.assert_sound()


def test_single_keys_can_be_switched_off(watched: Watched) -> None:
    page = watched.page
    sign_in(page, "Ada Nwosu")
    page.goto("/history/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    watched.assert_sound()
    page.get_by_role("checkbox", name=re.compile("^Single keys")).uncheck()
    page.keyboard.press("Escape")
    page.goto("/roles/")
    page.keyboard.press("/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert watched.complaints == []
