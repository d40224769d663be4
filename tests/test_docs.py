"""What the documentation says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from django.core.management import get_commands

from dialadmin.environment import VARIABLES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_environment_table_lists_every_variable_with_its_purpose() -> None:
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.*) \|$", README, re.MULTILINE))
    expected = {}
    for variable in VARIABLES.values():
        default = str(variable.default).lower() if isinstance(variable.default, bool) else variable.default
        shown = "" if default in ("", [], None) else f"`{default}`"
        expected[variable.name] = f"{'yes' if variable.required else ''} | {shown} | {variable.purpose}"
    assert rows == expected


def test_every_command_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"manage\.py (\w+)", README))
    assert named <= set(get_commands())
    ours = {name for name, app in get_commands().items() if str(app).startswith(("dialadmin", "roles", "deployments"))}
    assert ours - {"demo"} <= named


def test_every_path_that_the_readme_names_exists() -> None:
    named = re.findall(r"`([a-z]+/[a-z_/]*(?:\.py)?)`", README)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_variable_is_read_through_the_list() -> None:
    text = (ROOT / "dialadmin" / "settings.py").read_text()
    assert set(re.findall(r'environment\.read\("([A-Z_]+)"\)', text)) == set(VARIABLES)
