"""A merged document to what Core makes of it, or to all the reasons why Core refuses it (core-semantics 4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum
from functools import cached_property
from typing import Any

from deployments.core.bind import REFUSED, bind
from deployments.core.coerce import INT_MAX, LONG_MAX, as_decimal, as_int, as_long, as_text, as_texts
from deployments.core.findings import Finding, Mend, Path, report
from deployments.core.versions import Rules, Version, rules, sections, shape

# The windows of a limit, in the order of the tuples that hold them: tokens, then requests.
WINDOWS = ("minute", "day", "week", "month", "requestHour", "requestDay")
COST_WINDOWS = ("minute", "day", "week", "month")
UNLIMITED = LONG_MAX  # what an absent field is to Core
UNLIMITED_COST = Decimal(LONG_MAX)
ASSISTANT = "assistant"  # the name of the base assistant

Limit = tuple[int, ...]  # one number per window of WINDOWS
CostLimit = tuple[Decimal | None, ...]  # one per window of COST_WINDOWS; None is a written null

_TOOLSET_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")
_RESET_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]\Z", re.ASCII)
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Deployment:
    """Something that callers name. `user_roles` is None when open to everyone, empty when closed.

    `section` is one of `rules(version).sections`; assistants are "assistants". `implicit` is the base
    assistant, which Core adds by itself. `shadowed_by` names the section that wins calls to this name.
    """

    section: str
    name: str
    user_roles: frozenset[str] | None
    implicit: bool = False
    shadowed_by: str | None = None

    @property
    def path(self) -> Path:
        """Where it stands in the document."""
        if self.implicit:
            return ("assistant", "endpoint")
        return ("assistant", "assistants", self.name) if self.section == "assistants" else (self.section, self.name)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key: its project and its roles as Core joins them (`roles`, then `role`), duplicates kept."""

    project: str
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """An entry that Core leaves out with a warning in its log."""

    section: str
    name: str
    reason: str  # "slash" or "toolset-name"

    def __str__(self) -> str:
        """In the words of Core's log."""
        if self.reason == "toolset-name":
            return f"Invalid ToolSet name: {self.name}"
        return f"Dropping {self.section} entry with slash-keyed name: {self.name}"


@dataclass(frozen=True)
class Settings:
    """What a Core of `version` serves.

    `limits`: role to deployment name to limit; only non-null entries. `without_limits`: roles whose
    `limits` is missing and that therefore answer 500 (none from 0.38 on). `cost_limits`: role to limit.
    `keys`: API key (a secret; not shown by repr) to its project and roles.
    """

    version: Version
    deployments: tuple[Deployment, ...]
    limits: Mapping[str, Mapping[str, Limit]]
    without_limits: frozenset[str]
    cost_limits: Mapping[str, CostLimit]
    keys: Mapping[str, Key] = field(repr=False)
    warnings: tuple[Dropped, ...]

    @property
    def rules(self) -> Rules:
        return rules(self.version)

    @cached_property
    def entries(self) -> Mapping[str, Mapping[str, Limit]]:
        """The limits the other way round: deployment name to role to limit."""
        turned: dict[str, dict[str, Limit]] = {}
        for role, limits in self.limits.items():
            for name, limit in limits.items():
                turned.setdefault(name, {})[role] = limit
        return turned


@dataclass(frozen=True, slots=True)
class Loaded:
    """The outcome. `settings` is None when Core refuses; `findings` are all refusals, all of them errors.

    `live` and `keys` are for reloads: what a *running* Core serves after a refused reload, where that is
    not simply the old configuration. Before 0.38 Core applies some failures by halves (core-semantics 4.3).
    """

    settings: Settings | None
    findings: tuple[Finding, ...]
    live: Settings | None = None
    keys: Mapping[str, Key] | None = field(default=None, repr=False)


class _Step(IntEnum):
    """How far Core has come when something fails."""

    READ = 1  # nothing has changed
    KEYS_LIVE = 2  # the API keys are swapped already
    ALL_LIVE = 3  # everything is in place already


def load(document: Mapping[str, Any], version: Version) -> Loaded:
    """What Core of `version` makes of a merged document. Never raises for a parsed document."""
    refusals = bind(document, version)
    if refusals:
        return Loaded(None, tuple(refusals))
    failures = list(_failures(document, version))
    if not failures:
        return Loaded(_settings(document, version), ())
    findings = tuple(finding for _, finding in failures)
    step = min(step for step, _ in failures)
    if step is _Step.READ or not rules(version).keys_before_roles:
        return Loaded(None, findings)
    live = _settings(document, version) if step is _Step.ALL_LIVE else None
    return Loaded(None, findings, live, _keys(document, version))


# --- what Core refuses after parsing ----------------------------------------------------------------

Failure = tuple[_Step, Finding]


def _failures(document: Mapping[str, Any], version: Version) -> Iterator[Failure]:
    behaviour = rules(version)
    for path, entries in _maps(document, version):
        step = _Step.KEYS_LIVE if path[0] in ("roles", "interceptors") else _Step.READ
        if entries is None:
            yield step, _null_section(path)
            continue
        for index, (name, entry) in enumerate(entries.items()):
            here: Path = (*path, index if path == ("keys",) else name)
            if behaviour.names_checked and _reserved(path[0], name):
                yield step, _reserved_name(here, path[0])
            elif entry is None and not _dropped_before_reading(path[0], name, behaviour):
                yield step, _null_entry(here)
    yield from ((_Step.READ, finding) for finding in _key_failures(document, behaviour))
    if behaviour.one_id_space:
        yield from ((_Step.READ, finding) for finding in _duplicates(document, version))
    yield from ((_Step.READ, finding) for finding in _validations(document, version))
    step = _Step.ALL_LIVE if behaviour.keys_before_roles else _Step.READ
    # From 0.38 on only the upstreams of models are looked at while loading.
    walked = ("models", "routes") if behaviour.keys_before_roles else ("models",)
    yield from ((step, finding) for section in walked for finding in null_upstreams(document, section, behaviour))


def _maps(document: Mapping[str, Any], version: Version) -> Iterator[tuple[Path, Mapping[str, Any] | None]]:
    """The maps of named entries that Core walks through, where they are written; None is a written null."""
    for section, kind in sections(version).items():
        if section not in document or section == "translators":
            continue
        value = document[section]
        if section != "assistant":
            if kind.endswith("{}"):
                yield (section,), value
        elif value is None:
            yield (section,), None
        elif "assistants" in value:
            yield (section, "assistants"), value["assistants"]


def _null_section(path: Path) -> Finding:
    return report(
        "null-section",
        path,
        "This section is null.",
        REFUSED,
        "Take the section out, or write {}.",
        ("remove", path),
    )


def _null_entry(path: Path) -> Finding:
    return report(
        "null-entry",
        path,
        "This entry is null. Null does not remove an entry, not even in an overlay file.",
        REFUSED,
        "Take the entry out of all files.",
        ("remove", path) if path[0] != "keys" else None,
    )


def _reserved(section: str | int, name: str) -> bool:
    """Names that look like the addresses of stored entities: `roles/platform/x`."""
    if section not in ("models", "interceptors", "roles", "keys", "routes"):
        return False
    parts = name.split("/")
    return len(parts) >= 3 and parts[0] == section and all(parts[1:3])


def _reserved_name(path: Path, section: str | int) -> Finding:
    return report(
        "reserved-name",
        path,
        f'A name of the form "{section}/…/…" is reserved for entries that are stored by Core itself.',
        REFUSED,
        "Give it another name.",
    )


def _dropped_before_reading(section: str | int, name: str, behaviour: Rules) -> bool:
    if not behaviour.names_checked or section == "keys":
        return False
    return "/" in name or (section == "toolsets" and not _TOOLSET_NAME.match(name))


def _key_failures(document: Mapping[str, Any], behaviour: Rules) -> Iterator[Finding]:
    """API keys without project or role (core-semantics 4.6). Blanks count as missing in new versions."""
    for index, entry in enumerate((document.get("keys") or _NOTHING).values()):
        if entry is None:
            continue
        project, role = as_text(entry.get("project")), as_text(entry.get("role"))
        if _missing(project, behaviour):
            yield report(
                "key-without-project",
                ("keys", index),
                f"API key number {index + 1} has no project.",
                REFUSED,
                'Write a "project" for it: the name under which its use is counted.',
            )
        if _missing(role, behaviour) and not entry.get("roles"):
            yield report(
                "key-without-role",
                ("keys", index),
                f"{describe_key(index, project)} has no role.",
                REFUSED,
                'Write at least one role in its "roles".',
            )


def describe_key(index: int, project: str | None) -> str:
    """An API key for people: by position and project, since the key itself is a secret."""
    return f"API key number {index + 1} (project {project})" if project else f"API key number {index + 1}"


def _missing(text: str | None, behaviour: Rules) -> bool:
    return not (text and (text.strip() or not behaviour.blank_refused))


def _duplicates(document: Mapping[str, Any], version: Version) -> Iterator[Finding]:
    """One name in two sections of the common id space (core-semantics 4.6)."""
    seen: dict[str, str] = {}
    for section in ("models", "applications", "interceptors", "toolsets"):
        for name in document.get(section) or _NOTHING:
            if "/" in name:
                continue  # dropped before
            if name in seen:
                yield report(
                    "duplicate-name",
                    (section, name),
                    f'"{name}" is also the name of an entry of "{seen[name]}". Core {version} wants every name once.',
                    REFUSED,
                    "Give one of the two another name.",
                )
            seen.setdefault(name, section)


def _validations(document: Mapping[str, Any], version: Version) -> Iterator[Finding]:
    """Rules about values that fit their type (core-semantics 1.3, 4.1)."""
    known = sections(version)
    for name, route in _entries(document, "routes"):
        order = read(route, "Route", "order", version)
        if order is not None and as_int(order) < 0:
            yield _invalid(("routes", name, "order"), "The order of a route cannot be negative.")
    if "toolsets" in known:
        for name, toolset in _entries(document, "toolsets"):
            yield from _auth_type(("toolsets", name), toolset, version)
    if "rateLimitSchedule" in known:
        reset = as_text((document.get("rateLimitSchedule") or _NOTHING).get("resetTime"))
        if reset is not None and not _RESET_TIME.match(reset):
            yield _invalid(("rateLimitSchedule", "resetTime"), "The time is written with 24 hours, like 07:30.")
    if "translators" in known:
        for name, translator in _entries(document, "translators"):
            if translator.get("out") is None or not as_text(read(translator, "Translator", "baseUrl", version)):
                yield _invalid(("translators", name), 'A translator needs "out" and "baseUrl".')
    for name, model in _entries(document, "models"):
        if "/" not in name:
            yield from _cache_prices(("models", name), model, version)
            yield from _interfaces(("models", name), model, version, document)


def _invalid(path: Path, message: str) -> Finding:
    return report("value-invalid", path, message, REFUSED, "Mend the value.")


def _auth_type(path: Path, toolset: Mapping[str, Any], version: Version) -> Iterator[Finding]:
    settings = read(toolset, "ToolSet", "authSettings", version)
    if settings is not None:
        for spelling in ("authentication_type", "authenticationType"):
            if spelling in settings and settings[spelling] is None:
                yield _invalid((*path, "authSettings", spelling), "The kind of authentication cannot be null.")


def _cache_prices(path: Path, model: Mapping[str, Any], version: Version) -> Iterator[Finding]:
    prices = model.get("pricing") or _NOTHING
    cached = [name for name in ("cacheRead", "cacheWrite") if prices.get(name) is not None]
    if cached and version >= _INTERFACES_SINCE and prices.get("unit") != "token":
        yield _invalid((*path, "pricing", cached[0]), 'Prices of cached tokens need the "unit" to be "token".')


_INTERFACES_SINCE = Version(0, 46)


def _interfaces(
    path: Path, model: Mapping[str, Any], version: Version, document: Mapping[str, Any]
) -> Iterator[Finding]:
    """What a model says about its interfaces has to add up (core-semantics 1.2, 1.3)."""
    if version < _INTERFACES_SINCE:
        return
    base = read(model, "Model", "baseUrl", version)
    for name, interface in (model.get("interfaces") or _NOTHING).items():
        if interface is None:
            continue
        here = (*path, "interfaces", name)
        own_base = read(interface, "Interface", "baseUrl", version)
        mode, translator = as_text(interface.get("mode")), interface.get("translator")
        if mode is not None and mode.strip().lower() in ("translator", "1"):
            if own_base is not None:
                yield _invalid(here, "An interface is served by a translator or by a base URL, not by both.")
            if translator is None:
                yield _invalid(here, 'The mode "translator" needs a translator.')
            else:
                yield from _translation(here, name, translator, document)
        elif translator is not None:
            yield _invalid(here, 'A translator needs the mode "translator".')
        elif own_base is None and base is None:
            yield _invalid(here, "The interface has no base_url, and the model has no baseUrl.")
    yield from _upstream_interfaces(path, model, version)


def _translation(path: Path, name: str, translator: Any, document: Mapping[str, Any]) -> Iterator[Finding]:
    definition = translator
    if isinstance(translator, str):
        definition = (document.get("translators") or _NOTHING).get(translator)
    if isinstance(definition, Mapping):
        source = definition.get("in") or name
        if source != name:
            yield _invalid(path, f'The translator reads "{source}", not "{name}".')
        if definition.get("out") == source:
            yield _invalid(path, "The translator writes the interface that it reads.")


def _upstream_interfaces(path: Path, model: Mapping[str, Any], version: Version) -> Iterator[Finding]:
    for index, upstream in enumerate(model.get("upstreams") or ()):
        interfaces = read(upstream or _NOTHING, "Upstream", "interfaces", version)
        if not interfaces:
            continue
        here = (*path, "upstreams", index)
        if not (as_text(read(upstream, "Upstream", "id", version)) or "").strip():
            yield _invalid((*here, "id"), "An upstream with interfaces needs an id.")
        base = read(upstream, "Upstream", "baseUrl", version)
        for name, interface in interfaces.items():
            if interface is None:
                yield _null_entry((*here, "interfaces", name))
            elif base is None and read(interface, "UpstreamInterface", "endpoint", version) is None:
                where = (*here, "interfaces", name)
                yield _invalid(where, "The interface has no endpoint, and the upstream no baseUrl.")


def null_upstreams(document: Mapping[str, Any], section: str, behaviour: Rules) -> Iterator[Finding]:
    """A null for the upstreams of a model or route, or among them, fails when Core sets up its balancers."""
    for name, entry in _entries(document, section):
        path: Path = (section, name, "upstreams")
        if "upstreams" not in entry or (behaviour.names_checked and "/" in name):
            continue
        if entry["upstreams"] is None:
            yield _null_upstreams(path, ("remove", path))
        else:
            for index, upstream in enumerate(entry["upstreams"]):
                if upstream is None:
                    yield _null_upstreams((*path, index), None)


def _null_upstreams(path: Path, operation: Mend | None) -> Finding:
    return report(
        "null-upstreams",
        path,
        "Upstreams cannot be null.",
        "Core does not start with it; for a route from 0.38 on, it starts and fails its calls. Before 0.38 a running "
        "Core takes the new settings over and still logs that the reload failed.",
        "Take it out, or write [].",
        operation,
    )


# --- what Core serves -------------------------------------------------------------------------------


def _settings(document: Mapping[str, Any], version: Version) -> Settings:
    """Everything in Core's order. The document is one in which nothing is refused before this point."""
    behaviour = rules(version)
    dropped = list(_dropped(document, behaviour))
    gone = {(entry.section, entry.name) for entry in dropped}
    roles = {name: role for name, role in _entries(document, "roles") if ("roles", name) not in gone}
    limits = {name: _limits(role["limits"]) for name, role in roles.items() if role.get("limits") is not None}
    return Settings(
        version=version,
        deployments=_shadowed(_deployments(document, version, gone), behaviour),
        limits=limits,
        without_limits=frozenset(roles.keys() - limits.keys()) if behaviour.role_needs_limits else frozenset(),
        cost_limits={n: _cost_limit(r["costLimit"]) for n, r in roles.items() if r.get("costLimit") is not None},
        keys=_keys(document, version),
        warnings=tuple(dropped),
    )


def _entries(document: Mapping[str, Any], section: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """The entries of a section; nulls are left out, since they are reported elsewhere."""
    if section == "assistants":
        entries = (document.get("assistant") or _NOTHING).get("assistants") or _NOTHING
    else:
        entries = document.get(section) or _NOTHING
    return ((name, entry) for name, entry in entries.items() if entry is not None)


def _dropped(document: Mapping[str, Any], behaviour: Rules) -> Iterator[Dropped]:
    if not behaviour.names_checked:
        return
    for section in ("models", "applications", "interceptors", "roles", "routes", "toolsets"):
        for name in document.get(section) or _NOTHING:
            if "/" in name:
                yield Dropped(section, name, "slash")
    for name in document.get("toolsets") or _NOTHING:
        if "/" not in name and not _TOOLSET_NAME.match(name):
            yield Dropped("toolsets", name, "toolset-name")


_OBJECT = {
    "models": "Model",
    "applications": "Application",
    "addons": "Addon",
    "assistants": "Assistant",
    "toolsets": "ToolSet",
    "interceptors": "Interceptor",
    "routes": "Route",
}


def _deployments(document: Mapping[str, Any], version: Version, gone: set[tuple[str, str]]) -> Iterator[Deployment]:
    behaviour = rules(version)
    for section in behaviour.sections:
        entries = [(name, entry) for name, entry in _entries(document, section) if (section, name) not in gone]
        if section == "routes" and behaviour.routes_sorted:
            entries.sort(key=lambda item: _order(item[1], version))
        base = section == "assistants" and (document.get("assistant") or _NOTHING).get("endpoint") is not None
        if base:
            entries = [(ASSISTANT, _NOTHING), *((name, entry) for name, entry in entries if name != ASSISTANT)]
        if section == "assistants":
            entries.sort(key=lambda item: item[0])  # Core holds them in no order of the document
        for name, entry in entries:
            roles = _user_roles(entry, _OBJECT[section], version)
            yield Deployment(section, name, roles, implicit=base and name == ASSISTANT)


def _order(route: Mapping[str, Any], version: Version) -> int:
    names = [key for key, (name, _) in shape("Route", version).fields.items() if name == "order" and key in route]
    return as_int(read(route, "Route", "order", version)) if names else INT_MAX


def _user_roles(entry: Mapping[str, Any], kind: str, version: Version) -> frozenset[str] | None:
    """None: open. Null elements match nobody and fall away (core-semantics 2)."""
    roles = as_texts(read(entry, kind, "userRoles", version))
    return None if roles is None else frozenset(role for role in roles if role is not None)


def read(entry: Mapping[str, Any], kind: str, name: str, version: Version) -> Any:
    """The value of a field in whatever spelling; of several spellings the later one wins (core-semantics 1.2)."""
    fields = shape(kind, version).fields
    value = None
    for spelling in entry:
        if fields.get(spelling, ("",))[0] == name:
            value = entry[spelling]
    return value


def _shadowed(deployments: Iterable[Deployment], behaviour: Rules) -> tuple[Deployment, ...]:
    """Mark what another section wins calls to, by the order of `selection` (core-semantics 4.6)."""
    everything = tuple(deployments)
    winner: dict[str, str] = {}
    for section in reversed(behaviour.selection):
        winner.update((item.name, section) for item in everything if item.section == section)
    return tuple(
        Deployment(item.section, item.name, item.user_roles, item.implicit, winner[item.name])
        if item.section in behaviour.selection and winner[item.name] != item.section
        else item
        for item in everything
    )


def _limits(entries: Mapping[str, Any]) -> dict[str, Limit]:
    return {name: read_limit(entry) for name, entry in entries.items() if entry is not None}


def read_limit(entry: Mapping[str, Any]) -> Limit:
    """One `roles.<role>.limits.<deployment>` as numbers; absent is unlimited, null is 0 (core-semantics 3.3)."""
    return tuple([as_long(entry[window]) if window in entry else UNLIMITED for window in WINDOWS])


def _cost_limit(entry: Mapping[str, Any]) -> CostLimit:
    return tuple(as_decimal(entry[window]) if window in entry else UNLIMITED_COST for window in COST_WINDOWS)


def _keys(document: Mapping[str, Any], version: Version) -> dict[str, Key]:
    inner_wins = rules(version).inner_key_wins
    keys: dict[str, Key] = {}
    for secret, entry in _entries(document, "keys"):
        inner = as_text(entry.get("key")) if inner_wins else None
        roles = [*(as_texts(entry.get("roles")) or ()), as_text(entry.get("role"))]
        project = as_text(entry.get("project")) or ""
        keys[inner if inner and inner.strip() else secret] = Key(project, tuple(r for r in roles if r is not None))
    return keys
