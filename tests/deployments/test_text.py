"""The export is written from stored texts, and is byte for byte what parsing and rendering everything gives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from deployments import actions, draft, exports
from deployments.core.load import load
from deployments.core.merge import merge
from deployments.core.render import Fragment, fragment, fragment_of, fragment_of_list, indented, quote, render, with_key
from deployments.core.text import SettingsError, parse
from deployments.core.versions import Version
from deployments.models import Deployment
from dialadmin.secrets import encrypt
from tests.core.test_properties import documents, values
from tests.core.test_vectors import MissingFileError, as_file, names, read
from tests.deployments.factories import SETTINGS, TESTER, deployment, make_draft
from tests.deployments.test_document import WHOLE

ODD = """{
  "models": {
    "ü \\"quoted\\"\\n": {"userRoles": null, "x": {"userRoles": null, "limits": null}, "n": 1.10, "e": 1e3, "z": -0},
    "first": {"userRoles": ["é", "a\\tb"], "after": []},
    "last": {"before": {}, "userRoles": []},
    "only": {"userRoles": ["a"]},
    "text": {"description": "\\n    \\"userRoles\\": null", "displayName": "gAAAAnot-a-token"},
    "secret": {"upstreams": [{"key": "k"}, {"key": 1.50}, {"extraData": {"a": [1, {}]}}], "userRoles": ["a"]}
  },
  "roles": {
    "a": {"limits": {"first": {"minute": 1, "day": 12345678901234567890}, "last": {}}, "costLimit": {"day": 1.0}},
    "é": {"x": 1, "limits": null, "y": 2}, "bare": {}
  },
  "unknown": {"z": [], "a": {"b": 0.10}}, "assistant": {"x": 1, "assistants": {"h": {"userRoles": ["a"]}}, "y": 2}
}"""


def samples() -> dict[str, Any]:
    """Documents that Core loads, by name."""
    found = {"settings": SETTINGS, "whole": WHOLE, "odd": parse(ODD, "odd"), "empty": {}}
    for name in [*names("cases"), *names("big")]:
        vector = read(name)
        try:
            document = merge([parse(as_file(file), "vector") for file in vector["files"]])
        except (SettingsError, MissingFileError):
            continue
        if load(document, Version.parse(vector["generation"])).settings is not None:
            found[name] = document
    return found


@pytest.mark.django_db
def test_the_bytes_of_every_sample_are_those_of_the_plain_renderer() -> None:
    written = set()
    for name, document in samples().items():
        text = json.dumps(document, sort_keys=True, default=repr)
        if text in written:
            continue
        written.add(text)
        make_draft(document)
        assert draft.text(draft.current()) == render(draft.document()), name
    assert len(written) > 80


@pytest.mark.django_db
def test_the_bytes_after_every_kind_of_edit() -> None:
    make_draft(parse(ODD, "odd"))
    for name, access in (("first", "open"), ("last", "restricted"), ("only", "closed"), ("secret", "open")):
        if access == "restricted":
            actions.attach_role(deployment=deployment(name), role_name="new", by=TESTER)
        else:
            actions.set_access(deployment=deployment(name), access=access, by=TESTER)
    actions.set_limit(role_name="new", deployment_name="only", limit={"day": 3}, by=TESTER)
    actions.set_limit(role_name="a", deployment_name="last", limit=None, by=TESTER)
    actions.create_deployment(kind="model", name="made", body={"description": "x"}, by=TESTER)
    actions.change_deployment(deployment=deployment("made"), fields={"description": ""}, by=TESTER)
    text = draft.text(draft.current())
    assert text == render(draft.document())
    assert '"n": 1.10' in text
    assert '"z": -0' in text


@pytest.mark.django_db
def test_a_stored_token_in_a_place_of_no_secret_is_never_decrypted() -> None:
    make_draft()
    token = encrypt('"stolen"')
    key = Deployment.objects.get(name="gpt-4o").body.split('"key": "')[1].split('"')[0]
    for fields in ({"description": token}, {"description": key}):
        actions.change_deployment(deployment=deployment("gpt-4o"), fields=fields, by=TESTER)
        text = draft.text(draft.current())
        assert text == render(draft.document())
        assert f'"description": "{fields["description"]}"' in text
        assert '"key": "upstream-secret"' in text


@pytest.mark.django_db
def test_an_export_takes_eight_queries_at_most_at_any_size() -> None:
    def queries() -> int:
        exports.export()  # judged once
        with CaptureQueriesContext(connection) as captured:
            exports.export()
        return len(captured)

    make_draft()
    little = queries()
    make_draft(
        {
            "models": {f"m{n}": {"type": "chat", "userRoles": [f"r{n}"]} for n in range(30)},
            "roles": {f"r{n}": {"limits": {f"m{n}": {"day": n}}} for n in range(30)},
            "keys": {f"key-{n}": {"project": "p", "role": f"r{n}"} for n in range(30)},
        }
    )
    assert queries() == little <= 8


@given(st.dictionaries(st.sampled_from(["a", "b", "userRoles"]), values, max_size=4), st.none() | values)
def test_setting_a_key_in_a_text_is_setting_it_in_the_object(entry: dict[str, Any], value: Any) -> None:
    if "userRoles" in entry:
        entry["userRoles"] = None  # stored bodies keep its place with null
    wanted = dict(entry)
    if value is None:
        wanted.pop("userRoles", None)
    else:
        wanted["userRoles"] = value
    text = with_key(fragment(entry), "userRoles", None if value is None else fragment(value))
    assert text == fragment(wanted)


@given(documents)
def test_fragments_stand_for_their_values_at_every_depth(document: dict[str, Any]) -> None:
    def cut(value: Any, depth: int) -> Any:
        if depth == 0 or not isinstance(value, dict):
            return Fragment(fragment(value))
        return {key: cut(item, depth - 1) for key, item in value.items()}

    for depth in range(1, 4):
        assert render(cut(document, depth)) == render(document)
    items = [(quote(key), indented(fragment(item))) for key, item in document.items()]
    assert fragment_of([f"{key}: {value}" for key, value in items]) == fragment(document)
    assert fragment_of_list([key for key, _ in items]) == fragment(list(document))
