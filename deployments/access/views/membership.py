"""Changing the groups of the pool: choose, see what it means in DIAL, say why, do it. Only with MANAGE_GROUPS."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import Exists, OuterRef
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from deployments.access.index import Answer
from deployments.access.membership import Effect, effects
from deployments.access.views.paging import ROWS, Asked, Said, asked, matching, roles_of
from dialadmin.accounts.guards import Refused, StaffRequest, require
from dialadmin.accounts.permissions import Level, Permission, level_of
from dialadmin.history.recorder import Actor
from roles import actions, groups
from roles.cognito import provider_prefix
from roles.forms import GroupChangeForm
from roles.models import Membership, Role, User

OFFERED = 20  # people, or groups, to choose from at once


@require_http_methods(["GET", "POST"])
@require(Permission.EDIT)
def create(request: StaffRequest, pk: int) -> HttpResponse:
    """Make the group of a role that has none."""
    _managed()
    role = get_object_or_404(Role, pk=pk)
    _permitted(request, role)
    level = level_of([role.name])
    form = GroupChangeForm(request.POST or None, name=role.name if level != Level.NONE else "")
    problem, status = groups.creation_problem(role), 200
    if request.method == "POST":
        status = 400
        if not problem and form.is_valid():
            try:
                actions.create_group(role=role, reason=form.cleaned_data["reason"], by=Actor.staff(request.user))
            except actions.GroupChangeError as error:
                problem, status = str(error), _status(error)
            else:
                messages.success(request, f"The pool has the group {role.name} now. Put people into it.")
                return redirect("roles:detail", pk=pk)
    question = asked("")
    found = list(question.index.answers(frozenset((role.name,)))) if question.index is not None else []
    context = {
        "role": role, "form": form, "problem": problem, "level": level.label if level != Level.NONE else "",
        "asked": question, "listed": sum(role.name in answer.via for answer in found),
    }  # fmt: skip
    return render(request, "access/group_create.html", context, status=status)


@require_http_methods(["GET", "POST"])
@require(Permission.EDIT)
def add(request: StaffRequest) -> HttpResponse:
    """Put `user` into `role`; whichever of the two is not named yet is chosen first."""
    _managed()
    user, role = _named(request)
    if role is not None:
        _permitted(request, role)
    if user is None or role is None:
        return _choose(request, user, role)
    adding = Adding(user, role, request.user.sub)
    return _confirmed(request, adding)


@require_http_methods(["GET", "POST"])
@require(Permission.EDIT)
def remove(request: StaffRequest) -> HttpResponse:
    """Take `user` out of `role`."""
    _managed()
    user, role = _named(request)
    if user is None or role is None:
        raise Http404("Which person, and which group?")
    _permitted(request, role)
    return _confirmed(request, Removing(user, role))


# --- what is asked for ----------------------------------------------------------------------------------


def _managed() -> None:
    if not groups.managed():
        raise Http404("Groups are changed in Cognito's console: MANAGE_GROUPS is off.")


def _permitted(request: StaffRequest, role: Role) -> None:
    needed = groups.permission(role.name)
    if not request.user.may(needed):
        raise Refused(needed)


def _named(request: HttpRequest) -> tuple[User | None, Role | None]:
    """The person and the group that the address or the form names, by row. Two queries."""
    given = request.POST if request.method == "POST" else request.GET
    user, role = given.get("user", ""), given.get("role", "")
    return (
        get_object_or_404(User, pk=_number(user)) if user else None,
        get_object_or_404(Role, pk=_number(role)) if role else None,
    )


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def _choose(request: StaffRequest, user: User | None, role: Role | None) -> HttpResponse:
    q = request.GET.get("q", "").strip()
    context: dict[str, Any] = {"person": user, "role": role, "q": q}
    if role is not None:
        held = Membership.objects.filter(user=OuterRef("pk"), role=role, until=None)
        people = User.objects.filter(~Exists(held), gone_at=None)
        found: list[Any] = list(people.filter(matching(q)).order_by("name", "pk")[: OFFERED + 1]) if q else []
        context |= {"problem": groups.change_problem(role), "people": found[:OFFERED]}
    elif user is not None:
        held = Membership.objects.filter(role=OuterRef("pk"), user=user, until=None)
        known = Role.objects.filter(~Exists(held), pool=Role.Pool.PRESENT).exclude(name__startswith=provider_prefix())
        found = list(known.filter(name__icontains=q).order_by("name")[: OFFERED + 1])
        rows = [(group, request.user.may(groups.permission(group.name))) for group in found[:OFFERED]]
        context |= {"problem": f"{user} has gone from the pool." if user.gone_at else "", "groups": rows}
    else:
        raise Http404("Which group, or which person?")
    return render(request, "access/member_choose.html", {**context, "more": len(found) > OFFERED})


# --- what is confirmed -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Adding:
    """Somebody goes into a group."""

    user: User
    role: Role
    by_id: str

    verb = "add"

    @property
    def problem(self) -> str:
        return groups.addition_problem(self.user, self.role, self.by_id)

    @property
    def typed(self) -> str:
        """What has to be typed to confirm it, if anything."""
        return self.role.name if level_of([self.role.name]) != Level.NONE else ""

    @property
    def warnings(self) -> Sequence[str]:
        level = level_of([self.role.name])
        if level == Level.NONE:
            return ()
        return (f"It makes them {_a(level.label.lower())} of this dashboard, from their next sign-in on.",)

    def after(self, roles: frozenset[str]) -> frozenset[str]:
        return roles | {self.role.name}

    def done(self, roles: frozenset[str]) -> str:
        """What speaks of the change as made already, "" when it is not."""
        return f"{self.user} is in {self.role.name} already, by the last sync." if self.role.name in roles else ""

    def carry_out(self, reason: str, by: Actor) -> str:
        is_new = actions.add_member(user=self.user, role=self.role, reason=reason, by=by)
        return f"{self.user} is in {self.role.name} now." if is_new else f"{self.user} was in {self.role.name} already."


@dataclass(frozen=True)
class Removing:
    """Somebody goes out of a group."""

    user: User
    role: Role

    verb = "remove"

    @property
    def problem(self) -> str:
        return groups.removal_problem(self.user, self.role)

    @property
    def typed(self) -> str:
        return self.role.name if level_of([self.role.name]) != Level.NONE else ""

    @property
    def warnings(self) -> Sequence[str]:
        level = level_of([self.role.name])
        if level == Level.NONE:
            return ()
        words = [f"They lose what it gives in this dashboard ({level.label.lower()}) at once."]
        if groups.is_last_publisher(self.user, self.role):
            words.append(
                "Nobody would be a publisher after that: no release, no export, and nobody here who could undo it."
            )
        return words

    def after(self, roles: frozenset[str]) -> frozenset[str]:
        return roles - {self.role.name}

    def done(self, roles: frozenset[str]) -> str:
        return "" if self.role.name in roles else f"{self.user} is not in {self.role.name}, by the last sync."

    def carry_out(self, reason: str, by: Actor) -> str:
        ended = actions.remove_member(user=self.user, role=self.role, reason=reason, by=by)
        return f"{self.user} is out of {self.role.name} now." if ended else f"{self.user} was not in {self.role.name}."


@dataclass(frozen=True)
class Row:
    """One effect as the page shows it."""

    effect: Effect
    before: Said | None
    after: Said | None


def _confirmed(request: StaffRequest, change: Adding | Removing) -> HttpResponse:
    """Show what the change means; make it once that was seen, with a reason, and nothing else has changed since."""
    user, role = change.user, change.role
    held = frozenset(roles_of(user, None))
    question = asked("")
    found = effects(question.index, held, change.after(held)) if question.index is not None else []
    seen = _digest(question, found)
    form = GroupChangeForm(request.POST or None, name=change.typed)
    problem, status, stale, done = change.problem, 200, False, change.done(held)
    if request.method == "POST" and done:  # a second click, or somebody else was faster
        messages.info(request, done)
        return _back(request, user, role)
    if request.method == "POST":
        status, stale = 400, request.POST.get("seen") != seen
        if not problem and form.is_valid() and not stale:
            try:
                words = change.carry_out(form.cleaned_data["reason"], Actor.staff(request.user))
            except actions.GroupChangeError as error:
                problem, status = str(error), _status(error)
            else:
                messages.success(request, f"{words} DIAL follows when they next sign in, or their token is renewed.")
                return _back(request, user, role)
    counts = {kind: sum(effect.change == kind for effect in found) for kind in ("gains", "loses", "limit")}
    context = {
        "change": change, "person": user, "role": role, "form": form, "problem": problem, "stale": stale,
        "done": done, "asked": question, "seen": seen, "counts": counts, "origin": _origin(request),
        "rows": [_row(effect) for effect in found[:ROWS]], "more": max(0, len(found) - ROWS),
    }  # fmt: skip
    return render(request, "access/member_confirm.html", context, status=status)


def _row(effect: Effect) -> Row:
    before, after = (Said.of(answer) if answer else None for answer in (effect.before, effect.after))
    return Row(effect, before, after)


def _digest(question: Asked, found: Sequence[Effect]) -> str:
    """Short text that differs when the preview does."""
    lines = [
        question.problem,
        *(f"{e.change} {e.kind} {e.deployment.name} {_told(e.before)} {_told(e.after)}" for e in found),
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _told(answer: Answer | None) -> str:
    return f"{answer.state} {sorted(answer.limit.items())}" if answer else ""


def _origin(request: HttpRequest) -> str:
    """Where somebody came from: the page of the person, or that of the group."""
    given = request.POST if request.method == "POST" else request.GET
    return "user" if given.get("from") == "user" else "role"


def _back(request: HttpRequest, user: User, role: Role) -> HttpResponse:
    if _origin(request) == "user":
        return redirect("roles:user", pk=user.pk)
    return redirect(reverse("roles:detail", args=[role.pk]))


def _status(error: actions.GroupChangeError) -> int:
    """Refused, or begun and not ended."""
    return 400 if error.in_pool is False else 502


def _a(word: str) -> str:
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
