"""Why and why not: the verdict is Core's in every row of its own answers, and each change does what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deployments.access.index import REACHES, Index, Population
from deployments.access.why import Explanation, explain
from deployments.core.evaluate import load_files
from deployments.core.load import Settings, load
from deployments.core.versions import CLASSIC, CURRENT, Version
from tests.core.test_vectors import as_documents, names, read


def served(vector: dict[str, Any]) -> Settings | None:
    documents = as_documents(vector["files"])
    overwrite = bool(vector.get("options", {}).get("overwriteArrays"))
    if documents is None:
        return None
    return load_files(documents, version=Version.parse(vector["generation"]), overwrite_arrays=overwrite).settings


def as_row(answer: Explanation) -> dict[str, Any]:
    """The answer in the words of Core's rows."""
    row: dict[str, Any] = {
        "deployment": answer.deployment.name,
        "section": answer.deployment.section,
        "access": answer.listed,
        "limit_enforced": answer.enforced,
        "denied_by_limit": False,
    }
    if answer.limit is not None and answer.limit.failing:
        row |= {"denied_by_limit": None, "limit_error": "NullPointerException"}
    elif answer.limit is not None:
        row |= {"denied_by_limit": answer.limit.denied, "limit": answer.limit.as_dict()}
    if answer.deployment.shadowed_by is not None:
        row["shadowed"] = True
    return row


def state_of(row: dict[str, Any]) -> str:
    """The verdict, from Core's row alone."""
    if row.get("shadowed"):
        return "shadowed"
    if not row["access"]:
        return "unlisted"
    if not row["limit_enforced"] or ("limit" not in row and "limit_error" not in row):
        return "unlimited"
    if row["denied_by_limit"] is None:
        return "failed"
    return "denied" if row["denied_by_limit"] else "limited" if row["limit"] else "unlimited"


def assert_agrees(vector: dict[str, Any], most: int = 10**9) -> None:
    settings = served(vector)
    assert (settings is not None) == vector["expected"]["loaded"]
    if settings is None:
        return
    held = {
        person["id"]: frozenset(settings.keys[person["key"]].roles if "key" in person else person["roles"])
        for person in vector["principals"]
        if "key" not in person or person["key"] in settings.keys
    }
    deployments = {(item.section, item.name): item for item in settings.deployments}
    rows = [row for row in vector["expected"]["results"] if "error" not in row]
    for row in rows[:: max(1, len(rows) // most)]:
        answer = explain(settings, deployments[row["section"], row["deployment"]], held[row["principal"]])
        assert {"principal": row["principal"], **as_row(answer)} == row
        assert answer.state == state_of(row)
        assert answer.verdict
        assert answer.steps[0].title == "The name"
        assert all((change.state in REACHES) != answer.reaches for change in answer.changes)


@pytest.mark.parametrize("name", list(names("cases")))
def test_the_verdict_is_cores(name: str) -> None:
    assert_agrees(read(name))


@pytest.mark.parametrize("name", list(names("big")))
def test_the_verdict_is_cores_in_a_large_organisation(name: str) -> None:
    assert_agrees(read(name), most=1500)


DOCUMENT: dict[str, Any] = {
    "models": {
        "m": {"userRoles": ["analysts", "Engineers", "poor"]},
        "open": {},
        "closed": {"userRoles": []},
        "shared": {"userRoles": ["a", "b"]},
    },
    "applications": {"app": {"userRoles": ["analysts"]}},
    "addons": {"calendar": {"userRoles": ["analysts"]}},
    "assistant": {"endpoint": "http://a", "assistants": {"helper": {}}},
    "roles": {
        "default": {"limits": {"m": {"minute": 10}, "open": {"day": 0}}},
        "analysts": {"limits": {"m": {"minute": 1000, "day": 5}, "app": {"minute": 0}}},
        "poor": {"limits": {"m": {"minute": 0, "day": 50}}},
        "elsewhere": {"limits": {"m": {}}},
    },
}


def why(name: str, *roles: str, version: Version = CLASSIC, document: dict[str, Any] = DOCUMENT) -> Explanation:
    settings = load(document, version).settings
    assert settings is not None
    deployment = Index(settings, Population()).find(name)
    assert deployment is not None
    return explain(settings, deployment, frozenset(roles))


def changes(answer: Explanation) -> list[tuple[str, str, str]]:
    return [(change.kind, change.role, change.state) for change in answer.changes]


def texts(answer: Explanation) -> str:
    return "\n".join(f"{step.title}: {step.text} {'; '.join(step.items)}" for step in answer.steps)


def test_a_listed_role_with_its_limit() -> None:
    answer = why("m", "analysts")
    assert answer.verdict == "They reach m, with limits."
    assert answer.via == ("analysts",)
    assert "analysts: 1,000 tokens per minute, 5 tokens per day" in texts(answer)
    assert changes(answer) == [
        ("leave", "analysts", "unlisted"), ("detach", "analysts", "unlisted"), ("close", "", "unlisted"),
    ]  # fmt: skip


def test_several_roles_take_the_largest_per_window_and_lift_each_others_zeros() -> None:
    answer = why("m", "analysts", "poor")
    assert answer.state == "limited"
    assert "tokens per minute: 1,000 from analysts; tokens per day: 50 from poor" in texts(answer)
    # Without analysts the zero of the other denies; without poor they still get in.
    assert changes(answer) == [
        ("leave", "analysts", "denied"), ("detach", "analysts", "denied"), ("close", "", "unlisted"),
    ]  # fmt: skip


def test_default_is_a_fallback_for_roles_without_an_entry() -> None:
    answer = why("m", "Engineers")
    assert answer.limit is not None
    assert answer.limit.as_dict() == {"minute": 10}
    assert "so that of default applies: 10 tokens per minute" in texts(answer)


def test_a_role_that_is_not_listed_raises_no_limit() -> None:
    answer = why("m", "analysts", "elsewhere")
    assert "Core passes over them: elsewhere" in texts(answer)
    assert answer.state == "limited"


def test_who_is_not_listed_learns_which_groups_admit_and_with_which_limit() -> None:
    answer = why("m", "nobody")
    assert answer.state == "unlisted"
    assert changes(answer) == [
        ("join", "Engineers", "limited"),
        ("join", "analysts", "limited"),  # not poor: its 0 would deny them
        ("attach", "nobody", "limited"),
        ("open", "", "limited"),
    ]
    assert [change.limit for change in answer.changes][:2] == [
        "10 tokens per minute", "1,000 tokens per minute, 5 tokens per day",
    ]  # fmt: skip


def test_a_name_that_only_looks_alike_is_pointed_out() -> None:
    assert "engineers is not Engineers" in texts(why("m", "engineers"))
    assert "analysts  is not analysts" in texts(why("m", "analysts "))


def test_a_closed_deployment_is_not_reached_by_joining_anything() -> None:
    assert changes(why("closed", "a")) == [("attach", "a", "unlimited"), ("open", "", "unlimited")]


def test_a_zero_denies_and_says_whose_limit_to_raise() -> None:
    answer = why("m", "poor")
    assert answer.verdict == "They are let in to m, but a limit of 0 or less denies every call (403)."
    assert changes(answer) == [("join", "analysts", "limited"), ("raise", "poor", "limited")]


def test_a_zero_of_default_denies_who_has_no_entry_of_their_own() -> None:
    answer = why("open", "a")
    assert answer.state == "denied"
    assert changes(answer) == [("raise", "default", "unlimited")]


def test_no_single_group_takes_away_what_two_give() -> None:
    assert changes(why("shared", "a", "b")) == [("close", "", "unlisted")]


def test_limits_that_the_version_does_not_enforce_do_not_count() -> None:
    answer = why("app", "analysts")
    assert answer.state == "unlimited"
    assert "Core 0.18 applies no limits to applications" in texts(answer)
    document = {key: DOCUMENT[key] for key in ("models", "applications", "roles")}
    assert why("app", "analysts", version=CURRENT, document=document).state == "denied"


def test_the_base_assistant_cannot_be_restricted() -> None:
    answer = why("assistant")
    assert answer.reaches
    assert "Nothing can restrict it" in texts(answer)
    assert answer.changes == ()


def test_a_shadowed_deployment_is_never_called() -> None:
    document: dict[str, Any] = {"models": {"x": {}}, "applications": {"x": {"userRoles": ["a"]}}}
    settings = load(document, CLASSIC).settings
    assert settings is not None
    model = Index(settings, Population()).find("x", "models")
    assert model is not None
    answer = explain(settings, model, frozenset())
    assert answer.verdict == "They do not reach this model: calls to x go to another deployment."
    assert why("x", document=document).deployment.section == "applications"


def test_a_role_without_limits_fails_its_holders_and_is_named() -> None:
    document: dict[str, Any] = {"models": {"m": {}}, "roles": {"bad": {}, "default": {"limits": {}}}}
    answer = why("m", "bad", document=document)
    assert answer.state == "failed"
    assert changes(answer) == [("leave", "bad", "unlimited"), ("mend", "bad", "unlimited")]
    assert why("m", "bad", version=CURRENT, document=document).state == "unlimited"


def test_each_change_does_what_it_says() -> None:
    """Carried out on the document, the change leads to the state that it promises."""
    answer = why("m", "poor")
    raised = next(change for change in answer.changes if change.kind == "raise")
    settings = load(DOCUMENT, CLASSIC).settings
    assert settings is not None
    limits = {**settings.limits, "poor": {"m": (1, 50, *settings.limits["poor"]["m"][2:])}}
    assert explain(replace(settings, limits=limits), answer.deployment, frozenset({"poor"})).state == raised.state
