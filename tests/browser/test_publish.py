"""From an edit to what DIAL Core reads, and back: release, publish, see drift, restore."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.browser.test_main_job import attach, sign_in

pytestmark = pytest.mark.browser


def release(page: Page, number: int, note: str) -> None:
    """Make the release from its review."""
    page.get_by_role("link", name="Review", exact=True).click()
    page.get_by_label("Note", exact=True).fill(note)
    page.wait_for_load_state()
    typed = page.get_by_label(f"Type {number} to say that this is meant")
    if typed.count():
        typed.fill(str(number))
    page.get_by_role("button", name=f"Make release {number}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Release {number}")


def publish(page: Page, number: int) -> None:
    page.get_by_role("link", name="Publish…", exact=True).click()
    page.get_by_role("button", name=f"Publish release {number}").click()
    expect(page.get_by_role("status")).to_contain_text(
        f"Release {number} is published to core, and read back from there."
    )


def test_from_an_edit_to_the_file_of_core_and_back(watched: Watched) -> None:
    page = watched.page
    sign_in(page, "Ada Nwosu")
    attach(page, "analysts", "gpt-4-turbo")
    release(page, 1, "Analysts may use gpt-4-turbo")
    publish(page, 1)
    watched.assert_sound()

    row = page.get_by_role("row", name=re.compile("^core"))
    expect(row).to_contain_text("As published")
    file = Path(re.search(r"/\S+aidial\.config\.json", row.inner_text()).group())  # type: ignore[union-attr]
    first = file.read_bytes()
    assert "analysts" in roles(file)

    document = json.loads(first)
    document["models"]["gpt-4-turbo"]["userRoles"] = ["everybody"]
    file.write_text(json.dumps(document))
    page.get_by_role("button", name="Check core now").click()
    expect(page.get_by_role("status")).to_contain_text("core: Drifted.")
    expect(row).to_contain_text("models.gpt-4-turbo.userRoles")
    watched.assert_sound()
    page.get_by_role("link", name="Home", exact=True).first.click()
    expect(page.get_by_role("region", name="Released, published, running")).to_contain_text("Drifted")
    watched.assert_sound()

    attach(page, "legal", "gpt-4-turbo")
    release(page, 2, "Legal too")
    publish(page, 2)
    assert {"analysts", "legal"} <= set(roles(file))

    page.get_by_role("link", name="Releases", exact=True).first.click()
    page.get_by_role("link", name="Release 1", exact=True).click()
    page.get_by_role("link", name="Restore into the draft…").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Restore")
    watched.assert_sound()
    page.get_by_role("button", name="Restore into the draft").click()
    expect(page.get_by_role("status")).to_contain_text("The draft says what release 1 said.")
    release(page, 3, "Back to release 1")
    publish(page, 3)
    assert file.read_bytes() == first
    assert "legal" not in roles(file)
    page.get_by_role("link", name="History", exact=True).click()
    expect(page.get_by_role("list").filter(has_text="published release 3 to core")).to_be_visible()
    assert watched.complaints == []


def roles(file: Path) -> list[Any]:
    names: list[Any] = json.loads(file.read_text())["models"]["gpt-4-turbo"]["userRoles"]
    return names
