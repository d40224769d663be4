"""`demo [--port 8000] [--reset]`: the dashboard with an embedded Cognito, for trying it out.

Two processes: this one holds the Cognito provider; a child, started with an environment made here, is the
dashboard. Settings are read from the environment when Django is imported, so one process could not do
both, and the two talk to each other as they would in production: over HTTP.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from dialadmin.environment import VARIABLES

PROVIDER_PORT = 8900
PORTS_TRIED = 20
KEPT_FILES = (
    "demo.sqlite3", "demo.sqlite3-wal", "demo.sqlite3-shm",
    "secrets.json", "signing-keys.pem", "imported", "groups.json",
)  # fmt: skip


class Command(BaseCommand):
    help = "Serve the dashboard with an embedded Cognito and an invented organisation, on this computer only."
    requires_system_checks = []  # it needs no environment: it makes one

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="port of the dashboard (default 8000)")
        parser.add_argument("--reset", action="store_true", help="forget everything of earlier starts")
        directory = settings.BASE_DIR / ".demo"
        parser.add_argument("--directory", type=Path, default=directory, help="where the data is kept")

    def handle(self, *, port: int, reset: bool, directory: Path, **_: Any) -> None:
        if os.environ.get("DEBUG") and not settings.DEBUG:
            raise CommandError("DEBUG is false here: the demo signs people in without a password and is refused.")
        try:
            from dialadmin.demo.keys import write_private
            from dialadmin.demo.provider import running_provider
        except ModuleNotFoundError as error:
            raise CommandError(f"{error.name} is missing; install the extra: pip install '.[demo]'") from error
        directory = directory.resolve()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with only_one(directory):
            if reset:
                for name in KEPT_FILES:
                    (directory / name).unlink(missing_ok=True)
            kept = directory / "secrets.json"
            if not kept.exists():
                write_private(kept, json.dumps(new_secrets()).encode())
            made: dict[str, str] = json.loads(kept.read_text())
            dashboard_port = free_port(port)
            if dashboard_port != port:
                self.stderr.write(f"Port {port} is taken; using {dashboard_port}.")
            hosts = [f"http://{host}:{dashboard_port}" for host in ("localhost", "127.0.0.1")]
            with (
                listening(PROVIDER_PORT, besides=dashboard_port) as listener,
                running_provider(
                    callback_urls=[f"{host}/accounts/callback/" for host in hosts],
                    sign_out_urls=[f"{host}/accounts/signed-out/" for host in hosts],
                    listener=listener,
                    client_secret=made["OIDC_CLIENT_SECRET"],
                    keys_file=directory / "signing-keys.pem",
                    groups_file=directory / "groups.json",
                ) as provider,
            ):
                environment = dashboard_environment(
                    os.environ, made | provider.environment(), public_url=hosts[0], directory=directory
                )
                run_dashboard(environment, directory, dashboard_port)


@contextmanager
def only_one(directory: Path) -> Iterator[None]:
    """Hold the directory, so that two demos do not write one database."""
    with (directory / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CommandError("The demo is already running; stop it first (Ctrl-C there).") from error
        yield


def new_secrets() -> dict[str, str]:
    return {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "OIDC_CLIENT_SECRET": secrets.token_urlsafe(24),
    }


def free_port(wanted: int) -> int:
    """This port of the loopback interface, or the next free one. Raises CommandError."""
    with listening(wanted) as probe:
        port: int = probe.getsockname()[1]
        return port


def listening(wanted: int, besides: int = 0) -> socket.socket:
    """A socket that listens on this port of the loopback interface, or on the next free one. Raises CommandError.

    It listens from the start: two demos that begin together would find the same port free.
    """
    for port in range(wanted, wanted + PORTS_TRIED):
        if port != besides and is_free(port):
            with suppress(OSError):  # somebody was faster
                return socket.create_server(("127.0.0.1", port))
    raise CommandError(f"No port from {wanted} to {wanted + PORTS_TRIED - 1} is free; choose another with --port.")


def is_free(port: int) -> bool:
    """Whether nobody serves there. Browsers try `::1` for localhost too, so it has to be silent as well."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(1)
            if probe.connect_ex((address, port)) == 0:
                return False
    return True


def dashboard_environment(
    inherited: Mapping[str, str], made: Mapping[str, str], *, public_url: str, directory: Path
) -> dict[str, str]:
    """The environment of the dashboard: nothing of a real installation or a real AWS account comes through."""
    kept = {
        name: value
        for name, value in inherited.items()
        if name not in VARIABLES and not name.startswith("AWS_") and name != "DJANGO_SETTINGS_MODULE"
    }
    return {
        **kept,
        **made,
        "DEBUG": "true",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "PUBLIC_URL": public_url,
        "DATABASE_URL": f"sqlite:///{directory / 'demo.sqlite3'}",
        "TARGETS": f"core=file://{quote(str(directory.absolute() / 'aidial.config.json'))}",
        "LOG_LEVEL": "WARNING",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "localhost,127.0.0.1",
        "no_proxy": "localhost,127.0.0.1",
        "PYTHONUNBUFFERED": "1",
    }


def run_dashboard(environment: Mapping[str, str], directory: Path, port: int) -> None:
    """Run the child until it ends or somebody stops this process; never leave it behind."""
    os.umask(0o077)  # the database, too, is for its owner alone
    child = subprocess.Popen(  # noqa: S603  # our own interpreter and module
        [sys.executable, "-m", "dialadmin.demo.dashboard", str(directory), str(port)],
        cwd=settings.BASE_DIR,
        env=environment,
        stdin=subprocess.PIPE,  # closes when this process ends, however it ends; the child listens for that
        start_new_session=True,  # Ctrl-C reaches this process alone, which then stops the child
    )
    try:
        code = child.wait()
    except KeyboardInterrupt:
        return
    finally:
        child.terminate()
        try:
            child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if code:
        raise CommandError("The dashboard has ended; what it said is above. `--reset` starts over.", returncode=1)
