"""Everybody's access and limits, in the shape of Core's own answers: the engine's proof.

The version decides. What holds for one version alone (keys, sections) and what holds for the whole
generation before or after 0.38 is told apart in `versions`; nothing here asks for a generation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from deployments.core.access import is_allowed
from deployments.core.limits import BrokenCostLimitError, Effective, cost_limit, counting_roles, effective, written_cost
from deployments.core.load import Deployment, Key, Loaded, Settings, load
from deployments.core.merge import merge
from deployments.core.versions import CLASSIC, Version

Principal = Mapping[str, Any]  # {"id": …, "roles": […]} or {"id": …, "key": API key}
Row = dict[str, Any]
SHOWN = 20  # refusals in an error; `check` gives all


def evaluate(
    files: Sequence[object], principals: Iterable[Principal], *, version: Version, overwrite_arrays: bool = False
) -> dict[str, Any]:
    """What Core answers to each principal about each deployment.

    `files` are parsed documents in merge order (`text.parse`). The result has `loaded`, and if so
    `results`, one row per principal and deployment, and where there are any `warnings` and
    `cost_limits`; if not, `error` in words.
    """
    loaded = load_files(files, version=version, overwrite_arrays=overwrite_arrays)
    if loaded.settings is None:
        return refused(loaded)
    return answers(loaded.settings, loaded.settings.keys, principals)


def evaluate_reload(
    steps: Sequence[Sequence[object] | None],
    principals: Iterable[Principal],
    *,
    version: Version,
    overwrite_arrays: bool = False,
) -> dict[str, Any]:
    """The same after reloads: the first step is the start, each further one a reload (core-semantics 4.3).

    A step is None when one of its files cannot be read. Adds `reloaded`, whether the last step or one
    before it changed what is served, and `keys_active`, the accepted API keys.
    """
    served: Settings | None = None
    keys: Mapping[str, Key] = {}
    reloaded = False
    for number, files in enumerate(steps):
        loaded = Loaded(None, ())
        if files is not None:
            loaded = load_files(files, version=version, overwrite_arrays=overwrite_arrays)
        if number == 0:
            if loaded.settings is None:
                return refused(loaded)
            served, keys = loaded.settings, loaded.settings.keys
            continue
        fresh = loaded.settings or loaded.live
        if fresh is not None:
            served, keys, reloaded = fresh, fresh.keys, True
        elif loaded.keys is not None:
            keys = loaded.keys
    if served is None:
        return {"loaded": False, "error": "There is no step."}
    return {**answers(served, keys, principals), "reloaded": reloaded, "keys_active": sorted(keys)}


def load_files(files: Sequence[object], *, version: Version, overwrite_arrays: bool = False) -> Loaded:
    """Merge and load. The oldest version has no setting to overwrite arrays (core-semantics 4.2)."""
    return load(merge(files, overwrite_arrays=overwrite_arrays and version > CLASSIC), version)


def refused(loaded: Loaded) -> dict[str, Any]:
    """The answer for a configuration that Core refuses."""
    said = [f"{finding.place}: {finding.message}" for finding in loaded.findings[:SHOWN]]
    more = len(loaded.findings) - len(said)
    return {"loaded": False, "error": "; ".join(said) + (f"; and {more} more" if more else "")}


def answers(settings: Settings, keys: Mapping[str, Key], principals: Iterable[Principal]) -> dict[str, Any]:
    """The rows of everybody under settings that are served."""
    results: list[Row] = []
    costs: dict[str, Any] = {}
    views = [_View(settings, deployment) for deployment in settings.deployments]
    for principal in principals:
        roles = _roles(principal, keys)
        if roles is None:
            results.append({"principal": principal["id"], "error": "Unknown api key"})
            continue
        held = frozenset(roles)
        results.extend(view.row(principal["id"], held) for view in views)
        if settings.cost_limits and (cost := _cost(settings, roles)):
            costs[principal["id"]] = cost
    answer: dict[str, Any] = {"loaded": True, "results": results}
    if settings.warnings:
        answer["warnings"] = [str(warning) for warning in settings.warnings]
    if costs:
        answer["cost_limits"] = costs
    return answer


def _roles(principal: Principal, keys: Mapping[str, Key]) -> Sequence[str] | None:
    if "key" not in principal:
        return [role for role in principal.get("roles") or () if isinstance(role, str)]
    key = keys.get(principal["key"])
    return None if key is None else key.roles


class _View:
    """One deployment, with the answers that were given already: people with the same roles get the same."""

    def __init__(self, settings: Settings, deployment: Deployment) -> None:
        self.settings = settings
        self.deployment = deployment
        rules = settings.rules
        self.resolved = deployment.section in rules.resolved
        self.enforced = deployment.section in rules.enforced
        self.counting = counting_roles(settings, deployment)
        self.known: dict[frozenset[str], Row] = {}

    def row(self, principal: str, roles: frozenset[str]) -> Row:
        deployment = self.deployment
        row: Row = {
            "principal": principal,
            "deployment": deployment.name,
            "section": deployment.section,
            "access": is_allowed(deployment, roles),
            **self.limit(roles),
            "limit_enforced": self.enforced,
        }
        if deployment.shadowed_by is not None:
            row["shadowed"] = True
        return row

    def limit(self, roles: frozenset[str]) -> Row:
        if not self.resolved:
            return {"denied_by_limit": False}
        relevant = self.counting & roles
        answer = self.known.get(relevant)
        if answer is None:
            answer = self.known[relevant] = _limit(effective(self.settings, self.deployment, relevant))
        return answer


def _limit(result: Effective) -> Row:
    if result.failing:
        return {"denied_by_limit": None, "limit_error": "NullPointerException"}
    return {"denied_by_limit": result.denied, "limit": result.as_dict()}


def _cost(settings: Settings, roles: Iterable[str]) -> Any:
    try:
        limit = cost_limit(settings, roles)
    except BrokenCostLimitError:
        return "error: NullPointerException"
    if limit is None:
        return None
    return {window: None if cost is None else str(cost) for window, cost in written_cost(limit).items()}


def differences(expected: Mapping[str, Any], actual: Mapping[str, Any]) -> Iterator[str]:
    """How two answers differ, in words; nothing when they agree. Wordings of errors are not compared."""
    if bool(expected.get("loaded")) != bool(actual.get("loaded")):
        yield (
            f"Core was expected to {'load' if expected.get('loaded') else 'refuse'} the settings, "
            f"and would {'load them' if actual.get('loaded') else 'refuse them: ' + str(actual.get('error', ''))}"
        )
        return
    if not expected.get("loaded"):
        return
    wanted, found = _rows(expected), _rows(actual)
    for place in dict.fromkeys((*wanted, *found)):
        if place not in found:
            yield f"{_place(place)} is expected and does not exist"
        elif place not in wanted:
            yield f"{_place(place)} is not expected"
        else:
            yield from _row_differences(_place(place), wanted[place], found[place])
    if "cost_limits" in expected or "cost_limits" in actual:
        yield from _named_differences("cost limit", expected.get("cost_limits") or {}, actual.get("cost_limits") or {})
    yield from _warning_differences(_dropped(expected), _dropped(actual))
    if "keys_active" in expected:
        wanted_keys, found_keys = set(expected["keys_active"]), set(actual.get("keys_active") or ())
        if wanted_keys != found_keys:  # the keys themselves are secrets
            yield f"{len(wanted_keys ^ found_keys)} API keys are accepted here and not there"
    if "reloaded" in expected and expected["reloaded"] != actual.get("reloaded"):
        yield f"reloaded is {actual.get('reloaded')}, not {expected['reloaded']}"


_Place = tuple[str, str, str]


def _rows(answer: Mapping[str, Any]) -> dict[_Place, Row]:
    return {(row["principal"], row.get("section", ""), row.get("deployment", "")): row for row in answer["results"]}


def _place(place: _Place) -> str:
    principal, section, name = place
    return f"{principal} and {name} ({section})" if section else principal


def _row_differences(place: str, wanted: Row, found: Row) -> Iterator[str]:
    if "error" in wanted or "error" in found:
        if wanted.get("error") != found.get("error"):
            yield f"{place}: {found.get('error', 'the key is known')}, not {wanted.get('error', 'a known key')}"
        return
    for name, words in _COLUMNS.items():
        one, other = wanted.get(name), found.get(name)
        if one != other:
            yield f"{place}: {words} {_say(other)}, not {_say(one)}"


_COLUMNS = {
    "access": "access is",
    "denied_by_limit": "denied by limit is",
    "limit": "the limit is",
    "limit_error": "the error is",
    "limit_enforced": "the limit being enforced is",
    "shadowed": "being shadowed is",
}


def _say(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{window} {number}" for window, number in value.items()) or "unlimited"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "nothing" if value is None else str(value)


def _named_differences(what: str, wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            yield f"{name}: the {what} is {_say(found.get(name))}, not {_say(wanted.get(name))}"


def _dropped(answer: Mapping[str, Any]) -> frozenset[str]:
    """The names in the warnings; the wording is Core's."""
    return frozenset(text.rpartition(": ")[2] for text in answer.get("warnings") or ())


def _warning_differences(wanted: frozenset[str], found: frozenset[str]) -> Iterator[str]:
    for name in sorted(wanted ^ found):
        yield f"the entry {name} is {'not ' if name in wanted else ''}dropped with a warning"
