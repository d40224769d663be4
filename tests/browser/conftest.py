"""A real Chromium against the real demo: the provider, the sign-in and the dashboard as `make demo` starts them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

ROOT = Path(__file__).parent.parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
STARTUP = 60  # seconds
AXE = Axe().axe_script
QUICKLY = {"resultTypes": ["violations"], "preload": False}

expect.set_options(timeout=15_000)  # a machine that does other things besides is slow, not wrong


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is missing, and under CI that is a failure: apt-get install chromium")
        pytest.skip("Chromium is missing; the browser tests need it: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a demo of its own, with next to nothing in its environment."""
    directory = tmp_path_factory.mktemp("demo")
    port = free_port()
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "demo", "--port", str(port), "--directory", str(directory / "data")],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": str(directory)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    url = f"http://localhost:{port}"
    deadline = time.monotonic() + STARTUP
    while not answers(f"{url}/health/"):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            pytest.fail(f"the demo did not start:\n{(directory / 'log').read_text()}")
        time.sleep(0.1)
    yield url
    process.terminate()
    process.wait(timeout=20)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as response:  # noqa: S310  # our own address
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def violations(page: Page, **options: object) -> list[tuple[str, list[str]]]:
    """What axe, which is in the page already, finds wrong: the rule, and each element that breaks it."""
    found = page.evaluate("options => axe.run(options).then(result => result.violations)", {**QUICKLY, **options})
    return [(rule["id"], [node["html"][:160] for node in rule["nodes"]]) for rule in found]


class Watched:
    """A page that remembers what a browser complains about: script errors and violations of the CSP."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        self.complaints: list[str] = []
        self.page: Page = context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def assert_sound(self) -> None:
        """No axe violation on the page as it stands, and no complaint since the start.

        After what leads to another page, expect something of that page first: axe would be run on its way there.
        """
        self.page.wait_for_load_state()
        self.page.evaluate(AXE)
        assert violations(self.page) == []
        assert self.complaints == []


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def watched(chromium: Browser, dashboard: str) -> Iterator[Watched]:
    context = chromium.new_context(base_url=dashboard, accept_downloads=True, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(15_000)
    yield Watched(context)
    context.close()
