"""One command serves everything, on this computer only, and leaves nothing running."""

from __future__ import annotations

import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from django.core.management import CommandError, call_command

from dialadmin.demo.dashboard import at_one_address
from dialadmin.demo.management.commands.demo import dashboard_environment, free_port, listening, new_secrets

ROOT = Path(__file__).parent.parent.parent
SECONDS = 60


def test_it_is_refused_where_debug_is_false(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="DEBUG is false"):
        call_command("demo", directory=tmp_path / "demo")
    assert not (tmp_path / "demo").exists()


def test_nothing_of_a_real_installation_reaches_the_dashboard() -> None:
    inherited = {
        "PATH": "/bin",
        "AWS_PROFILE": "production",
        "AWS_SESSION_TOKEN": "real",
        "DATABASE_URL": "postgres://production",
        "PUBLISHER_GROUPS": "everybody",
        "TARGETS": "prod=s3://production/config.json",
        "CORE_URL": "https://core.production",
        "BEHIND_PROXY": "true",
    }

    made = dashboard_environment(inherited, new_secrets(), public_url="http://localhost:1", directory=Path("/d"))

    assert made["PATH"] == "/bin"
    assert made["DATABASE_URL"] == "sqlite:////d/demo.sqlite3"
    assert made["TARGETS"] == "core=file:///d/aidial.config.json"
    assert made["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "PUBLISHER_GROUPS", "BEHIND_PROXY", "CORE_URL"} & set(made)


def test_a_taken_port_gives_way_to_the_next() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        found = free_port(port)

        assert found > port
        with listening(found) as first, listening(found) as second:  # two demos that start together
            assert first.getsockname()[1] == found
            assert second.getsockname()[1] > found
        with listening(found, besides=found) as beside:
            assert beside.getsockname()[1] > found


def test_the_other_name_of_this_computer_is_sent_to_the_first() -> None:
    answers: list[tuple[str, list[tuple[str, str]]]] = []
    application = at_one_address(lambda environ, start: [b"the page"], "http://localhost:8000")

    def start(status: str, headers: list[tuple[str, str]]) -> None:
        answers.append((status, headers))

    body = application({"HTTP_HOST": "127.0.0.1:8000", "PATH_INFO": "/roles/", "QUERY_STRING": "q=a"}, start)

    assert list(body) == [b""]
    assert answers == [("302 Found", [("Location", "http://localhost:8000/roles/?q=a")])]
    assert list(application({"HTTP_HOST": "localhost:8000"}, start)) == [b"the page"]


@contextmanager
def running_demo(directory: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command with an almost empty environment; yields it and the address that it printed."""
    process = subprocess.Popen(
        [
            sys.executable,
            "manage.py",
            "demo",
            "--port",
            str(free_port(18000)),
            "--directory",
            str(directory),
            *arguments,
        ],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdout is not None
    stdout = process.stdout

    def read() -> None:
        for line in stdout:
            lines.put(line)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        said = ""
        while not (address := re.search(r"http://localhost:\d+", said)):
            said += lines.get(timeout=SECONDS)
        yield process, address.group()
    finally:
        process.terminate()
        process.wait(timeout=SECONDS)
        reader.join(timeout=SECONDS)
        stdout.close()


def test_it_serves_keeps_its_data_and_never_stays_behind(tmp_path: Path) -> None:
    # One test, because two at the same moment would look for the same free ports.
    directory = tmp_path / "demo"
    with running_demo(directory) as (process, address):
        answer = requests.get(f"{address}/accounts/sign-in/", allow_redirects=True, timeout=SECONDS)
        assert "Who are you today?" in answer.text
        assert all((directory / name).stat().st_mode & 0o077 == 0 for name in ("secrets.json", "demo.sqlite3"))
        second = subprocess.run(
            [sys.executable, "manage.py", "demo", "--directory", str(directory)],
            cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False, timeout=SECONDS,
        )  # fmt: skip
        assert second.returncode == 1
        assert "already running" in second.stderr
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=SECONDS) == 0
    with pytest.raises(requests.ConnectionError):
        requests.get(address, timeout=5)
    secrets_before = (directory / "secrets.json").read_text()
    imported_before = (directory / "imported").stat().st_mtime_ns

    with running_demo(directory):
        assert (directory / "secrets.json").read_text() == secrets_before
        assert (directory / "imported").stat().st_mtime_ns == imported_before

    with running_demo(directory, "--reset") as (process, address):
        assert (directory / "secrets.json").read_text() != secrets_before
        process.kill()  # outright, so that it cannot stop its child
        process.wait(timeout=SECONDS)
        assert ends(int(address.rsplit(":", 1)[1])), "the dashboard is still there"


def ends(port: int) -> bool:
    """Whether nobody serves on this port, soon."""
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return True
        threading.Event().wait(0.1)
    return False
