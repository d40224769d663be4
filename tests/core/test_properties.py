"""Laws of the engine that hold for every input, against slow and plain restatements of the rules."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from deployments.core.access import admitting_roles, is_allowed
from deployments.core.check import check
from deployments.core.compare import compare
from deployments.core.evaluate import evaluate
from deployments.core.limits import NO_LIMIT, counting_roles, effective
from deployments.core.load import UNLIMITED, WINDOWS, Deployment, Settings, load
from deployments.core.merge import merge
from deployments.core.render import render
from deployments.core.secrets import mask_document
from deployments.core.text import parse
from deployments.core.versions import CLASSIC, CURRENT, SUPPORTED

ROLES = ["a", "b", "c", "default"]
roles = st.frozensets(st.sampled_from(ROLES))
versions = st.sampled_from([CLASSIC, CURRENT])

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
keys = st.sampled_from(["a", "b", "models", "userRoles", "ä", ""]) | st.text(max_size=4)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))
documents = st.dictionaries(keys, values, max_size=4)

# Settings that are nearly right, so that checks go beyond the first refusal.
limit = st.dictionaries(
    st.sampled_from([*WINDOWS, "Minute"]), st.integers(-1, 3) | st.sampled_from([None, "2", 0.5, ""]), max_size=3
)
deployment = st.fixed_dictionaries(
    {},
    optional={"userRoles": st.none() | st.lists(st.sampled_from(ROLES), max_size=3), "endpoint": st.text(max_size=3)},
)
names = st.sampled_from(["m", "n", "x/y", "assistant"])
settings_documents = st.fixed_dictionaries(
    {},
    optional={
        "models": st.dictionaries(names, deployment, max_size=3),
        "applications": st.dictionaries(names, deployment, max_size=2),
        "toolsets": st.dictionaries(names, deployment, max_size=2),
        "addons": st.dictionaries(names, deployment, max_size=2),
        "routes": st.dictionaries(
            names, deployment.map(lambda d: {k: d[k] for k in d if k == "userRoles"}), max_size=2
        ),
        "assistant": st.fixed_dictionaries(
            {}, optional={"endpoint": st.just("x"), "assistants": st.dictionaries(names, deployment, max_size=2)}
        ),
        "roles": st.dictionaries(
            st.sampled_from(ROLES),
            st.fixed_dictionaries({}, optional={"limits": st.dictionaries(names, st.none() | limit, max_size=3)}),
            max_size=4,
        ),
        "keys": st.dictionaries(
            st.text(min_size=1, max_size=5),
            st.fixed_dictionaries(
                {}, optional={"project": st.text(max_size=3), "roles": st.lists(st.sampled_from(ROLES))}
            ),
            max_size=2,
        ),
    },
)


# --- merging ------------------------------------------------------------------------------------------


def merged_plainly(base: Any, overlay: Any, overwrite: bool) -> Any:
    """Core's merge for documents without repeated keys, said in the fewest words."""
    if isinstance(base, dict) and isinstance(overlay, dict):
        everything = [*base, *(key for key in overlay if key not in base)]
        return {
            key: overlay[key]
            if key not in base
            else base[key]
            if key not in overlay
            else merged_plainly(base[key], overlay[key], overwrite)
            for key in everything
        }
    if isinstance(base, list) and isinstance(overlay, list) and not overwrite:
        return base + overlay
    return overlay


@given(documents, documents, st.booleans())
def test_merge_is_cores(base: dict[str, Any], overlay: dict[str, Any], overwrite: bool) -> None:
    before = json.dumps([base, overlay])
    assert merge([base, overlay], overwrite_arrays=overwrite) == merged_plainly(base, overlay, overwrite)
    assert json.dumps([base, overlay]) == before  # the inputs are left alone


@given(documents)
def test_merge_with_nothing_changes_nothing(document: dict[str, Any]) -> None:
    assert merge([{}, document, None, {}]) == document
    assert list(merge([document])) == list(document)


# --- text ---------------------------------------------------------------------------------------------


@given(documents)
def test_render_and_parse_are_inverse(document: dict[str, Any]) -> None:
    text = render(document)
    parsed = parse(text, "x")
    assert parsed == document
    assert render(parsed) == text
    assert parse(text.encode("utf-8"), "x") == document


@given(st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?", fullmatch=True))
def test_numbers_come_out_as_written(number: str) -> None:
    text = f'{{\n  "x": [\n    {number}\n  ]\n}}\n'
    assert render(parse(text, "x")) == text
    assert render(merge([parse(text, "x")])) == text


# --- access -------------------------------------------------------------------------------------------


def listing(user_roles: frozenset[str] | None) -> Deployment:
    return Deployment("models", "m", user_roles)


@given(roles, roles, st.sampled_from(ROLES))
def test_an_attached_role_takes_access_from_nobody(listed: frozenset[str], held: frozenset[str], role: str) -> None:
    assert is_allowed(listing(listed), held) <= is_allowed(listing(listed | {role}), held)


@given(st.none() | roles, roles, roles)
def test_access_of_two_groups_is_that_of_the_one_or_the_other(
    listed: frozenset[str] | None, one: frozenset[str], other: frozenset[str]
) -> None:
    deployment = listing(listed)
    assert is_allowed(deployment, one | other) == (is_allowed(deployment, one) or is_allowed(deployment, other))


@given(st.none() | roles, roles)
def test_access_says_through_which_roles(listed: frozenset[str] | None, held: frozenset[str]) -> None:
    deployment = listing(listed)
    assert is_allowed(deployment, held) == (listed is None or bool(admitting_roles(deployment, held)))
    assert admitting_roles(deployment, held) <= held


# --- limits -------------------------------------------------------------------------------------------


numbers = st.integers(-2, 5) | st.just(UNLIMITED)
limits = st.tuples(*[numbers] * len(WINDOWS))
role_limits = st.dictionaries(st.sampled_from(ROLES), st.dictionaries(st.sampled_from(["m", "n"]), limits))


def settings_with(limits_of: Any, user_roles: frozenset[str] | None = None, broken: Any = frozenset()) -> Settings:
    return Settings(CURRENT, (listing(user_roles),), limits_of, frozenset(broken), {}, {}, ())


@given(role_limits, st.none() | roles, roles, roles)
def test_limits_are_cores(limits_of: Any, listed: Any, held: frozenset[str], broken: frozenset[str]) -> None:
    """Core-semantics 3.1, step by step."""
    broken -= limits_of.keys()
    settings = settings_with(limits_of, listed, broken)
    result = effective(settings, settings.deployments[0], held)
    assert (
        effective(settings, settings.deployments[0], held & counting_roles(settings, settings.deployments[0])) == result
    )
    relevant = held if listed is None else held & listed
    if "default" in broken or relevant & broken:
        assert result.failing
        assert not result.denied
        assert not result.unlimited
        return
    candidates = [limits_of[role]["m"] for role in relevant if "m" in limits_of.get(role, {})]
    fallback = limits_of.get("default", {}).get("m", NO_LIMIT)
    expected = tuple(max(column) for column in zip(*candidates, strict=True)) if candidates else fallback
    assert result.limit == expected
    assert result.denied == any(number <= 0 for number in expected)
    assert result.unlimited == all(number == UNLIMITED for number in expected)
    assert result.failing == ()


@given(role_limits, st.none() | roles, roles, st.sampled_from(ROLES))
def test_a_further_role_with_an_entry_never_shrinks_a_limit(
    limits_of: Any, listed: Any, held: frozenset[str], role: str
) -> None:
    settings = settings_with(limits_of, listed)
    before = effective(settings, settings.deployments[0], held)
    after = effective(settings, settings.deployments[0], held | {role})
    if set(before.roles) & held:  # it had an entry of its own, not only the fallback
        assert all(one <= other for one, other in zip(before.limit, after.limit, strict=True))


# --- the whole ----------------------------------------------------------------------------------------


@given(documents | settings_documents, st.sampled_from(SUPPORTED))
def test_nothing_that_parses_breaks_the_engine(document: dict[str, Any], version: Any) -> None:
    findings = check(document, version)
    loaded = load(document, version)
    refused = [finding for finding in findings if finding.severity == "error"]
    assert loaded.settings is not None or refused
    render(mask_document(document))
    answer = evaluate([document], [{"id": "p", "roles": ["a"]}], version=version)
    assert answer["loaded"] == (loaded.settings is not None)


@given(settings_documents, versions)
def test_a_rendered_document_means_the_same(document: dict[str, Any], version: Any) -> None:
    assert load(parse(render(document), "x"), version) == load(document, version)


@given(settings_documents, settings_documents, roles, versions)
def test_comparing_agrees_with_evaluating(one: Any, other: Any, held: frozenset[str], version: Any) -> None:
    before, after = load(one, version).settings, load(other, version).settings
    if before is None or after is None:
        return
    comparison = compare(before, after, [held])
    if not comparison.access and not comparison.limits and before.without_limits == after.without_limits:
        assert comparison.effects == ()
    assert compare(before, before, [held]).effects == ()
    swapped = {"gains": "loses", "loses": "gains", "limit": "limit"}
    back = {(e.section, e.name, swapped[e.kind]) for e in compare(after, before, [held]).effects}
    assert {(e.section, e.name, e.kind) for e in comparison.effects} == back
