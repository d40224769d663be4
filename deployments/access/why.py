"""Why somebody reaches a deployment, or does not: Core's derivation step by step, in words. Pure.

The verdict is that of `deployments.core`; this module only says how it comes about, and which single
change would turn it round.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Literal

from deployments.access.index import KINDS, REACHES, State, outcome
from deployments.core.access import access, admitting_roles, is_allowed
from deployments.core.limits import DEFAULT, Effective, contributors, effective
from deployments.core.load import UNLIMITED, WINDOWS, Deployment, Limit, Settings
from deployments.limits import WINDOWS as LABELLED

Kind = Literal["join", "attach", "open", "raise", "leave", "detach", "close", "mend"]

LABELS: Mapping[str, str] = {window.field: window.label.lower() for window in LABELLED}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that Core does on the way. `items` are the roles or limits that it looks at."""

    title: str
    text: str
    items: tuple[str, ...] = ()
    warning: bool = False  # something that people commonly take for otherwise


@dataclass(frozen=True, slots=True)
class Change:
    """One change that alone would turn the answer round; `state` and `limit` (in words) are what would hold then.

    `role` is the group to join or leave, or the role to attach, detach or change; empty where it is none.
    """

    kind: Kind
    role: str
    text: str
    state: State
    limit: str = ""


@dataclass(frozen=True)
class Explanation:
    """What Core answers one set of roles about one deployment, how it comes to it, and what would turn it round.

    `listed`: let in by `userRoles`. `via`: the roles that let in; empty when open. `limit` is None where
    Core of this version can tell no limit (core-semantics 3.4). `enforced`: whether limits apply there.
    """

    deployment: Deployment
    listed: bool
    via: tuple[str, ...]
    limit: Effective | None
    enforced: bool
    state: State
    steps: tuple[Step, ...]
    changes: tuple[Change, ...]

    @property
    def reaches(self) -> bool:
        return self.state in REACHES

    @property
    def kind(self) -> str:
        return KINDS[self.deployment.section]

    @property
    def said(self) -> str:
        """The limit in effect in words; empty where none applies or nothing is reached."""
        return say(self.limit.limit) if self.state == "limited" and self.limit else ""

    @property
    def verdict(self) -> str:
        """The answer in one sentence."""
        name = self.deployment.name
        return {
            "unlimited": f"They reach {name}, without any limit.",
            "limited": f"They reach {name}, with limits.",
            "denied": f"They are let in to {name}, but a limit of 0 or less denies every call (403).",
            "unlisted": f"They do not reach {name}: it does not list any of their roles (403).",
            "failed": f"Every call to {name} fails (500): a role is written without limits.",
            "shadowed": f"They do not reach this {self.kind}: calls to {name} go to another deployment.",
        }[self.state]


def explain(settings: Settings, deployment: Deployment, roles: AbstractSet[str]) -> Explanation:
    """How Core of `settings.version` answers somebody with exactly these roles."""
    state, limit = outcome(settings, deployment, roles)
    return Explanation(
        deployment=deployment,
        listed=is_allowed(deployment, roles),
        via=tuple(sorted(admitting_roles(deployment, roles))),
        limit=limit,
        enforced=deployment.section in settings.rules.enforced,
        state=state,
        steps=tuple(_steps(settings, deployment, roles)),
        changes=tuple(_changes(settings, deployment, roles, state)),
    )


# --- the steps ----------------------------------------------------------------------------------------


def _steps(settings: Settings, deployment: Deployment, roles: AbstractSet[str]) -> Iterator[Step]:
    yield _name_step(settings, deployment)
    if deployment.shadowed_by is not None:
        return
    yield _access_step(deployment, roles)
    if deployment.user_roles:
        yield from _near_misses(deployment.user_roles, roles)
    if is_allowed(deployment, roles):
        yield from _limit_steps(settings, deployment, roles)
        yield from _beside(settings, deployment)


def _name_step(settings: Settings, deployment: Deployment) -> Step:
    kind, name = KINDS[deployment.section], deployment.name
    if deployment.shadowed_by is not None:
        winner = KINDS[deployment.shadowed_by]
        text = f"Core finds {_a(winner)} of the same name first, so no call ever gets to this {kind}."
        return Step("The name", text, warning=True)
    if deployment.implicit:
        text = "Core adds the base assistant by itself, because assistant.endpoint is set. Nothing can restrict it."
        return Step("The name", text, warning=True)
    if deployment.section == "routes":
        text = "Core takes the first route whose path and method fit the call. It does not go on to a later one."
    elif deployment.section == "addons":
        text = f"An assistant that uses the addon {name} has it checked for the caller, not for itself."
    elif deployment.section == "interceptors":
        text = f"A call names the interceptor {name}. As part of a chain an interceptor is not checked at all."
    else:
        text = f"A call names {name}, and Core finds the {kind} of exactly that name."
    return Step("The name", text)


def _access_step(deployment: Deployment, roles: AbstractSet[str]) -> Step:
    state = access(deployment)
    title = "Who is let in"
    if state == "open":
        return Step(title, "It has no userRoles, so it is open to everyone who signs in and to every API key.")
    if state == "closed":
        return Step(title, "Its userRoles is an empty list, so it is closed to everyone, administrators included.")
    listed = len(deployment.user_roles or ())
    admitting = tuple(sorted(admitting_roles(deployment, roles)))
    if admitting:
        return Step(title, f"Its userRoles lists {_count(listed, 'role')}. These of theirs let them in:", admitting)
    theirs = f"none of their {len(roles)} roles is among them" if len(roles) > 1 else "their one role is not among them"
    if not roles:
        theirs = "they hold no role at all"
    return Step(title, f"Its userRoles lists {_count(listed, 'role')}, and {theirs}.")


def _near_misses(listed: AbstractSet[str], roles: AbstractSet[str]) -> Iterator[Step]:
    """Names that people take for equal and Core does not."""
    by_form: dict[str, list[str]] = {}
    for name in sorted(listed - roles):
        by_form.setdefault(_form(name), []).append(name)
    pairs = tuple(f"{name} is not {other}" for name in sorted(roles - listed) for other in by_form.get(_form(name), ()))
    if pairs:
        text = "Core compares names byte for byte: case, spaces and the form of letters count."
        yield Step("Names that only look alike", text, pairs, warning=True)


def _form(name: str) -> str:
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


def _limit_steps(settings: Settings, deployment: Deployment, roles: AbstractSet[str]) -> Iterator[Step]:
    if deployment.section not in settings.rules.enforced:
        text = f"Core {settings.version} applies no limits to {_plural(deployment)}: what is written does not count."
        yield Step("Limits", text)
        return
    result = effective(settings, deployment, roles)
    if result.failing:
        whom = "everyone" if DEFAULT in result.failing else "whoever holds it"
        text = f"A role is written without limits. Core {settings.version} answers 500 to {whom}."
        yield Step("Limits", text, result.failing, warning=True)
        return
    entries = settings.entries.get(deployment.name, {})
    counting = "their roles" if deployment.user_roles is None else "the roles that let them in"
    own = tuple(role for role in result.roles if role in roles)
    if own:
        text = f"Of {counting}, these have an entry for {deployment.name}:"
        yield Step("Which limits count", text, tuple(f"{role}: {say(entries[role])}" for role in own))
        if len(own) > 1:
            yield Step("The largest counts", "Per window Core takes the largest; no number is unlimited, and wins:",
                       tuple(_winners(settings, deployment, result)))  # fmt: skip
    elif result.roles:
        text = f"None of {counting} has an entry for {deployment.name}, so that of default applies:"
        yield Step("Which limits count", text, (say(entries[DEFAULT]),))
    else:
        text = f"Neither {counting} nor default have an entry for {deployment.name}: there is no limit."
        yield Step("Which limits count", text)
    ignored = tuple(sorted(entries.keys() & (roles - admitting_roles(deployment, roles))))
    if ignored and deployment.user_roles is not None:
        text = f"They also hold roles with an entry for {deployment.name} that it does not list. Core passes over them:"
        yield Step("Limits that do not count", text, ignored, warning=True)
    if result.denied:
        windows = ", ".join(LABELS[window] for window, number in result.as_dict().items() if number <= 0)
        yield Step("Denied", f"A limit of 0 or less denies every call: {windows}.", warning=True)


def _winners(settings: Settings, deployment: Deployment, result: Effective) -> Iterator[str]:
    """Per window the number in effect, and from which role."""
    entries = settings.entries[deployment.name]
    for (window, roles), number in zip(contributors(result, settings, deployment).items(), result.limit, strict=True):
        written = any(entries[role][WINDOWS.index(window)] != UNLIMITED for role in result.roles)
        if number != UNLIMITED:
            yield f"{LABELS[window]}: {number:,} from {', '.join(roles)}"
        elif written:
            yield f"{LABELS[window]}: unlimited from {', '.join(roles)}"


def _beside(settings: Settings, deployment: Deployment) -> Iterator[Step]:
    """What else is checked on such a call."""
    if settings.rules.one_id_space and deployment.section != "models" and settings.entries.get(deployment.name):
        text = "Only models use up tokens. Elsewhere limits of requests count, and a 0 in any window."
        yield Step("Tokens and requests", text)
    if deployment.section == "assistants":
        text = "Its model and each addon in use are checked too, for the same caller. They need all of them."
        yield Step("More is checked", text)
    if settings.cost_limits:
        yield Step("Costs", "Beside this, a cost limit of their roles holds for all deployments together.")


# --- what would turn it round ---------------------------------------------------------------------------


def _changes(settings: Settings, deployment: Deployment, roles: AbstractSet[str], state: State) -> Iterator[Change]:
    """Every single change after which the answer is another: reached, or no longer reached."""
    if state == "shadowed" or (deployment.implicit and state in REACHES):
        return
    settings = _only(settings, deployment)
    for kind, role, text, after, held in _candidates(settings, deployment, roles, state):
        then, limit = outcome(after[0], after[1], held)
        if (then in REACHES) != (state in REACHES):
            yield Change(kind, role, text, then, say(limit.limit) if limit and then == "limited" else "")


def _only(settings: Settings, deployment: Deployment) -> Settings:
    """The settings with the limits of this deployment alone: cheap to change."""
    entries = settings.entries.get(deployment.name, {})
    return replace(settings, limits={role: {deployment.name: limit} for role, limit in entries.items()})


_Candidate = tuple[Kind, str, str, tuple[Settings, Deployment], AbstractSet[str]]


def _candidates(
    settings: Settings, deployment: Deployment, roles: AbstractSet[str], state: State
) -> Iterator[_Candidate]:
    same = (settings, deployment)
    name, listed = deployment.name, deployment.user_roles
    if state in REACHES:
        for role in sorted(roles):
            yield "leave", role, f"Take them out of the group {role}.", same, roles - {role}
        for role in sorted(admitting_roles(deployment, roles)):
            after = replace(deployment, user_roles=(listed or frozenset()) - {role})
            yield "detach", role, f"Detach the role {role} from {name}.", (settings, after), roles
        yield "close", "", f"Close {name} to everyone.", (settings, replace(deployment, user_roles=frozenset())), roles
        return
    joinable = settings.entries.get(name, {}).keys() if listed is None else listed
    for role in sorted(joinable - roles - {DEFAULT}):
        yield "join", role, f"Put them into the group {role}.", same, roles | {role}
    if state == "unlisted":
        for role in sorted(roles):
            after = replace(deployment, user_roles=(listed or frozenset()) | {role})
            yield "attach", role, f"Attach their role {role} to {name}.", (settings, after), roles
        yield "open", "", f"Open {name} to everyone.", (settings, replace(deployment, user_roles=None)), roles
        return
    for role in sorted(roles):
        yield "leave", role, f"Take them out of the group {role}.", same, roles - {role}
    yield from _mended(settings, deployment, roles, state)


def _mended(settings: Settings, deployment: Deployment, roles: AbstractSet[str], state: State) -> Iterator[_Candidate]:
    """Changes of an entry: a raised limit, one of its own instead of default, limits for a role without."""
    name = deployment.name
    result = effective(settings, deployment, roles)
    if state == "failed":
        for role in result.failing:
            mended = replace(settings, without_limits=settings.without_limits - {role})
            yield "mend", role, f"Give the role {role} its limits, even empty ones.", (mended, deployment), roles
        return
    for role in result.roles:
        entry = settings.entries[name][role]
        raised = tuple(UNLIMITED if number <= 0 else number for number in entry)
        zero = ", ".join(LABELS[window] for window, number in zip(WINDOWS, entry, strict=True) if number <= 0)
        text = f"Raise the limit of {role} on {name} above 0: {zero}."
        yield "raise", role, text, (_with(settings, name, role, raised), deployment), roles


def _with(settings: Settings, name: str, role: str, limit: Limit) -> Settings:
    return replace(settings, limits={**settings.limits, role: {name: limit}})


# --- words ------------------------------------------------------------------------------------------------


def say(limit: Limit) -> str:
    """`1,000 tokens per minute, 5 requests per hour`, or `unlimited`."""
    return (
        ", ".join(
            f"{number:,} {LABELS[window]}" for window, number in zip(WINDOWS, limit, strict=True) if number != UNLIMITED
        )
        or "unlimited"
    )


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def _plural(deployment: Deployment) -> str:
    return f"{KINDS[deployment.section]}s"
