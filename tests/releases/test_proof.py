"""What targets hold and what Core runs is told as it is, and without a secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from deployments.actions import attach_role, detach_role, set_access, set_limit
from deployments.core.load import load
from deployments.core.render import render
from deployments.core.versions import DEFAULT, Version
from deployments.releases import comparison, proof, publishing, reading, targets
from deployments.releases.models import Proof, Publication, Release
from deployments.releases.targets.file import FileTarget
from dialadmin.environment import TargetUrl
from dialadmin.history.models import Entry
from tests.deployments.factories import SECRETS, SETTINGS, TESTER, deployment, make_draft
from tests.releases.core_server import ADMIN, StandIn, running
from tests.releases.factories import make_release

State = Proof.State
KEY = "api-key-secret"


def changed(**sections: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(SETTINGS)), **sections}


def lines(found: Any) -> list[str]:
    return comparison.of_bytes(render(SETTINGS).encode(), found if isinstance(found, bytes) else render(found).encode())


# --- Bytes -----------------------------------------------------------------------------------------


def test_the_same_bytes_do_not_differ() -> None:
    assert lines(SETTINGS) == []


def test_each_difference_is_told_by_its_place() -> None:
    found = changed()
    found["models"]["gpt-4o"]["userRoles"] = ["analysts"]
    del found["models"]["gpt-4o-mini"]
    found["models"]["new one"] = {"type": "chat"}
    found["roles"]["default"]["limits"]["gpt-4o"]["minute"] = 9
    assert lines(found) == [
        'models.gpt-4o.userRoles: is ["analysts"], released was ["analysts", "engineers"].',
        "models.gpt-4o-mini: was released, and is not there.",
        'models["new one"]: is there, and was not released.',
        "roles.default.limits.gpt-4o.minute: is 9, released was 1000.",
    ]


def test_another_secret_is_a_difference_that_does_not_show_it() -> None:
    found = changed()
    found["models"]["gpt-4o"]["upstreams"][0]["key"] = "stolen"
    found["addons"]["calendar"]["token"] = "stolen"
    found["keys"] = {"stolen": found["keys"][KEY]}
    said = lines(found)
    assert len(said) == 4
    assert not any(secret in " ".join(said) for secret in (*SECRETS, "stolen"))
    assert said[0] == "models.gpt-4o.upstreams[0].key: the secret is another one."


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (b"not json, api-key-secret", "It is no settings file."),
        (b"", "The file is empty"),
        (json.dumps(SETTINGS).encode(), "The settings are the same, written with other spaces and line breaks."),
        (render(dict(reversed(SETTINGS.items()))).encode(), "The settings are the same, in another order."),
        (b'{"keys": "api-key-secret", "models": 5}', 'models: is "••••", released was {"gpt-4o": '),
    ],
)
def test_whatever_is_there_is_told(found: bytes, said: str) -> None:
    text = " ".join(lines(found))
    assert said in text
    assert not any(secret in text for secret in SECRETS)


def test_there_is_an_end_to_the_lines() -> None:
    many = lines(changed(models={f"m{number}": {} for number in range(500)}))
    assert len(many) == comparison.SHOWN + 1
    assert many[-1] == "… and 453 more."


# --- Targets ---------------------------------------------------------------------------------------


@pytest.fixture
def target(db: None, tmp_path: Path, settings: Any) -> FileTarget:
    make_draft()
    settings.TARGETS = [TargetUrl("core", "file", str(tmp_path / "config.json"))]
    target = targets.configured()["core"]
    assert isinstance(target, FileTarget)
    return target


def publish(target: FileTarget) -> Release:
    release = make_release()
    publishing.publish(release=release, target=target, by=TESTER)
    return release


def drift() -> tuple[int, str]:
    """The exit code of `check_drift` and what it says."""
    out, code = StringIO(), 0
    try:
        call_command("check_drift", stdout=out)
    except SystemExit as stop:
        code = int(stop.code or 0)
    return code, out.getvalue()


def test_a_target_that_holds_what_was_published(target: FileTarget) -> None:
    publish(target)
    assert drift() == (0, "core: As published. It is release 1.\n")


def test_a_target_that_was_changed_by_hand(target: FileTarget) -> None:
    publish(target)
    target.path.write_text(target.path.read_text().replace('"engineers"', '"everybody"', 1))
    code, said = drift()
    assert code == 1
    assert said.splitlines() == [
        "core: Drifted. Release 1 was published, and it holds something else.",
        '  models.gpt-4o.userRoles[1]: is "everybody", released was "engineers".',
    ]


def test_a_target_that_was_put_back_to_an_earlier_release(target: FileTarget) -> None:
    publish(target)
    old = target.read()
    assert old is not None
    attach_role(deployment=deployment("gpt-4o"), role_name="legal", by=TESTER)
    publish(target)
    target.path.write_bytes(old)
    found = proof.check_target(target, by=TESTER)
    assert (found.state, found.number, found.expected) == (State.DRIFTED, 1, 2)
    target.path.unlink()
    assert drift() == (
        1,
        "core: Drifted. Release 2 was published, and it holds nothing.\n  Nothing is there any more.\n",
    )


def test_a_target_that_cannot_be_read(target: FileTarget) -> None:
    publish(target)
    target.path.unlink()
    target.path.mkdir()
    code, said = drift()
    assert code == 2
    assert said.startswith("core: Could not be read. ")
    assert "It is a folder" in said


def test_a_target_that_never_got_anything(target: FileTarget) -> None:
    assert drift() == (0, "core: Nothing to compare. Nothing was published to it from here yet. It holds nothing.\n")
    with pytest.raises(CommandError, match="no target prod"):
        call_command("check_drift", "--target", "prod")


def test_drift_goes_before_what_could_not_be_read(target: FileTarget, settings: Any, tmp_path: Path) -> None:
    publish(target)
    settings.TARGETS = [*settings.TARGETS, TargetUrl("spare", "file", str(tmp_path / "no" / "x.json"))]
    assert drift()[0] == 2
    target.path.write_text("{}")
    assert drift()[0] == 1


def test_nothing_to_check_is_no_success(db: None, settings: Any) -> None:
    settings.TARGETS = []
    with pytest.raises(CommandError, match="Set TARGETS or CORE_URL") as refused:
        call_command("check_drift")
    assert refused.value.returncode == 2


def test_a_publication_under_way_is_no_drift(target: FileTarget) -> None:
    publish(target)
    attach_role(deployment=deployment("gpt-4o"), role_name="legal", by=TESTER)
    release = make_release()
    Publication.objects.create(number=2, target="core", by="Ada", process="another machine")
    assert drift() == (0, "core: As published. It is release 1.\n")
    target.write(reading.data(release), release.digest)
    assert drift() == (0, "core: As published. It is release 2. It is being published right now.\n")


def test_history_hears_of_changes_and_not_of_every_look(target: FileTarget) -> None:
    publish(target)
    for _ in range(3):
        proof.check_target(target, by=TESTER)
    target.path.write_text("{}")
    for _ in range(3):
        proof.check_target(target, by=TESTER)
    notes = list(Entry.objects.filter(act="proof.changed").order_by("pk").values_list("note", flat=True))
    assert notes == ["as published.", "drifted. Release 1 was published, and it holds something else."]


# --- Core ------------------------------------------------------------------------------------------


@pytest.fixture
def core(target: FileTarget, settings: Any) -> Iterator[StandIn]:
    publish(target)
    with running(StandIn(target.path)) as core:
        settings.CORE_URL, settings.CORE_ADMIN_TOKEN, settings.CORE_PROBE_KEY = core.url, ADMIN, KEY
        yield core


def look() -> Proof:
    found = proof.check_core(by=TESTER)
    assert found is not None
    shown = json.dumps([found.detail, found.differences])
    assert not any(secret in shown for secret in (*SECRETS, ADMIN))
    return found


def test_core_runs_what_was_published(core: StandIn) -> None:
    found = look()
    assert (found.state, found.number, found.detail, found.differences) == (State.SAME, 1, "", [])
    assert core.calls[0] == "/v1/ops/config/reload"
    assert "/v1/user/info" in core.calls
    assert "/openai/models" in core.calls


def test_core_that_still_runs_the_release_before(core: StandIn, target: FileTarget) -> None:
    old = core.file.read_bytes()
    set_access(deployment=deployment("gpt-4o-mini"), access="closed", by=TESTER)
    publish(target)
    core.file = core.file.with_name("a copy that is late.json")
    core.file.write_bytes(old)
    found = look()
    assert (found.state, found.number, found.expected) == (State.DRIFTED, 1, 2)
    assert found.detail == "Core still runs release 1."
    assert found.differences == [
        "models.gpt-4o-mini: Core lets everyone in, and it was released closed.",
        "models.gpt-4o-mini: reporting sees it in Core, and this release does not let it in.",
    ]


def test_core_that_merges_another_file_that_widens(core: StandIn) -> None:
    document = json.loads(core.file.read_text())
    document["models"]["gpt-4o"]["userRoles"].append("reporters")
    document["models"]["theirs"] = {"type": "chat", "userRoles": ["x"]}
    document["roles"]["default"]["limits"]["gpt-4o"]["minute"] = 7
    document["roles"]["x"] = {"limits": {"theirs": {"day": 1}}}
    core.file = core.file.with_name("merged.json")
    core.file.write_text(json.dumps(document))
    found = look()
    assert (found.state, found.number) == (State.DRIFTED, None)
    assert found.differences == [
        "models.gpt-4o: Core also lets in reporters.",
        "roles.default.limits.gpt-4o.minute: is 7 in Core, released was 1,000.",
        "models.gpt-4o: reporting sees it in Core, and this release does not let it in.",
    ]
    assert "Core also serves 1 that this release does not have (theirs)." in found.detail
    assert "Core also has limits for x." in found.detail


def test_what_only_core_has_is_no_drift(core: StandIn) -> None:
    document = json.loads(core.file.read_text())
    document["models"]["theirs"] = {"type": "chat", "userRoles": ["x"]}
    core.file.write_text(json.dumps(document))
    assert look().state == State.SAME


def test_another_endpoint_is_told(core: StandIn) -> None:
    core.file = core.file.with_name("edited.json")
    core.file.write_text(json.dumps(SETTINGS).replace("http://adapter/gpt-4o", "http://elsewhere"))
    assert look().differences == [
        'models.gpt-4o.endpoint: is "http://elsewhere" in Core, released was "http://adapter/gpt-4o".'
    ]


def test_core_that_refuses_its_files_is_told_without_the_key_that_it_quotes(core: StandIn) -> None:
    core.file.write_text(core.file.read_text().replace('"project": "reporting"', '"project": null'))
    found = look()
    assert found.state == State.DRIFTED
    assert found.detail.startswith("Core refuses to load what it was given: Cannot deserialize")
    assert "keys[••••]" in found.detail


def test_what_core_quotes_of_other_files_is_taken_out(core: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    words = """Cannot read "their-secret" at Config["models"]->Model["gpt-4o"]->['upstreams'] of addon-secret"""
    monkeypatch.setattr(core, "reload", lambda: words)
    assert look().detail.endswith("""Cannot read "••••" at Config["models"]->Model["gpt-4o"]->['upstreams'] of ••••""")


def test_a_key_that_has_other_roles_in_core(core: StandIn) -> None:
    document = json.loads(core.file.read_text())
    document["keys"][KEY]["role"] = "engineers"
    core.file = core.file.with_name("other.json")
    core.file.write_text(json.dumps(document))
    found = look()
    assert found.state == State.DRIFTED
    assert found.differences[0] == "The API key of reporting has the roles engineers in Core, released were reporters."
    assert "models.gpt-4o: reporting sees it in Core, and this release does not let it in." in found.differences


def test_a_core_without_the_endpoint_is_judged_by_the_key(core: StandIn, settings: Any) -> None:
    core.reloadable = False
    found = look()
    assert found.state == State.SAME
    assert found.detail == "This Core has no reload endpoint, so that only the probe key can tell."
    settings.CORE_PROBE_KEY = ""
    assert look().state == State.UNKNOWN


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("CORE_ADMIN_TOKEN", "expired", "does not take CORE_ADMIN_TOKEN for an administrator's (403)"),
        ("CORE_PROBE_KEY", "unknown", "does not accept the API key of CORE_PROBE_KEY (401)"),
        ("CORE_URL", "http://127.0.0.1:9", "http://127.0.0.1:9 does not answer (ConnectionError). Check CORE_URL"),
    ],
)
def test_what_hinders_asking_is_told(core: StandIn, settings: Any, name: str, value: str, said: str) -> None:
    setattr(settings, name, value)
    found = look()
    assert found.state == State.UNREACHABLE
    assert said in found.detail
    assert drift()[0] == 2


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"roles": 5}'])
def test_something_else_at_the_address_is_told(
    core: StandIn, settings: Any, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    settings.CORE_ADMIN_TOKEN = ""
    monkeypatch.setattr("requests.Response.content", answer)
    assert look().state == State.UNREACHABLE


def test_without_core_there_is_no_proof_of_it(target: FileTarget, settings: Any) -> None:
    assert proof.check_core(by=TESTER) is None
    settings.CORE_URL = "http://127.0.0.1:9"  # nothing to ask it with
    assert proof.check_core(by=TESTER) is None
    settings.CORE_PROBE_KEY = KEY
    assert look().detail == "Nothing was published yet that Core could run."


def test_publishing_from_the_command_line_proves_it_too(core: StandIn) -> None:
    set_limit(role_name="analysts", deployment_name="gpt-4o", limit={"minute": 5}, by=TESTER)
    detach_role(deployment=deployment("search"), role_name="engineers", by=TESTER)
    make_release()
    out = StringIO()
    call_command("publish_release", "2", stdout=out)
    assert out.getvalue().splitlines()[1] == "Core: As published. It is release 2."
    assert core.document["roles"]["analysts"]["limits"]["gpt-4o"]["minute"] == 5


@pytest.mark.parametrize("version", [Version(0, 18), DEFAULT, Version(0, 46)])
def test_every_version_compares_equal_with_itself(tmp_path: Path, version: Version) -> None:
    document = {key: value for key, value in SETTINGS.items() if key not in ("addons", "assistant")}
    if version < Version(0, 38):
        document = SETTINGS
    (tmp_path / "c.json").write_text(json.dumps(document))
    answer = comparison.with_core(document, StandIn(tmp_path / "c.json", version).configuration(), version)
    assert answer == comparison.Answer(())
    loaded = load(document, version).settings
    assert loaded is not None


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {"models": {"a": {"userRoles": "x"}}},
        {"roles": {"a": {"limits": True}}},
        {"roles": {"a": {"limits": {"b": 1}}}},
    ],
)
def test_an_answer_that_is_none_is_a_difference(answer: Any) -> None:
    assert "has another form" in comparison.with_core(SETTINGS, answer, DEFAULT).differences[0]


# --- Standing --------------------------------------------------------------------------------------


def test_standing_takes_a_bounded_number_of_queries(
    target: FileTarget, settings: Any, tmp_path: Path, django_assert_num_queries: Any
) -> None:
    release = publish(target)
    settings.TARGETS = [*settings.TARGETS, *(TargetUrl(f"t{n}", "file", str(tmp_path / f"{n}.json")) for n in range(9))]
    for other in list(targets.configured().values())[1:6]:
        publishing.publish(release=release, target=other, by=TESTER)
        proof.check_target(other, by=TESTER)
    with django_assert_num_queries(3):
        found = proof.standing()
    assert found.released == 1
    assert [place.state for place in found.places].count(State.SAME) == 5
    assert found.places[0].last is not None
    assert reading.data(release) == target.read()
