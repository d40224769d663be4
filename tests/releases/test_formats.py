"""Each format is valid and carries the very bytes, away from the traps of the chart."""

from __future__ import annotations

import base64
import json
import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.core.render import render
from deployments.releases import formats, reading
from dialadmin.history.models import Entry
from tests.deployments.factories import SETTINGS, make_draft
from tests.releases.factories import make_release

NASTY = {
    "//": 'tpl {{ .Values.x }} # no comment, "quotes", \\ backslash, trailing space ',
    "models": {"grün 😀 \x7f \x85 \u2028 \ufeff": {"type": "chat"}},
}
DATA = {"settings": render(SETTINGS).encode(), "nasty": render(NASTY).encode(), "small": b"{}\n"}


def carried(name: str, text: str) -> bytes:
    """The settings inside a text of a format."""
    if name == "json":
        return text.encode()
    document = yaml.safe_load(text)
    if name == "helm-values":
        (document,) = document["extraDeploy"]
    value: str = document["data"][formats.FILE]
    return value.encode() if document["kind"] == "ConfigMap" else base64.b64decode(value, validate=True)


@pytest.mark.parametrize("name", formats.FORMATS)
@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_every_format_carries_the_very_bytes(name: str, data: bytes) -> None:
    assert carried(name, formats.FORMATS[name](data, "release 1")) == data


@settings(max_examples=40)
@given(st.text().map(lambda text: render({"//": text})) | st.text())
def test_a_configmap_carries_any_text(text: str) -> None:
    assert carried("kubernetes-configmap", formats.as_configmap(text.encode(errors="replace"), "x")) == text.encode(
        errors="replace"
    )


def test_a_configmap_of_ordinary_settings_can_be_read_and_compared_line_by_line() -> None:
    assert '    "models": {' in formats.as_configmap(DATA["settings"], "release 1").replace("      ", "    ")


def test_helm_values_avoid_the_traps() -> None:
    text = formats.as_helm_values(DATA["nasty"], "release 1")
    values: dict[str, Any] = yaml.safe_load(text)
    assert values.keys() == {"env", "extraVolumes", "extraVolumeMounts", "extraDeploy"}
    (mount,) = values["extraVolumeMounts"]
    (volume,) = values["extraVolumes"]
    assert "subPath" not in mount
    assert mount["name"] == volume["name"]
    assert volume["secret"]["secretName"] == values["extraDeploy"][0]["metadata"]["name"]
    assert json.loads(values["env"]["aidial.config.files"]) == [f"{mount['mountPath']}/{formats.FILE}"]
    assert not any("{{" in line for line in text.splitlines() if not line.startswith("#"))
    for reason in ("tpl", "envFrom", "subPath"):
        assert reason in text


@pytest.mark.parametrize("name", [name for name in formats.FORMATS if name != "json"])
def test_what_kubernetes_would_refuse_is_refused_with_the_reason(name: str) -> None:
    formats.FORMATS[name](b"x" * formats.LIMIT, "release 1")
    with pytest.raises(formats.TooLargeError, match="1,048,577 bytes, and Kubernetes takes at most 1,048,576 in a"):
        formats.FORMATS[name](b"x" * (formats.LIMIT + 1), "release 1")


# --- The command -----------------------------------------------------------------------------------


def export(*arguments: str) -> str:
    out = StringIO()
    call_command("export_settings", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize("name", formats.FORMATS)
def test_the_command_writes_draft_and_release_in_every_format(name: str, tmp_path: Path) -> None:
    make_draft()
    data = reading.data(make_release())
    path = tmp_path / "out"
    for source in ((), ("--release", "1")):
        assert carried(name, export(*source, "--format", name)) == data
        said = export(*source, "--format", name, "--output", str(path))
        assert carried(name, path.read_text()) == data
        assert str(path) in said
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
    assert Entry.objects.filter(act__in=("draft.exported", "release.downloaded")).count() == 4


@pytest.mark.django_db
def test_the_command_says_why_a_file_cannot_be_written(tmp_path: Path) -> None:
    make_draft()
    with pytest.raises(CommandError, match=r"gone/x cannot be written: .* Make the folder, or mount it\."):
        export("--output", str(tmp_path / "gone" / "x"))
    assert not Entry.objects.filter(act="draft.exported").exists()


@pytest.mark.django_db
def test_the_command_refuses_what_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    make_draft()
    monkeypatch.setattr(formats, "LIMIT", 10)
    with pytest.raises(CommandError, match="takes at most 10 in a Secret"):
        export("--format", "kubernetes-secret")
