"""What is imported comes out as it went in, in Core's reading; what Core would refuse does not go in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from deployments import draft, imports
from deployments.actions import replace_draft
from deployments.core.evaluate import evaluate
from deployments.core.merge import merge
from deployments.core.render import render
from deployments.core.text import SettingsError, parse
from deployments.core.versions import DEFAULT, Version
from deployments.document import join, split
from deployments.models import Deployment, Draft
from dialadmin.history.models import Entry
from tests.deployments.factories import SECRETS, SETTINGS, TESTER, document, make_draft

ROOT = Path(__file__).parent.parent
CORPUS = sorted((ROOT.parent.parent / "shared" / "corpus").glob("*.json"))  # there on the maintainers' machines only
LOADED = [  # what Core refuses is not imported
    path
    for path in sorted((ROOT / "core" / "vectors").glob("*/cases/*.json"))
    if json.loads(path.read_text())["expected"]["loaded"]
]
OWN = ROOT.parent / "dialadmin" / "demo" / "settings.json"


def source(document: Any, name: str = "settings.json") -> imports.Source:
    return imports.Source(name, document if isinstance(document, bytes) else json.dumps(document).encode())


def apply(*sources: imports.Source) -> None:
    preview = imports.preview(sources, DEFAULT)
    assert preview.parts is not None, preview.refusals
    replace_draft(parts=preview.parts, by=TESTER, note="", summary={})


def with_limits(value: dict[str, Any]) -> dict[str, Any]:
    """The document with the one thing that an import adds: `limits` of roles that lack them."""
    roles = {name: {**role, "limits": role.get("limits") or {}} for name, role in value.get("roles", {}).items()}
    return {**value, "roles": roles} if roles else value


@pytest.mark.django_db
@pytest.mark.parametrize("path", [*CORPUS, OWN], ids=lambda path: path.name)
def test_a_real_file_comes_out_as_it_went_in(path: Path) -> None:
    merged = merge([parse(path.read_bytes(), path.name)])
    apply(source(path.read_bytes()))
    once = render(draft.document())
    assert draft.document() == with_limits(merged)
    assert list(draft.document().get("routes", {})) == list(merged.get("routes", {}))
    apply(source(once.encode()))
    assert render(draft.document()) == once


@pytest.mark.parametrize("path", LOADED, ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_core_answers_the_same_for_what_was_taken_apart_and_put_together(path: Path) -> None:
    vector = json.loads(path.read_text())
    files = [
        parse(file["$raw"], "raw") if isinstance(file, dict) and "$raw" in file else file for file in vector["files"]
    ]
    overwrite = vector.get("options", {}).get("overwriteArrays", False)
    merged = merge(files, overwrite_arrays=overwrite)
    version = Version.parse(vector["generation"])
    if any(role.get("limits") is None for role in merged.get("roles", {}).values()):
        merged = with_limits(merged)
    again = join(split(merged))
    assert evaluate([again], vector["principals"], version=version) == evaluate(
        [merged], vector["principals"], version=version
    )


@pytest.mark.django_db
def test_numbers_come_out_as_they_were_written() -> None:
    text = (
        b'{"models": {"m": {"defaults": {"a": 1.10, "b": 1e3, "c": 123456789012345678901234567890}}},'
        b' "roles": {"r": {"limits": {"m": {"minute": 1000.0, "day": "007"}}}}}'
    )
    apply(source(text))
    out = render(draft.document())
    for number in ("1.10", "1e3", "123456789012345678901234567890", "1000.0", '"007"'):
        assert number in out


@pytest.mark.django_db
def test_files_are_merged_as_core_does() -> None:
    apply(source({"models": {"m": {"userRoles": ["a"]}}}), source({"models": {"m": {"userRoles": ["b"]}}}))
    assert document() == {"models": {"m": {"userRoles": ["a", "b"]}}}


@pytest.mark.django_db
def test_rows_that_stay_keep_their_ids() -> None:
    make_draft()
    before = dict(Deployment.objects.values_list("name", "pk"))
    make_draft({**SETTINGS, "addons": {}})
    after = dict(Deployment.objects.values_list("name", "pk"))
    assert "calendar" not in after
    assert {name: pk for name, pk in before.items() if name != "calendar"} == after


@pytest.mark.django_db
def test_the_preview_tells_what_changes_without_changing_it() -> None:
    make_draft()
    changed = json.loads(json.dumps(SETTINGS))
    changed["models"]["gpt-4o"]["userRoles"] = []
    changed["models"]["gpt-4o"]["upstreams"][0]["key"] = "another-secret"
    del changed["applications"]["search"]
    changed["keys"]["new-api-key-secret"] = {"project": "chatbot", "role": "reporters"}
    before = document()
    preview = imports.preview([source(changed)], DEFAULT)
    told = {(change.state, change.kind, change.name): change for change in preview.changes}
    assert set(told) == {
        ("changed", "model", "gpt-4o"),
        ("removed", "application", "search"),
        ("added", "API key", "chatbot"),
    }
    assert told["changed", "model", "gpt-4o"].access == "restricted to analysts, engineers → closed"
    assert not any(secret in str(preview.changes) for secret in (*SECRETS, "another-secret"))
    assert document() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{", "settings.json"),
        (b"[]", "settings.json"),
        (b"", "settings.json"),
        (b'{"a": 1,}', "settings.json"),
        (b"[" * 1_000_000, "settings.json"),
        (b'{"a":' * 500_000, "settings.json"),
        (b"\xff\xfe\x00", "settings.json"),
    ],
)
def test_what_is_no_settings_file_is_refused_with_its_name(data: bytes, words: str) -> None:
    make_draft()
    before = document()
    with pytest.raises(SettingsError, match=words):
        imports.preview([source(data)], DEFAULT)
    assert document() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"models": None}, "models"),
        ({"models": {"m": None}}, "models.m"),
        ({"models": {"m": {"userRoles": "a"}}}, "models.m.userRoles"),
        ({"models": {"m": {"endpont": "x"}}}, "models.m.endpont"),
        ({"roles": {"r": {"limits": {"m": {"minute": "1,000"}}}}}, "roles.r.limits.m.minute"),
        ({"assistant": {"assistants": None}}, "assistant.assistants"),
        ({"keys": {"the-secret-key": {"role": "r"}}}, "keys[0]"),
    ],
)
def test_what_core_would_refuse_is_not_imported_and_the_place_is_named(wrong: dict[str, Any], place: str) -> None:
    preview = imports.preview([source(wrong)], DEFAULT)
    assert preview.parts is None
    assert any(finding.place.startswith(place) for finding in preview.refusals)
    assert "the-secret-key" not in str(preview.refusals)


@pytest.mark.django_db
def test_a_file_of_hundreds_of_megabytes_is_refused_unread() -> None:
    with pytest.raises(SettingsError, match="larger than"):
        imports.preview([imports.Source("huge.json", b"[" * (imports.MAX_BYTES + 1))], DEFAULT)


@pytest.mark.django_db
def test_a_role_without_limits_is_said_and_mended() -> None:
    preview = imports.preview([source({"roles": {"r": {"limits": None}, "s": {"limits": {}}}})], Version.parse("0.46"))
    assert len(preview.notices) == 1
    assert "roles.r" in preview.notices[0]


@pytest.mark.django_db
def test_the_command_imports_and_says_what_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(SETTINGS))
    call_command("import_settings", str(path), "--dry-run")
    assert "Nothing was changed" in capsys.readouterr().out
    assert not Deployment.objects.exists()
    call_command("import_settings", str(path))
    out = capsys.readouterr().out
    assert "+ model gpt-4o: restricted to analysts, engineers" in out
    assert not any(secret in out for secret in SECRETS)
    assert document() == SETTINGS
    assert Entry.objects.filter(act="draft.imported").count() == 1
    version = Draft.objects.get().version
    call_command("import_settings", str(path))
    assert "nothing was changed" in capsys.readouterr().out
    assert Draft.objects.get().version == version


@pytest.mark.django_db
def test_the_command_refuses_clearly(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_settings", str(path))
    path.write_text('{"models": {"m": {"endpont": 1}}}')
    with pytest.raises(CommandError, match=r"models\.m\.endpont"):
        call_command("import_settings", str(path))
    path.write_text("{")
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("import_settings", str(path))
