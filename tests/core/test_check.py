"""Each finding, on the smallest document that earns it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deployments.core.check import check
from deployments.core.findings import CODES, Finding
from deployments.core.mends import mended
from deployments.core.versions import CLASSIC, CURRENT, DEFAULT, Version

SECRET = "sk-very-secret"
OPEN: dict[str, Any] = {"endpoint": "x"}
KEY: dict[str, Any] = {"project": "billing", "roles": ["a"]}


def only_for(*roles: str) -> dict[str, Any]:
    return {"endpoint": "x", "userRoles": list(roles)}


def limited(**limits: Any) -> dict[str, Any]:
    return {"limits": limits}


CASES: list[tuple[str, str, Version, dict[str, Any], dict[str, Any] | None]] = [
    ("unknown-key", "models.m.color", DEFAULT, {"models": {"m": {"color": 1}}}, None),
    ("key-of-other-version", "roles.a.limits.m.week", CLASSIC, {"roles": {"a": limited(m={"week": 1})}}, None),
    ("value-refused", "models.m.userRoles", DEFAULT, {"models": {"m": {"userRoles": "a"}}}, None),
    ("value-refused", "roles.a.limits.m.minute", DEFAULT, {"roles": {"a": limited(m={"minute": "1e3"})}}, None),
    ("value-invalid", "routes.r.order", CURRENT, {"routes": {"r": {"order": -1}}}, None),
    ("pattern-refused", "routes.r.paths[0]", CLASSIC, {"routes": {"r": {"paths": ["/v1/{id}"]}}}, None),
    ("price-refused", "models.m.pricing.prompt", DEFAULT, {"models": {"m": {"pricing": {"prompt": 0.5}}}}, None),
    ("schema-refused", "applicationTypeSchemas[0]", DEFAULT, {"applicationTypeSchemas": [{}]}, None),
    ("null-section", "models", DEFAULT, {"models": None}, None),
    ("null-section", "assistant.assistants", DEFAULT, {"assistant": {"assistants": None}}, None),
    ("null-entry", "roles.a", DEFAULT, {"roles": {"a": None}}, None),
    ("null-entry", "keys[0]", DEFAULT, {"keys": {SECRET: None}}, None),
    ("null-upstreams", "models.m.upstreams", DEFAULT, {"models": {"m": {"upstreams": None}}}, None),
    ("null-upstreams", "routes.r.upstreams", CLASSIC, {"routes": {"r": {"upstreams": None}}}, None),
    ("null-upstreams", "routes.r.upstreams", CURRENT, {"routes": {"r": {"upstreams": None}}}, None),
    ("null-upstreams", "models.m.upstreams[0]", DEFAULT, {"models": {"m": {"upstreams": [None]}}}, None),
    ("reserved-name", 'roles["roles/platform/x"]', CURRENT, {"roles": {"roles/platform/x": {}}}, None),
    ("duplicate-name", "applications.m", CURRENT, {"models": {"m": OPEN}, "applications": {"m": OPEN}}, None),
    ("key-without-project", "keys[0]", DEFAULT, {"keys": {SECRET: {"role": "a"}}}, None),
    ("key-without-role", "keys[0]", CURRENT, {"keys": {SECRET: {"project": "p", "role": " "}}}, None),
    ("role-without-limits", "roles.a", DEFAULT, {"roles": {"a": {}}}, None),
    ("null-cost-limit", "roles.a.costLimit.day", CURRENT, {"roles": {"a": {"costLimit": {"day": None}}}}, None),
    ("null-retriable-codes", "retriableErrorCodes", DEFAULT, {"retriableErrorCodes": None}, None),
    ("open-deployment", "models.m", DEFAULT, {"models": {"m": OPEN}}, None),
    ("closed-deployment", "models.m", DEFAULT, {"models": {"m": only_for()}}, None),
    ("null-user-roles", "models.m.user_roles", DEFAULT, {"models": {"m": {"user_roles": None}}}, None),
    ("base-assistant", "assistant.endpoint", DEFAULT, {"assistant": {"endpoint": "x"}}, None),
    ("role-spelling", "models.m", DEFAULT, {"models": {"m": only_for("Analysts")}}, {"analysts": 12}),
    ("role-spelling", "models.n", DEFAULT, {"models": {"m": only_for("a"), "n": only_for("A ")}}, None),
    ("role-unbacked", "models.m", DEFAULT, {"models": {"m": only_for("analists")}}, {"analysts": 12}),
    ("default-role", "models.m", DEFAULT, {"models": {"m": only_for("default")}}, None),
    ("default-role", "roles.default", DEFAULT, {}, {"default": 1}),
    ("admin-group", "", DEFAULT, {}, {"SysADMIN-readers": 3}),
    ("shadowed-name", "models.m", DEFAULT, {"models": {"m": OPEN}, "applications": {"m": OPEN}}, None),
    ("name-dropped", 'roles["team/a"]', CURRENT, {"roles": {"team/a": limited()}}, None),
    ("name-dropped", 'toolsets["a b"]', CURRENT, {"toolsets": {"a b": OPEN}}, None),
    ("section-ignored", "addons", CURRENT, {"addons": {"a": OPEN}}, None),
    ("section-ignored", "toolsets", CLASSIC, {"toolsets": {"a": OPEN}}, None),
    (
        "two-spellings",
        "models.m.userRoles",
        DEFAULT,
        {"models": {"m": {"userRoles": ["a"], "user_roles": ["b"]}}},
        None,
    ),
    ("inner-key", "keys[0].key", DEFAULT, {"keys": {SECRET: {**KEY, "key": "other"}}}, None),
    (
        "null-limit",
        "roles.a.limits.m.day",
        DEFAULT,
        {"models": {"m": OPEN}, "roles": {"a": limited(m={"day": None})}},
        None,
    ),
    (
        "null-limit",
        "roles.a.limits.m.day",
        DEFAULT,
        {"models": {"m": OPEN}, "roles": {"a": limited(m={"day": 0.5})}},
        None,
    ),
    (
        "zero-lifted",
        "roles.a.limits.m",
        DEFAULT,
        {"models": {"m": OPEN}, "roles": {"a": limited(m={"day": 0}), "b": limited(m={"day": 5})}},
        None,
    ),
    (
        "zero-lifted",
        "roles.b.limits.m",
        DEFAULT,
        {
            "models": {"m": OPEN},
            "roles": {"a": limited(m={"day": 0, "minute": 1}), "b": limited(m={"day": 5, "minute": 0})},
        },
        {"a": frozenset({"1", "2"}), "b": frozenset({"2", "3"})},
    ),
    (
        "empty-limit",
        "roles.a.limits.m",
        DEFAULT,
        {"models": {"m": OPEN}, "roles": {"a": limited(m={}), "default": limited(m={"day": 5})}},
        None,
    ),
    (
        "limit-unknown-deployment",
        "roles.a.limits.GPT-4o",
        DEFAULT,
        {"models": {"gpt-4o": OPEN}, "roles": {"a": limited(**{"GPT-4o": {"day": 1}})}},
        None,
    ),
    (
        "limit-not-enforced",
        "roles.a.limits.m",
        DEFAULT,
        {"applications": {"m": OPEN}, "roles": {"a": limited(m={"day": 1})}},
        None,
    ),
    (
        "limit-not-enforced",
        "roles.a.limits.m",
        CURRENT,
        {"applications": {"m": OPEN}, "roles": {"a": limited(m={"day": 1})}},
        None,
    ),
    (
        "no-limit",
        "models.m",
        DEFAULT,
        {"models": {"m": only_for("a", "b")}, "roles": {"a": limited(m={"day": 1}), "b": limited()}},
        {"a": 1, "b": 12},
    ),
    ("name-with-slash", 'models["a/b"]', DEFAULT, {"models": {"a/b": OPEN}}, None),
    ("shared-name", "routes.m", DEFAULT, {"models": {"m": OPEN}, "routes": {"m": {}}}, None),
    ("reserved-id", "models.interceptor", DEFAULT, {"models": {"interceptor": OPEN}}, None),
    ("unknown-reference", "models.m.interceptors[0]", DEFAULT, {"models": {"m": {"interceptors": ["gone"]}}}, None),
    ("key-role-is-group", "keys", DEFAULT, {"keys": {SECRET: KEY}}, {"a": 1}),
    ("large-for-secrets-manager", "", DEFAULT, {"models": {"m": {"description": "x" * 65536}}}, None),
    ("large-for-helm", "", DEFAULT, {"models": {"m": {"description": "x" * 131072}}}, None),
    ("large-for-kubernetes", "", DEFAULT, {"models": {"m": {"description": "x" * 1048576}}}, None),
    ("helm-template", "models.m.description", DEFAULT, {"models": {"m": {"description": "say {{x}}"}}}, None),
]


@pytest.mark.parametrize(("code", "place", "version", "document", "people"), CASES)
def test_finding(code: str, place: str, version: Version, document: dict[str, Any], people: Any) -> None:
    findings = check(document, version, people=people)
    found = [finding for finding in findings if finding.code == code]
    assert place in [finding.place for finding in found]
    for finding in found:
        assert finding.severity == CODES[code]
        assert all(text.endswith((".", ")")) for text in (finding.message, finding.consequence, finding.mend))


def test_every_code_is_tested() -> None:
    assert {code for code, *_ in CASES} == set(CODES)


@pytest.mark.parametrize(("code", "place", "version", "document", "people"), CASES)
def test_a_mend_mends(code: str, place: str, version: Version, document: dict[str, Any], people: Any) -> None:
    for finding in check(document, version, people=people):
        if finding.operation is not None:
            after = check(mended(document, finding.operation), version, people=people)
            assert (finding.code, finding.path) not in [(other.code, other.path) for other in after]


def test_no_finding_names_a_secret() -> None:
    secret = {"key": SECRET, "extraData": {"x": SECRET}}
    document = {
        "models": {"m": {"upstreams": SECRET}, "n": {"upstreams": [secret, {"key": {"a": SECRET}}], "colour": 1}},
        "addons": {"a": {"token": [SECRET]}},
        "keys": {
            SECRET: {"role": 1, "roles": {"a": SECRET}, "wrong": SECRET},
            SECRET + "{{": None,
            SECRET + "2": SECRET,
        },
        "routes": {"r": {"upstreams": [{"key": [SECRET]}]}},
    }
    for broken in (
        document,
        {"keys": document["keys"]},
        {"keys": {SECRET: {"role": "r"}}},
        {"keys": {SECRET + "{{": KEY}},
    ):
        for version in (CLASSIC, DEFAULT, CURRENT):
            findings = check(broken, version)
            assert findings
            said = json.dumps([finding.as_dict() for finding in findings])
            assert SECRET not in said
            assert SECRET not in repr(findings)


def test_people_are_counted() -> None:
    document = {"models": {"m": OPEN}, "roles": {"a": limited(m={"day": 0}), "b": limited(m={"day": 5})}}
    people = {"a": frozenset({"1", "2"}), "b": frozenset({"2", "3"})}
    lifted = [finding for finding in check(document, DEFAULT, people=people) if finding.code == "zero-lifted"]
    assert lifted[0].consequence.startswith("1 of 2 people of a also hold b")
    apart = {"a": frozenset({"1"}), "b": frozenset({"3"})}
    assert [f for f in check(document, DEFAULT, people=apart) if f.code == "zero-lifted"] == []


@pytest.mark.parametrize(
    ("members", "said"),
    [(12, "12 people of a have no limit"), (1, "1 person of a has no limit"), (None, "The holders of a have no limit")],
)
def test_the_holders_of_a_role_are_said_in_good_english(members: int | None, said: str) -> None:
    document = {"models": {"m": OPEN}, "roles": {"a": limited(m={}), "default": limited(m={"day": 5})}}
    people = None if members is None else {"a": members}
    found = [f for f in check(document, DEFAULT, people=people) if f.code == "empty-limit"]
    assert found[0].consequence.startswith(said)


def test_a_name_with_other_digits_is_not_taken_for_a_slip() -> None:
    document = {"models": {"gpt-4-turbo": OPEN}, "roles": {"a": limited(**{"gpt-35-turbo": {"day": 1}})}}
    (found,) = [f for f in check(document, DEFAULT) if f.code == "limit-unknown-deployment"]
    assert found.mend == "Take the limits out."
    document["roles"]["a"] = limited(**{"gpt-4-turbi": {"day": 1}})
    (found,) = [f for f in check(document, DEFAULT) if f.code == "limit-unknown-deployment"]
    assert found.mend == 'Write "gpt-4-turbo".'


def test_a_backed_role_is_fine() -> None:
    document = {"models": {"m": only_for("a", "b")}, "keys": {SECRET: {"project": "p", "role": "b"}}}
    assert [f for f in check(document, DEFAULT, people={"a": 1}) if f.code.startswith("role-")] == []


def test_all_refusals_are_reported_and_errors_come_first() -> None:
    document = {
        "models": {"m": {"a1": 1, "b1": 1, "userRoles": {}}},
        "roles": {"r": {"limits": []}},
        "addons": {"{{": {}},
    }
    findings: list[Finding] = check(document, DEFAULT)
    errors = [finding.place for finding in findings if finding.severity == "error"]
    assert errors == ["models.m.a1", "models.m.b1", "models.m.userRoles", "roles.r.limits"]
    assert [finding.severity for finding in findings[:4]] == ["error"] * 4


def test_suggestions_name_what_is_meant() -> None:
    document = {"models": {"m": {"displaName": "x", "tokenizer_model": "y"}}}
    by_place = {finding.place: finding for finding in check(document, DEFAULT)}
    assert by_place["models.m.displaName"].mend.startswith('Write "displayName"')
    assert by_place["models.m.displaName"].operation is None  # only a guess
    assert by_place["models.m.tokenizer_model"].operation == (
        "rename",
        ("models", "m", "tokenizer_model"),
        "tokenizerModel",
    )


def test_what_vanishes_is_named_with_its_access() -> None:
    document = {
        "addons": {"search": only_for("a", "b"), "news": OPEN, "off": only_for(), "odd": 5},
        "assistant": {"endpoint": "x", "assistants": {"helper": only_for("a")}},
    }
    said = {finding.place: finding.consequence for finding in check(document, CURRENT)}
    assert said["addons"].startswith(
        "4 deployments vanish without a word, and the access to them: search (for a and b); "
    )
    assert "news (open to everyone); off (closed); odd" in said["addons"]
    assert "assistant (open to everyone); helper (for a)" in said["assistant"]
