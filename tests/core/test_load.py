"""Rules of loading that the vectors do not show, each with its place in core-semantics."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.core.coerce import java_double
from deployments.core.load import ASSISTANT, UNLIMITED, Key, load, read_limit
from deployments.core.merge import merge
from deployments.core.patterns import is_java_pattern
from deployments.core.text import Real, parse
from deployments.core.versions import (
    CLASSIC,
    CURRENT,
    OBJECTS,
    SECTIONS,
    SUPPORTED,
    Version,
    as_field,
    sections,
    shape,
)


def accepts(document: dict[str, Any], version: Version) -> bool:
    return load(document, version).settings is not None


def limit_of(value: Any) -> int | None:
    """What Core makes of one value of a limit; None where it refuses."""
    settings = load({"roles": {"a": {"limits": {"m": {"minute": value}}}}}, CLASSIC).settings
    return None if settings is None else settings.limits["a"]["m"][0]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (100, 100),
        ("100", 100),
        (" 200 ", 200),
        ("+5", 5),
        ("007", 7),
        ("-3", -3),
        ("٣", 3),
        (Real("1e3"), 1000),
        (Real("1.9"), 1),
        (Real("-0.5"), 0),
        (Real("-0"), 0),
        (None, 0),
        ("", 0),
        (" ", 0),
        ("null", 0),
        (" null\t", 0),
        (2**63 - 1, UNLIMITED),
        (-(2**63), -(2**63)),
        (2**63, None),
        (Real("1e30"), None),
        (Real("1e400"), None),
        ("9223372036854775808", None),
        ("9" * 5000, None),
        ("10.0", None),
        ("1e3", None),
        ("1,000", None),
        ("1_000", None),
        ("0x10", None),
        ("+", None),
        ("--1", None),
        ("\u00a05", None),  # a space to Python, none to Java
        (True, None),
        ([5], None),
        ({}, None),
    ],
)
def test_values_of_limits(value: Any, number: int | None) -> None:
    assert limit_of(value) == number


def test_an_absent_window_is_unlimited() -> None:
    assert set(read_limit({})) == {UNLIMITED}


@pytest.mark.parametrize(
    ("value", "kept"),
    [(1, {"1"}), (True, {"true"}), (None, set()), (Real("2.50"), {"2.5"}), (Real("1e3"), {"1000.0"})],
)
def test_elements_of_user_roles_become_texts(value: Any, kept: set[str]) -> None:
    settings = load({"models": {"m": {"userRoles": [value]}}}, CURRENT).settings
    assert settings is not None
    assert settings.deployments[0].user_roles == frozenset(kept)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1e7, "1.0E7"),
        (9999999.0, "9999999.0"),
        (0.001, "0.001"),
        (0.0001, "1.0E-4"),
        (-1.5, "-1.5"),
        (1e21, "1.0E21"),
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (float("inf"), "Infinity"),
        (12345678.9, "1.23456789E7"),
        (100.0, "100.0"),
    ],
)
def test_numbers_as_java_writes_them(number: float, text: str) -> None:
    assert java_double(number) == text


@pytest.mark.parametrize(
    ("field", "value", "fits"),
    [
        ("forwardAuthToken", "TRUE", True),
        ("forwardAuthToken", "tRUE", False),
        ("forwardAuthToken", 1, True),
        ("forwardAuthToken", Real("1.0"), False),
        ("maxInputAttachments", 2**31, False),
        ("maxInputAttachments", "12", True),
        ("type", "Embedding", True),
        ("type", "text", False),
        ("type", "", False),
        ("type", 2, True),
        ("type", 3, False),
        ("features", {"rateEndpoint": "x", "rate_endpoint": "y"}, True),
        ("features", [], False),
        ("defaults", {"anything": [1, {"x": None}]}, True),
        ("defaults", [], False),
        ("upstreams", [{"endpoint": "x", "weight": "2", "extraData": [1]}], True),
        ("upstreams", [{"endpoint": {}}], False),
        ("interceptors", "x", False),
        ("displayName", 4, True),
        ("pricing", {"prompt": " 1e-5 ", "completion": None}, True),
        ("pricing", {"prompt": ""}, False),
        ("name", "overwritten", True),
    ],
)
def test_values_of_a_classic_model(field: str, value: Any, fits: bool) -> None:
    assert accepts({"models": {"m": {field: value}}}, CLASSIC) == fits
    assert accepts({"models": {"m": {field: None}}}, CLASSIC) == (field != "upstreams")


@pytest.mark.parametrize(
    ("document", "fits"),
    [
        ({"models": {"m": {"displayName": {"en": "x"}}}}, True),
        ({"models": {"m": {"displayName": 4}}}, False),
        ({"models": {"m": {"dial:userRoles": ["a"]}}}, True),
        ({"models": {"m": {"responses_endpoint": "x"}}}, False),
        ({"applications": {"m": {"responsesEndpoint": "x"}}}, False),
        ({"models": {"m": {"pricing": {"unit": "token", "prompt": {"test": {}, "ifTrue": "1"}}}}}, True),
        ({"models": {"m": {"pricing": {"prompt": {"ifTrue": "1"}}}}}, False),
        ({"models": {"m": {"pricing": {"unit": "x", "cacheRead": "1"}}}}, False),
        ({"models": {"m": {"interfaces": {"x": {}}, "baseUrl": "b"}}}, True),
        ({"models": {"m": {"interfaces": {"x": {"base_url": "b"}}}}}, True),
        ({"models": {"m": {"interfaces": {"x": None}}}}, True),
        ({"models": {"m": {"interfaces": {"x": {"mode": "translator"}}}}}, False),
        ({"models": {"m": {"interfaces": {"x": {"mode": "translator", "translator": "t"}}}}}, True),
        ({"models": {"m": {"interfaces": {"x": {"baseUrl": "b", "translator": "t"}}}}}, False),
        (
            {
                "models": {"m": {"interfaces": {"x": {"mode": "translator", "translator": "t"}}}},
                "translators": {"t": {"in": "y", "out": "z", "baseUrl": "b"}},
            },
            False,
        ),
        ({"models": {"m": {"upstreams": [{"interfaces": {"x": {"endpoint": "e"}}}]}}}, False),
        ({"models": {"m": {"upstreams": [{"id": "1", "interfaces": {"x": {"endpoint": "e"}}}]}}}, True),
        ({"models": {"m": {"upstreams": [{"id": "1", "interfaces": {"x": {}}}]}}}, False),
        ({"models": {"m": {"upstreams": None}}}, False),
        ({"models": {"m/n": {"upstreams": None}}}, True),  # dropped before
        ({"routes": {"r": {"upstreams": None}}}, True),  # fails when called
        ({"roles": {"a/b": None}}, True),  # dropped before it is read
        ({"toolsets": {"a b": None}}, True),
        ({"toolsets": {"a": None}}, False),
        ({"toolsets": {"a b": {}}, "models": {"a b": {}}}, False),  # duplicates are looked for first
        ({"models": {"a/b": {}}, "applications": {"a/b": {}}}, True),
        ({"rateLimitSchedule": {"resetTime": "7:30", "new": 1}}, False),
        ({"rateLimitSchedule": {"resetTime": "07:30", "new": 1}}, True),
        ({"tracing": {"unknown": 1}}, False),
        ({"translators": {"t": {"out": "x", "base_url": "b"}}}, True),
        ({"translators": {"t": {"out": "x", "baseUrl": ""}}}, False),
        ({"routes": {"r": {"permissions": ["read", "WRITE"]}}}, True),
        ({"routes": {"r": {"permissions": ["share"]}}}, False),
        ({"addons": "anything", "assistant": 1}, True),
        ({"keys": {"keys/a/b": {"project": "p", "role": "r"}}}, False),
    ],
)
def test_the_current_version(document: dict[str, Any], fits: bool) -> None:
    assert accepts(document, CURRENT) == fits


@pytest.mark.parametrize(
    ("key", "fits"),
    [
        ({"project": "p", "role": ""}, False),
        ({"project": "p", "role": " "}, True),
        ({"project": "", "role": "r"}, False),
        ({"project": 4, "role": 5}, True),
        ({"project": "p", "roles": [None]}, True),
    ],
)
def test_keys_of_the_classic_version(key: dict[str, Any], fits: bool) -> None:
    assert accepts({"keys": {"k": key}}, CLASSIC) == fits


def test_roles_of_a_key_are_joined() -> None:
    settings = load({"keys": {"k": {"project": "p", "role": "r", "roles": ["a", "a"]}}}, CLASSIC).settings
    assert settings is not None
    assert settings.keys == {"k": Key("p", ("a", "a", "r"))}
    assert "'k'" not in repr(settings)


def test_sections_of_the_versions_between() -> None:
    document: dict[str, Any] = {"addons": {"a": {}}, "toolsets": {"t": {}}, "interceptors": {"i": {}}}
    found = {
        str(version): {d.section for d in settings.deployments}
        for version in SUPPORTED
        if (settings := load(document, version).settings)
    }
    assert found["0.31"] == {"addons"}
    assert found["0.32"] == found["0.37"] == {"addons", "toolsets"}
    assert found["0.38"] == found["0.46"] == {"toolsets", "interceptors"}


def test_the_base_assistant_takes_the_place_of_a_written_one() -> None:
    document = {"assistant": {"endpoint": "x", "assistants": {ASSISTANT: {"userRoles": []}}}}
    settings = load(document, CLASSIC).settings
    assert settings is not None
    assert [(d.name, d.user_roles, d.implicit) for d in settings.deployments] == [(ASSISTANT, None, True)]


def test_routes_are_sorted_by_order_and_stay_in_file_order_otherwise() -> None:
    document: dict[str, Any] = {"routes": {"c": {}, "b": {"order": 5}, "a": {"order": "1"}, "d": {"dial:order": 5}}}
    settings = load(document, CURRENT).settings
    assert settings is not None
    assert [deployment.name for deployment in settings.deployments] == ["a", "b", "d", "c"]


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("/v1/.*", True),
        ("/v1/{id}", False),
        ("{", False),
        ("a{2,3}+", True),
        ("a{3,2}", False),
        ("a**", False),
        ("[a-z&&[^b]]", True),
        ("[z-a]", False),
        ("[", False),
        ("[]a]", True),
        ("(?<name>x)\\k<name>", True),
        ("(?P<name>x)", False),
        ("\\p{L}++", True),
        ("\\Q{\\E", True),
        ("\\q", False),
        ("(", False),
        (")", False),
        ("(?i)x|", True),
        ("", True),
        ("*", False),
        ("\\", False),
        ("}", True),
        ("(?<!a)b(?=c)", True),
        ("((", False),
        ("(" * 500 + ")" * 500, False),
    ],
)
def test_regular_expressions_of_java(text: str, fits: bool) -> None:
    assert is_java_pattern(text) == fits


# --- merging: what only the text can show ------------------------------------------------------------


def test_a_repeated_key_is_a_further_update_where_the_object_is_there_already() -> None:
    base = parse('{"models": {"m": {"userRoles": ["a"]}}}', "1")
    twice = parse('{"models": {"m": {"userRoles": ["b"]}, "m": {"userRoles": ["c"]}}}', "2")
    assert merge([base, twice])["models"]["m"]["userRoles"] == ["a", "b", "c"]
    assert merge([twice])["models"]["m"]["userRoles"] == ["c"]  # in a new object the last wins


def test_a_repeated_section_in_one_file_is_merged() -> None:
    text = '{"roles": {"a": {"limits": {}}}, "roles": {"a": {"share": {}}, "b": {}}}'
    assert merge([parse(text, "1")]) == {"roles": {"a": {"limits": {}, "share": {}}, "b": {}}}


# --- the table of versions ----------------------------------------------------------------------------


def test_the_table_names_only_kinds_that_exist() -> None:
    known = {
        "string",
        "text",
        "bool",
        "int",
        "long",
        "decimal",
        "pattern",
        "price",
        "json",
        "object",
        "Schema",
        "ignored",
    }
    for lines in (SECTIONS, *(lines for _, lines in OBJECTS.values())):
        for line in lines:
            kind = as_field(line).kind.removesuffix("[]").removesuffix("{}")
            assert kind in known or kind in OBJECTS or "|" in kind, line


@pytest.mark.parametrize(
    ("name", "version", "number"),
    [
        ("Model", CLASSIC, 21),
        ("Application", CLASSIC, 16),
        ("Features", CLASSIC, 11),
        ("Route", CLASSIC, 7),
        ("Key", CLASSIC, 5),
        ("Role", CLASSIC, 2),
        ("Limit", CLASSIC, 4),
        ("Assistants", CLASSIC, 3),
        ("Model", CURRENT, 36),
        ("Application", CURRENT, 39),
        ("Features", CURRENT, 23),
        ("Route", CURRENT, 11),
        ("Key", CURRENT, 6),
        ("Role", CURRENT, 4),
        ("Limit", CURRENT, 7),
    ],
)
def test_as_many_keys_as_core_says_it_knows(name: str, version: Version, number: int) -> None:
    """Core's own error messages count the known properties; `positive` of limits is known and ignored."""
    assert len({field for field, _ in shape(name, version).fields.values()}) == number


def test_versions() -> None:
    assert Version.parse("0.37") == Version.parse("v0.37.4") == Version(0, 37)
    assert (Version.parse("classic"), Version.parse("current")) == (CLASSIC, CURRENT)
    assert CLASSIC < Version(0, 37) < CURRENT
    assert str(CURRENT) == "0.46"
    for text in ("", "0.17", "0.47", "1.0", "37", "0.x", "0.37; rm"):
        with pytest.raises(ValueError, match="DIAL Core"):
            Version.parse(text)
    assert "addons" in sections(Version(0, 37))
    assert "addons" not in sections(Version(0, 38))
