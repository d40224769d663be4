"""Taking a document apart and putting it together gives the same document in Core's reading."""

from __future__ import annotations

from typing import Any

import pytest

from deployments.document import join, split

WHOLE: dict[str, Any] = {
    "routes": {"late": {"paths": ["/b"], "userRoles": ["b", "a"]}, "early": {"paths": ["/a"]}},
    "models": {
        "open": {"endpoint": "http://m"},
        "closed": {"userRoles": [], "endpoint": "http://m"},
        "listed": {"endpoint": "http://m", "userRoles": ["a"], "limits": {"maxTotalTokens": 8192}},
    },
    "assistant": {"endpoint": "http://as", "assistants": {"helper": {"prompt": "p"}}, "features": {}},
    "keys": {"secret-value": {"project": "p", "role": "a", "roles": ["b"]}},
    "roles": {"default": {"limits": {"listed": {"minute": "100000"}}}, "a": {"limits": {}}},
    "retriableErrorCodes": [502],
    "somethingNew": {"kept": 1.5},
}


def test_a_document_comes_out_as_it_went_in() -> None:
    assert join(split(WHOLE)) == WHOLE


def test_sections_and_entries_keep_their_order() -> None:
    document = join(split(WHOLE))
    assert list(document) == list(WHOLE)
    assert list(document["routes"]) == ["late", "early"]
    assert list(document["models"]["listed"]) == ["endpoint", "userRoles", "limits"]


def test_taking_apart_leaves_the_document_alone() -> None:
    document = {"assistant": {"assistants": {"a": {"userRoles": ["x"]}}}}
    split(document)
    assert document == {"assistant": {"assistants": {"a": {"userRoles": ["x"]}}}}


@pytest.mark.parametrize(
    ("entry", "access", "roles"),
    [
        ({}, "open", None),
        ({"userRoles": None}, "open", None),
        ({"userRoles": []}, "closed", ()),
        ({"userRoles": ["a", "a"]}, "restricted", ("a",)),
        ({"userRoles": [1, True, None]}, "restricted", ("1", "true")),
        ({"userRoles": [None]}, "closed", ()),
        ({"user_roles": ["s"]}, "restricted", ("s",)),
        ({"userRoles": ["first"], "user_roles": ["later"]}, "restricted", ("later",)),
        ({"user_roles": ["first"], "userRoles": None}, "open", None),
    ],
)
def test_access_is_read_as_core_reads_it(entry: dict[str, Any], access: str, roles: tuple[str, ...] | None) -> None:
    (deployment,) = split({"models": {"m": entry}}).deployments
    assert (deployment.access, deployment.roles) == (access, roles)


def test_aliases_become_one_key_in_their_place() -> None:
    document = join(split({"models": {"m": {"user_roles": ["old"], "endpoint": "e", "userRoles": ["new"]}}}))
    assert document["models"]["m"] == {"endpoint": "e", "userRoles": ["new"]}


def test_closed_is_written_as_an_empty_list_never_left_out() -> None:
    assert join(split({"models": {"m": {"userRoles": []}}}))["models"]["m"] == {"userRoles": []}


def test_a_role_always_gets_its_limits() -> None:
    assert join(split({"roles": {"r": {}}}))["roles"] == {"r": {"limits": {}}}


def test_a_key_holds_role_and_roles_together() -> None:
    (key,) = split({"keys": {"k": {"project": "p", "role": "a", "roles": ["b", "a"]}}}).keys
    assert key.roles == ("b", "a")
