"""Findings on a whole document: what Core refuses, and what would surprise the people concerned.

Without `people` a document is judged by itself; with the groups of the pool, also by who they are.
Each check is a function from one `_Case` to findings; docs/checks.md has a paragraph for each code.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from deployments.core.access import access
from deployments.core.coerce import as_text
from deployments.core.findings import Finding, Path, report, sort_key
from deployments.core.limits import DEFAULT, NO_LIMIT, effective
from deployments.core.load import (
    COST_WINDOWS,
    UNLIMITED,
    WINDOWS,
    Deployment,
    Settings,
    describe_key,
    load,
    null_upstreams,
)
from deployments.core.render import render
from deployments.core.versions import SECTIONS, Version, as_field, rules, sections, shape

People = Mapping[str, int | AbstractSet[str]]
"""Groups of the pool: name to the ids of the members or, where only that is known, to their number."""

KIB = 1024
SHOWN = 3  # as many names as a sentence bears


@dataclass(frozen=True)
class _Case:
    """What the checks look at."""

    document: Mapping[str, Any]
    settings: Settings
    people: People | None

    @property
    def version(self) -> Version:
        return self.settings.version

    @cached_property
    def key_roles(self) -> frozenset[str]:
        """Roles that API keys hold."""
        return frozenset(role for key in self.settings.keys.values() for role in key.roles)

    @cached_property
    def attached(self) -> Mapping[str, tuple[Deployment, ...]]:
        """Role to the deployments that list it."""
        found: dict[str, list[Deployment]] = {}
        for deployment in self.settings.deployments:
            for role in sorted(deployment.user_roles or ()):
                found.setdefault(role, []).append(deployment)
        return {role: tuple(deployments) for role, deployments in found.items()}

    @cached_property
    def by_name(self) -> Mapping[str, tuple[Deployment, ...]]:
        """Name to the deployments of that name, which share their limits."""
        found: dict[str, list[Deployment]] = {}
        for deployment in self.settings.deployments:
            found.setdefault(deployment.name, []).append(deployment)
        return {name: tuple(deployments) for name, deployments in found.items()}

    @property
    def roles(self) -> Mapping[str, Any]:
        """The roles as written."""
        return self.document.get("roles") or {}

    def holders(self, role: str) -> str:
        """Who holds a role, for a sentence: `12 people of analysts`."""
        if self.people is None or role not in self.people:
            return f"the holders of {role}"
        number = _number(self.people[role])
        return f"{number} {'person' if number == 1 else 'people'} of {role}"

    def are(self, role: str, plural: str, singular: str) -> str:
        """Begins a sentence about the holders of a role: `12 people of analysts have`, `1 person of legal has`."""
        alone = self.people is not None and role in self.people and _number(self.people[role]) == 1
        return f"{_upper(self.holders(role))} {singular if alone else plural}"


def check(document: Mapping[str, Any], version: Version, *, people: People | None = None) -> list[Finding]:
    """All findings on a merged document for a Core version, errors first.

    With errors of Core's parser among them the finer checks wait until those are mended. Never raises
    for a parsed document.
    """
    loaded = load(document, version)
    if loaded.settings is None:
        findings = [*loaded.findings, *_sections_ignored(document, version)]
    else:
        case = _Case(document, loaded.settings, people)
        findings = [finding for one in _CHECKS for finding in one(case)]
        findings.extend(_sections_ignored(document, version))
    findings.extend(_size(document))
    return sorted(findings, key=sort_key)


# --- Core loads it and fails later --------------------------------------------------------------------


def _roles_without_limits(case: _Case) -> Iterator[Finding]:
    for role in sorted(case.settings.without_limits):
        who = "everyone" if role == DEFAULT else case.holders(role)
        yield report(
            "role-without-limits",
            ("roles", role),
            f'The role {role} has no "limits".',
            f"Core {case.version} answers 500 to every call of {who} to a deployment that the role opens.",
            'Write "limits": {} at least.',
            ("set", ("roles", role, "limits"), {}),
        )


def _null_cost_limits(case: _Case) -> Iterator[Finding]:
    for role, limit in case.settings.cost_limits.items():
        for window, cost in zip(COST_WINDOWS, limit, strict=True):
            if cost is None:
                path = ("roles", role, "costLimit", window)
                yield report(
                    "null-cost-limit",
                    path,
                    f"The cost limit of {role} per {window} is null.",
                    "Core fails as soon as it compares it with what was spent, or with another role's cost limit.",
                    "Leave the window out for no limit.",
                    ("remove", path),
                )


def _null_retriable_codes(case: _Case) -> Iterator[Finding]:
    path = ("retriableErrorCodes",)
    if "retriableErrorCodes" in case.document and case.document["retriableErrorCodes"] is None:
        yield report(
            "null-retriable-codes",
            path,
            "The list of retriable error codes is null.",
            "Core loads it and fails when an upstream answers with an error.",
            "Take it out, or write [].",
            ("remove", path),
        )


def _null_upstreams_of_routes(case: _Case) -> Iterator[Finding]:
    """Where loading does not look at them, calls fail on them."""
    return null_upstreams(case.document, "routes", case.settings.rules)


# --- access -------------------------------------------------------------------------------------------


def _access_of_deployments(case: _Case) -> Iterator[Finding]:
    for deployment in case.settings.deployments:
        kind = access(deployment)
        if deployment.implicit:
            yield _base_assistant(case, deployment)
        elif kind == "open":
            yield from _open(case, deployment)
        elif kind == "closed":
            yield report(
                "closed-deployment",
                deployment.path,
                f"{deployment.name} is closed: its list of roles is empty.",
                "Nobody reaches it, administrators included.",
                "Attach a role, if someone should reach it.",
            )


def _open(case: _Case, deployment: Deployment) -> Iterator[Finding]:
    written = _written_roles(case, deployment)
    if written is None:
        yield report(
            "open-deployment",
            deployment.path,
            f"{deployment.name} is open: it has no list of roles.",
            "Everyone who can sign in reaches it, also with no group at all, and so does every API key.",
            "Attach the roles that should reach it, if not everyone should.",
        )
        return
    path = (*deployment.path, written)
    yield report(
        "null-user-roles",
        path,
        f"The list of roles of {deployment.name} is null. Null opens it; [] would close it.",
        "Everyone who can sign in reaches it, also with no group at all, and so does every API key.",
        "Write the list of roles, [] to close it, or leave it out to open it knowingly.",
    )


def _written_roles(case: _Case, deployment: Deployment) -> str | None:
    """The key under which the list of roles is written."""
    entry: Any = case.document
    for step in deployment.path:
        entry = entry[step]
    fields = shape(_OBJECTS[deployment.section], case.version).fields
    return next((key for key in reversed(entry) if fields.get(key, ("",))[0] == "userRoles"), None)


_OBJECTS = {
    "models": "Model",
    "applications": "Application",
    "addons": "Addon",
    "assistants": "Assistant",
    "toolsets": "ToolSet",
    "interceptors": "Interceptor",
    "routes": "Route",
}


def _base_assistant(case: _Case, deployment: Deployment) -> Finding:
    written = (case.document["assistant"].get("assistants") or {}).get(deployment.name) is not None
    return report(
        "base-assistant",
        deployment.path,
        "The endpoint of assistants makes Core add an assistant of its own, named assistant"
        + (", in place of the one that is written." if written else "."),
        "Everyone reaches it; it cannot be restricted, and it stands in no listing."
        + (" The roles that are written for it have no effect." if written else ""),
        "Write an endpoint at each assistant and take the common one out, if nobody should reach it.",
    )


def _attached_roles(case: _Case) -> Iterator[Finding]:
    """Roles that nobody can hold, and roles that are written in two ways."""
    if case.people is None:
        yield from _spellings_within(case)
        return
    backed = case.people.keys() | case.key_roles
    letters = _by_letters(backed)
    for role, deployments in case.attached.items():
        if role in backed:
            continue
        place, names = deployments[0].path, _names(deployment.name for deployment in deployments)
        twin = letters.get(_letters(role))
        if twin is not None:
            yield report(
                "role-spelling",
                place,
                f'"{role}" is attached, and the group is named "{twin}". Core compares every character.',
                f"{case.are(twin, 'do', 'does')} not reach {names} by it.",
                f'Attach "{twin}".',
            )
            continue
        near = _near(role, case.people)
        yield report(
            "role-unbacked",
            place,
            f'No group of the pool and no API key has the role "{role}".'
            + (f' "{near[0]}" is meant, perhaps.' if near else ""),
            f"Nobody reaches {names} by it.",
            f'Attach "{near[0]}" instead.' if near else "Create the group, or detach the role.",
        )


def _spellings_within(case: _Case) -> Iterator[Finding]:
    """Without the pool: attached roles that differ from another one of the document in case or spaces only."""
    everything = [*case.attached, *sorted(case.key_roles), *case.settings.limits]
    first: dict[str, str] = {}
    for role in dict.fromkeys(everything):
        twin = first.setdefault(_letters(role), role)
        if twin != role:
            deployments = case.attached.get(role, ())
            yield report(
                "role-spelling",
                deployments[0].path if deployments else ("roles", role) if role in case.roles else ("keys",),
                f'"{role}" and "{twin}" are two roles to Core, which compares every character.',
                "Whoever holds the one has nothing of the other.",
                "Write the name of the group exactly, in all places.",
            )


def _letters(role: str) -> str:
    """A role without what people overlook: case, spaces around, the form of Unicode."""
    return unicodedata.normalize("NFKC", role).strip().casefold()


def _by_letters(roles: Iterable[str]) -> dict[str, str]:
    return {_letters(role): role for role in sorted(roles, reverse=True)}


def _default_role(case: _Case) -> Iterator[Finding]:
    if case.people is not None and DEFAULT in case.people:
        yield report(
            "default-role",
            ("roles", DEFAULT),
            f'A group of the pool is named "{DEFAULT}".',
            "Its limits are everybody's fallback: they apply to people who are not in the group.",
            "Give the group another name.",
        )
    deployments = case.attached.get(DEFAULT, ())
    if deployments and not (case.people is not None and DEFAULT in case.people) and DEFAULT not in case.key_roles:
        yield report(
            "default-role",
            deployments[0].path,
            f'"{DEFAULT}" is attached. It does not stand for everyone.',
            f"Only someone who really holds a role of that name reaches {_names(d.name for d in deployments)} by it.",
            "Attach the groups that are meant, or open the deployment.",
        )


def _admin_groups(case: _Case) -> Iterator[Finding]:
    """Core's default rule for administrators is: a role contains "admin", in whatever case (core-semantics 2)."""
    names = case.people if case.people is not None else case.attached
    for name in sorted(names):
        if "admin" in name.lower():
            yield report(
                "admin-group",
                ("roles", name) if name in case.roles else (),
                f'The group "{name}" contains "admin".',
                f"Unless Core's access.admin.rules are set, {case.holders(name)} "
                "can administer Core: stored resources, publications, reloads.",
                "Set access.admin.rules in Core's static settings, or give the group another name.",
            )


def _names_and_sections(case: _Case) -> Iterator[Finding]:
    """Names that two deployments share (core-semantics 4.6)."""
    for deployment in case.settings.deployments:
        if deployment.shadowed_by is not None:
            yield report(
                "shadowed-name",
                deployment.path,
                f'"{deployment.name}" is also the name of an entry of "{deployment.shadowed_by}".',
                f"Calls to {deployment.name} go there, with the roles that are written there; this entry is never "
                "called. From Core 0.38 on the whole file is refused.",
                "Give one of the two another name.",
            )
        elif deployment.name == "interceptor" or (
            deployment.name == "assistant"
            and not deployment.implicit
            and deployment.section in rules(case.version).selection
        ):
            yield report(
                "reserved-id",
                deployment.path,
                f'"{deployment.name}" has a meaning of its own in Core.',
                "Calls to this name may end elsewhere.",
                "Give it another name.",
            )
    for name, deployments in case.by_name.items():
        unshadowed = [deployment for deployment in deployments if deployment.shadowed_by is None]
        if len(unshadowed) > 1:
            yield report(
                "shared-name",
                unshadowed[1].path,
                f'"{name}" is the name of entries of {_names(deployment.section for deployment in unshadowed)}.',
                "They are called apart, and the limits of that name apply to both.",
                "Give them different names, if their limits should differ.",
            )


def _slashes(case: _Case) -> Iterator[Finding]:
    for dropped in case.settings.warnings:
        why = 'contains "/"' if dropped.reason == "slash" else "has characters other than A-Z, a-z, 0-9, _ and -"
        lost = "Callers do not find it: it is gone, with its roles."
        if dropped.section == "roles":
            lost = (
                f"The limits of {case.holders(dropped.name)} are gone, those of 0 included: default applies, or no "
                "limit at all. Deployments that list the role still let it in."
            )
        yield report(
            "name-dropped",
            (dropped.section, dropped.name),
            f'The name "{dropped.name}" {why}: Core {case.version} leaves the entry out and only logs it.',
            lost,
            "Give it another name.",
        )
    if case.settings.rules.names_checked:
        return
    for section in ("models", "applications", "interceptors", "roles", "routes", "toolsets"):
        names = [name for name in case.document.get(section) or () if "/" in name]
        if names and section in sections(case.version):
            yield report(
                "name-with-slash",
                (section, names[0]),
                f'In "{section}", {_names(names)} {"contains" if len(names) == 1 else "contain"} "/".',
                "Core 0.38 and later leaves such entries out and only logs it; for roles their limits vanish.",
                'Choose names without "/" before the next upgrade.',
            )


def _sections_ignored(document: Mapping[str, Any], version: Version) -> Iterator[Finding]:
    """Sections that this version does not read: what is in them silently vanishes (core-semantics 5, 11)."""
    known = sections(version)
    for field in map(as_field, SECTIONS):
        value = document.get(field.name)
        if field.name in known or not value:
            continue
        gone = _vanishing(field.name, value)
        when = f"only from {field.since} on" if version < field.since else f"no longer, since {field.until}"
        shown = "; ".join(gone[:20]) + ("; …" if len(gone) > 20 else "")
        yield report(
            "section-ignored",
            (field.name,),
            f'Core {version} does not read "{field.name}" ({when}).',
            f"{len(gone)} {'deployment vanishes' if len(gone) == 1 else 'deployments vanish'} without a word, and the "
            f"access to {'it' if len(gone) == 1 else 'them'}: {shown}."
            if gone
            else "What is written there has no effect, without a word.",
            "Move what is needed to sections that this version reads, or choose another target version.",
        )


def _vanishing(section: str, value: Any) -> list[str]:
    """The deployments of an ignored section, each with who reaches it; of whatever shape the section is."""
    gone = []
    if section == "assistant" and isinstance(value, Mapping):
        if value.get("endpoint") is not None:
            gone.append("assistant (open to everyone)")
        value = value.get("assistants")
    if section in ("addons", "assistant", "toolsets") and isinstance(value, Mapping):
        gone.extend(f"{name} ({_audience(entry)})" for name, entry in value.items())
    return gone


def _audience(entry: Any) -> str:
    roles = entry.get("userRoles", entry.get("user_roles")) if isinstance(entry, Mapping) else None
    if not isinstance(roles, list):
        return "open to everyone"
    return "for " + _names(map(str, roles)) if roles else "closed"


def _two_spellings(case: _Case) -> Iterator[Finding]:
    """userRoles written twice in one entry; the later one counts (core-semantics 1.2)."""
    for deployment in case.settings.deployments:
        if deployment.implicit:
            continue
        entry: Any = case.document
        for step in deployment.path:
            entry = entry[step]
        fields = shape(_OBJECTS[deployment.section], case.version).fields
        spelt = [key for key in entry if fields.get(key, ("",))[0] == "userRoles"]
        if len(spelt) > 1:
            yield report(
                "two-spellings",
                (*deployment.path, spelt[0]),
                f"The roles of {deployment.name} are written as {_names(spelt)}. Core reads the last one only.",
                f'The roles under "{spelt[0]}" have no effect.',
                f'Write all roles under "{spelt[-1]}".',
            )


def _keys(case: _Case) -> Iterator[Finding]:
    for index, (secret, entry) in enumerate((case.document.get("keys") or {}).items()):
        inner = as_text(entry.get("key"))
        if inner and inner.strip() and inner != secret:
            wins = case.settings.rules.inner_key_wins
            yield report(
                "inner-key",
                ("keys", index, "key"),
                f"{describe_key(index, as_text(entry.get('project')))} has another key written inside.",
                f"Core {case.version} accepts {'the inner one only' if wins else 'the outer one only'}.",
                "Write the key once, outside.",
            )
    if case.people is not None:
        for role in sorted(case.key_roles & case.people.keys()):
            yield report(
                "key-role-is-group",
                ("roles", role) if role in case.roles else ("keys",),
                f'"{role}" is a group of the pool and a role of API keys.',
                "What the group may do, those keys may do, and the other way round.",
                "Give the keys a role of their own, if that is not meant.",
            )


# --- limits -------------------------------------------------------------------------------------------


def _written_limits(case: _Case) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Role, deployment name and entry of every limit as written."""
    for role in case.settings.limits:
        for name, entry in case.roles[role]["limits"].items():
            if entry is not None:
                yield role, name, entry


def _null_limits(case: _Case) -> Iterator[Finding]:
    """Null, blank and `0.5` are 0 to Core, which denies; people who write null mean no limit."""
    for role, name, entry in _written_limits(case):
        for window in WINDOWS:
            value = entry.get(window, UNLIMITED)
            if not _is_zero_unawares(value):
                continue
            path = ("roles", role, "limits", name, window)
            yield report(
                "null-limit",
                path,
                f"The limit of {role} on {name} per {_per(window)} is written as {_as_written(value)}; Core reads 0.",
                f"{case.are(role, 'are', 'is')} denied {name} by it.",
                "Leave the window out for no limit, or write 0 to deny knowingly.",
                ("remove", path),
            )


def _is_zero_unawares(value: Any) -> bool:
    """Whether Core reads 0 where no 0 is written."""
    if isinstance(value, str):
        return not any(character.isdigit() for character in value)
    return value is None or (isinstance(value, float) and value != 0 and int(value) == 0)


def _as_written(value: Any) -> str:
    return "null" if value is None else f'"{value}"' if isinstance(value, str) else "a fraction below 1"


def _per(window: str) -> str:
    return {"requestHour": "hour (requests)", "requestDay": "day (requests)"}.get(window, f"{window} (tokens)")


def _lifted_zeros(case: _Case) -> Iterator[Finding]:
    """A limit that denies, and a role that lifts it for those who hold both (core-semantics 3.1)."""
    enforced = case.settings.rules.enforced
    for name, entries in case.settings.entries.items():
        deployments = [deployment for deployment in case.by_name.get(name, ()) if deployment.section in enforced]
        if not deployments:
            continue
        roles = deployments[0].user_roles
        heard = {role: limit for role, limit in entries.items() if roles is None or role in roles}
        allowing = [role for role, limit in sorted(heard.items()) if min(limit) > 0]
        denying = [role for role, limit in sorted(heard.items()) if min(limit) <= 0]
        for role in denying:
            # two that deny in different windows lift each other
            together = [other for other in denying if min(map(max, heard[role], heard[other])) > 0]
            lifting = [other for other in (*allowing, *together) if _may_meet(case, role, other)]
            if lifting:
                yield _lifted(case, role, name, lifting)


def _may_meet(case: _Case, role: str, other: str) -> bool:
    """Whether somebody may hold both roles; for certain only when the members of both groups are known."""
    if case.people is None:
        return True
    one, two = case.people.get(role, 0), case.people.get(other, 0)
    both_in_a_key = any(role in key.roles and other in key.roles for key in case.settings.keys.values())
    if isinstance(one, int) or isinstance(two, int):
        return both_in_a_key or bool(one and two)
    return both_in_a_key or not one.isdisjoint(two)


def _lifted(case: _Case, role: str, name: str, lifting: list[str]) -> Finding:
    who = f"Whoever also holds {_names(lifting, 'or')}"
    members = case.people.get(role) if case.people is not None else None
    if isinstance(members, AbstractSet) and case.people is not None:
        others = [case.people.get(other) for other in lifting]
        lifted = {person for group in others if isinstance(group, AbstractSet) for person in group & members}
        if lifted:
            who = (
                f"{len(lifted)} of {_number(members)} people of {role} also hold {_names(lifting, 'or')}: each of them"
            )
    return report(
        "zero-lifted",
        ("roles", role, "limits", name),
        f"The limit of {role} on {name} denies, and {_names(lifting)} {'lifts' if len(lifting) == 1 else 'lift'} it.",
        f"{who} can call {name} all the same: Core takes the largest limit.",
        f"Restrict {name} to the roles that should reach it. A limit of 0 keeps nobody out for certain.",
    )


def _empty_limits(case: _Case) -> Iterator[Finding]:
    fallback = case.settings.limits.get(DEFAULT, {})
    for role, limits in case.settings.limits.items():
        for name, limit in limits.items():
            if role != DEFAULT and limit == NO_LIMIT and fallback.get(name, NO_LIMIT) != NO_LIMIT:
                path = ("roles", role, "limits", name)
                yield report(
                    "empty-limit",
                    path,
                    f"The limit of {role} on {name} is empty, and {DEFAULT} has one.",
                    f"{case.are(role, 'have', 'has')} no limit on {name}; that of {DEFAULT} does not apply to them.",
                    f"Take the empty entry out, so that the limit of {DEFAULT} applies, or leave it for no limit.",
                    ("remove", path),
                )


def _limits_on_nothing(case: _Case) -> Iterator[Finding]:
    """Limits for names that are no deployment, and limits that Core does not look at."""
    enforced = case.settings.rules.enforced
    for name, entries in case.settings.entries.items():
        deployments = case.by_name.get(name, ())
        role = next(iter(entries))
        path: Path = ("roles", role, "limits", name)
        if not deployments:
            near = _near(name, case.by_name)
            yield report(
                "limit-unknown-deployment",
                path,
                f'There are limits for "{name}" ({_names(entries)}), and no deployment of that name.'
                + (f' "{near[0]}" is meant, perhaps.' if near else ""),
                "The limits have no effect.",
                f'Write "{near[0]}".' if near else "Take the limits out.",
                ("rename", path, near[0]) if near and len(entries) == 1 and _same_letters(near[0], name) else None,
            )
        elif not any(deployment.section in enforced for deployment in deployments):
            yield report(
                "limit-not-enforced",
                path,
                f"There are limits on {name} ({_names(entries)}), which is one of the {deployments[0].section}.",
                f"Core {case.version} does not apply them; newer versions do, and would start to deny or stop calls.",
                f"Restrict {name} by roles, or limit the models behind it.",
            )
        elif case.settings.rules.one_id_space and not any(d.section == "models" for d in deployments):
            yield from _tokens_on_others(case, name, deployments[0], path)


def _near(name: str, names: Iterable[str]) -> list[str]:
    """The name that is meant, perhaps. One with other digits never is: gpt-35 is no slip for gpt-4."""
    digits = [character for character in name if character.isdigit()]
    alike = (other for other in names if [character for character in other if character.isdigit()] == digits)
    return difflib.get_close_matches(name, alike, n=1, cutoff=0.8)


def _same_letters(one: str, other: str) -> bool:
    return _letters(one) == _letters(other)


def _tokens_on_others(case: _Case, name: str, deployment: Deployment, path: Path) -> Iterator[Finding]:
    """New versions charge tokens for models only, so that elsewhere only 0 and requests count (3.4)."""
    tokens = slice(0, 4)
    limits = case.settings.entries[name].values()
    if any(limit[tokens] != NO_LIMIT[tokens] and min(limit) > 0 for limit in limits):
        yield report(
            "limit-not-enforced",
            path,
            f"There are limits of tokens on {name}, which is one of the {deployment.section}.",
            "Core counts tokens for models only: the limit is never reached.",
            "Limit the requests, or the models behind it.",
        )


def _unlimited_access(case: _Case) -> Iterator[Finding]:
    """Attached roles for which nothing is limited, on deployments where limits are the rule."""
    for deployment in case.settings.deployments:
        if (
            deployment.section != "models"
            or not deployment.user_roles
            or not case.settings.entries.get(deployment.name)
        ):
            continue
        free = [r for r in sorted(deployment.user_roles) if effective(case.settings, deployment, {r}).unlimited]
        if free:
            who = " and ".join(case.holders(role) for role in free[:SHOWN])
            more = f", and those of {len(free) - SHOWN} more roles," if len(free) > SHOWN else ""
            reach = case.are(free[0], "reach", "reaches") if len(free) == 1 else f"{_upper(who)}{more} reach"
            yield report(
                "no-limit",
                deployment.path,
                f"{deployment.name} has limits for some roles, and none for {_names(free)}.",
                f"{reach} {deployment.name} without a limit.",
                f"Write limits for {'that role' if len(free) == 1 else 'those roles'}, or for {DEFAULT}.",
            )


# --- references, and how the file travels -------------------------------------------------------------


def _references(case: _Case) -> Iterator[Finding]:
    """Interceptors and addons that are named and not there; Core does not check them (core-semantics 4.6)."""
    interceptors = (case.document.get("interceptors") or {}).keys()
    addons = (case.document.get("addons") or {}).keys()
    for deployment in case.settings.deployments:
        if deployment.implicit:
            continue
        entry: Any = case.document
        for step in deployment.path:
            entry = entry[step]
        for key, there in (("interceptors", interceptors), ("addons", addons)):
            listed = entry.get(key)
            for index, name in enumerate(listed if isinstance(listed, list) else ()):
                if (
                    isinstance(name, str)
                    and name not in there
                    and (key == "interceptors" or deployment.section == "assistants")
                ):
                    yield _dangling((*deployment.path, key, index), name, key, deployment.name)
    if "globalInterceptors" in sections(case.version):
        for index, name in enumerate(case.document.get("globalInterceptors") or ()):
            if isinstance(name, str) and name not in interceptors:
                yield _dangling(("globalInterceptors", index), name, "interceptors", "every deployment")


def _dangling(path: Path, name: str, section: str, user: str) -> Finding:
    return report(
        "unknown-reference",
        path,
        f'"{name}" is not one of the {section}.',
        f"Core loads it; calls to {user} fail.",
        f'Add "{name}" to "{section}", or take the name out.',
    )


def _size(document: Mapping[str, Any]) -> Iterator[Finding]:
    """The ways of delivery that a file of this size cannot take (core-semantics 6)."""
    text = render(document)
    size = len(text.encode("utf-8", "replace"))
    shown = f"The file has {size // KIB} KiB"
    if size >= 64 * KIB:
        yield report(
            "large-for-secrets-manager",
            (),
            f"{shown}; a secret of AWS Secrets Manager holds 64 KiB.",
            "It cannot be released to Secrets Manager.",
            "Release to a file, to S3 or to Kubernetes.",
        )
    if size >= 128 * KIB:
        yield report(
            "large-for-helm",
            (),
            f"{shown}; the Helm chart also puts the secret into an environment variable, which holds 128 KiB.",
            'Pods would not start ("Argument list too long").',
            "Mount a ConfigMap or Secret of your own as a directory, outside the chart's secrets.",
        )
    if size >= 1024 * KIB:
        yield report(
            "large-for-kubernetes",
            (),
            f"{shown}; ConfigMaps and Secrets of Kubernetes hold 1024 KiB.",
            "The manifest would be refused.",
            "Split the settings over several files, which Core merges.",
        )
    if "{{" in text:
        path = _first_braces(document, ())
        yield report(
            "helm-template",
            path or (),
            'There is "{{" in a text.',
            "The Helm chart takes its secrets for templates: it would try to run this text, or fail on it.",
            "Do not pass this file through the chart's secrets.",
        )


def _first_braces(value: Any, path: Path) -> Path | None:
    """Where the first "{{" is, as a value or as a name."""
    if isinstance(value, str):
        return path if "{{" in value else None
    if not isinstance(value, Mapping | list):
        return None
    items: Iterable[tuple[str | int, Any]] = value.items() if isinstance(value, Mapping) else enumerate(value)
    for position, (key, item) in enumerate(items):
        here: Path = (*path, position if path == ("keys",) else key)
        if isinstance(key, str) and "{{" in key:
            return here
        if (found := _first_braces(item, here)) is not None:
            return found
    return None


# --- words --------------------------------------------------------------------------------------------


def _names(names: Iterable[str], word: str = "and") -> str:
    """Some names for a sentence: `a, b and 5 more`."""
    every = list(dict.fromkeys(names))
    if len(every) > SHOWN:
        return f"{', '.join(every[:SHOWN])} {word} {len(every) - SHOWN} more"
    return f" {word} ".join([", ".join(every[:-1]), every[-1]]) if len(every) > 1 else "".join(every)


def _upper(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _number(members: int | AbstractSet[str]) -> int:
    return members if isinstance(members, int) else len(members)


_CHECKS: tuple[Callable[[_Case], Iterator[Finding]], ...] = (
    _roles_without_limits,
    _null_cost_limits,
    _null_retriable_codes,
    _null_upstreams_of_routes,
    _access_of_deployments,
    _attached_roles,
    _default_role,
    _admin_groups,
    _names_and_sections,
    _slashes,
    _two_spellings,
    _keys,
    _null_limits,
    _lifted_zeros,
    _empty_limits,
    _limits_on_nothing,
    _unlimited_access,
    _references,
)
