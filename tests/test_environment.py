"""A wrong or missing environment variable stops the start with its name, its purpose and an example."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from dialadmin import checks, environment
from dialadmin.environment import VARIABLES

ROOT = Path(__file__).parent.parent
KEPT = ("PATH", "HOME", "LANG")


def start(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A management command with nothing in its environment but these variables."""
    bare = {name: os.environ[name] for name in KEPT if name in os.environ}
    return subprocess.run(
        [sys.executable, *command], cwd=ROOT, env={**bare, **variables}, capture_output=True, text=True, check=False
    )


def test_a_start_without_variables_names_each_that_is_missing() -> None:
    result = start("manage.py", "check")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    for variable in VARIABLES.values():
        if variable.required:
            assert f"The environment variable {variable.name} is not set." in result.stderr
            assert variable.example in result.stderr


def test_a_server_without_variables_does_not_start() -> None:
    result = start("-c", "import dialadmin.wsgi")
    assert result.returncode == 1
    assert "SECRET_KEY: Signs sessions" in result.stderr


def test_a_value_of_the_wrong_kind_is_named_without_a_traceback() -> None:
    result = start("manage.py", "check", SESSION_IDLE_MINUTES="soon")
    assert result.returncode == 1
    assert "SESSION_IDLE_MINUTES" in result.stderr
    assert "Example: SESSION_IDLE_MINUTES=30" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["check_settings", "evaluate_access"])
def test_the_commands_of_pipelines_need_no_variable_at_all(command: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"models": {}}')
    (tmp_path / "p.json").write_text("[]")
    more = ["--principals", str(tmp_path / "p.json")] if command == "evaluate_access" else []
    result = start("manage.py", command, str(tmp_path / "a.json"), *more)
    assert result.returncode == 0, result.stderr


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNC_MAX_REMOVAL_SHARE", "")
    assert environment.read("SYNC_MAX_REMOVAL_SHARE") == 0.2


def test_a_database_url_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESSION_MAX_HOURS", "8h")
    with pytest.raises(ImproperlyConfigured, match="SESSION_MAX_HOURS"):
        environment.read("SESSION_MAX_HOURS")


def test_a_key_that_is_no_fernet_key_is_reported_without_showing_it(settings: pytest.FixtureRequest) -> None:
    settings.ENCRYPTION_KEYS = ["not-a-key"]  # type: ignore[attr-defined]
    (found,) = checks.encryption_keys()
    assert found.id == "dialadmin.E002"
    assert "not-a-key" not in str(found)
