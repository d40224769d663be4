"""No secret of core-semantics 1.4 is shown, in any spelling; nothing else is touched."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deployments.core.secrets import MASK, map_secrets, mask_document, secrets_of
from tests.core.test_properties import documents

STEPS = "upstreams key extra_data interfaces defaultHeaders function env external_services authSettings routes a"
steps = st.sampled_from(STEPS.split())
inner = st.recursive(
    st.none() | st.integers() | st.text(max_size=2),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(steps, below, max_size=3),
    max_leaves=8,
)
entries = st.dictionaries(steps, inner, max_size=4)

S = "sk-secret"
UPSTREAM = {"endpoint": "shown", "key": S, "dial:key": S, "extraData": {"x": S}, "secretExtraData": [S], "weight": 1}
UPSTREAMS = [{**UPSTREAM, "interfaces": {"i": {"endpoint": "shown", "key": S, "extraData": S}}}]
DOCUMENT: dict[str, Any] = {
    "models": {"m": {"upstreams": UPSTREAMS, "userRoles": ["shown"], "defaultHeaders": {"shown": S}}},
    "applications": {
        "a": {
            "function": {"env": {"shown": S}, "id": "shown"},
            "external_services": {"shown": {"auth_settings": {"client_secret": S, "token": S}}},
            "externalServices": {"shown": {"authSettings": S}},
            "interfaces": {"i": {"default_headers": {"shown": S}, "base_url": "shown"}},
            "routes": {"shown": {"upstreams": UPSTREAMS, "paths": ["shown"]}},
        }
    },
    "addons": {"a": {"token": S, "endpoint": "shown"}},
    "assistant": {"endpoint": "shown", "assistants": {"a": {"default_headers": {"shown": S}, "prompt": "shown"}}},
    "toolsets": {"t": {"auth_settings": {"client_secret": S, "codeVerifier": S, "client_id": "shown"}}},
    "routes": {"r": {"upstreams": UPSTREAMS, "dial:upstreams": UPSTREAMS}},
    "interceptors": {"i": {"defaultHeaders": {"shown": S}}},
    "keys": {S: {"project": "shown", "key": S, "roles": ["shown"]}, S + "2": {"key": [S]}},
    "roles": {"shown": {"limits": {"m": {"minute": 1}}}},
    "unknown": {"shown": 1},
}


def test_masked() -> None:
    masked = mask_document(DOCUMENT)
    assert S not in repr(masked)
    assert repr(masked).count("shown") == repr(DOCUMENT).count("shown") + 1  # the project also names its key
    assert list(masked["keys"]) == [f"{MASK}1 (project shown)", f"{MASK}2"]
    assert masked["roles"] == DOCUMENT["roles"]
    assert masked["models"]["m"]["upstreams"][0]["weight"] == 1


def test_values_are_given_as_they_are_and_an_inverse_restores_them() -> None:
    for section, entry in (
        ("models", DOCUMENT["models"]["m"]),
        ("applications", DOCUMENT["applications"]["a"]),
        ("assistants", DOCUMENT["assistant"]["assistants"]["a"]),
        ("toolsets", DOCUMENT["toolsets"]["t"]),
        ("keys", {"key": {"odd": 1}, "project": None}),
    ):
        hidden: list[Any] = []

        def hide(value: Any, hidden: list[Any] = hidden) -> str:
            hidden.append(value)
            return f"#{len(hidden) - 1}"

        covered = map_secrets(section, entry, hide)
        assert hidden
        assert map_secrets(section, covered, lambda value: hidden[int(value[1:])]) == entry  # noqa: B023 - used at once


def test_wrong_types_neither_break_nor_leak() -> None:
    for value in (S, [S], {"x": S}, 5, None):
        for section in ("models", "applications", "addons", "toolsets", "routes", "keys"):
            for entry in (
                value,
                {"upstreams": value, "function": {"env": value}, "token": value, "key": value},
                {"upstreams": [value], "authSettings": value, "external_services": value, "routes": {"x": value}},
            ):
                assert mask_document({section: {"x": entry}}).keys() == {section}
    assert S not in repr(mask_document({"keys": S}))
    assert S not in repr(mask_document({"keys": [S], "models": S, "addons": {"a": S}}))


@given(documents)
def test_masking_never_fails(document: dict[str, Any]) -> None:
    mask_document(document)
    mask_document({"assistant": document, "keys": document, "models": document})


@given(st.sampled_from(["models", "applications", "toolsets", "routes", "keys", "roles"]), entries)
def test_the_secrets_are_those_that_are_mapped(section: str, entry: dict[str, Any]) -> None:
    mapped: list[Any] = []

    def collect(value: Any) -> Any:
        mapped.append(value)
        return value

    assert map_secrets(section, entry, collect) == entry
    assert secrets_of(section, entry) == mapped
