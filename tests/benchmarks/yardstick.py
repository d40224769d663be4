"""The databases that the benchmarks measure on: filled by make_organisation, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def databases() -> Iterator[dict[str, str]]:
    """Name of the engine -> DATABASE_URL of an empty database, gone afterwards. Without PostgreSQL: SQLite alone."""
    with tempfile.TemporaryDirectory(prefix="yardstick-") as folder:
        found = {"sqlite": f"sqlite:///{folder}/yardstick.sqlite3"}
        tools = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        if not tools:
            print("PostgreSQL is not installed here: what is measured against it is left out.")
            yield found
            return
        with _cluster(tools[-1], Path(folder)) as url:
            yield {**found, "postgresql": url}


@contextmanager
def _cluster(tools: Path, folder: Path) -> Iterator[str]:
    """A PostgreSQL of our own on loopback; it refuses to run as root, so it runs as its own user there."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
    data = folder / "postgresql"
    data.mkdir()
    as_owner: list[str] = []
    if os.geteuid() == 0:
        folder.chmod(0o755)
        shutil.chown(data, "postgres")
        as_owner = ["runuser", "-u", "postgres", "--"]

    def run(*command: str) -> None:
        subprocess.run([*as_owner, str(tools / command[0]), *command[1:]], check=True, stdout=subprocess.DEVNULL)

    options = f"-c listen_addresses=127.0.0.1 -p {port} -k {data} -c shared_buffers=1GB -c work_mem=128MB -c fsync=off"
    run("initdb", "-D", f"{data}/db", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync")
    run("pg_ctl", "-D", f"{data}/db", "-w", "-l", f"{data}/log", "-o", options, "start")
    try:
        yield f"postgres://postgres@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "-D", f"{data}/db", "-m", "immediate", "stop")


def manage(url: str, *command: str) -> None:
    """A management command in the environment of the tests, on this database."""
    subprocess.run([sys.executable, "-m", "tests.environment", *command], cwd=ROOT, env=environment(url), check=True)


def environment(url: str) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": url}


def fill(url: str, *, users: int, groups: int, deployments: int, profile: str = "independent") -> None:
    """Migrate and make the organisation of seed 1."""
    manage(url, "migrate", "--verbosity=0")
    numbers = [f"--users={users}", f"--groups={groups}", f"--deployments={deployments}"]
    manage(url, "make_organisation", *numbers, "--seed=1", f"--profile={profile}")
