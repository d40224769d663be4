"""Why, and why not: the derivation for one subject and one deployment, and the box for a pasted credential."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods

from deployments.access import actions, tokens, why
from deployments.access.index import KINDS, Index
from deployments.access.views.paging import Asked, Pages, Said, asked, matching, roles_of
from deployments.core.load import Settings
from deployments.models import Deployment
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.history.recorder import Actor
from roles.models import User

SHOWN = 20  # candidates of a search, and groups that would let in


@dataclass(frozen=True)
class Subject:
    """Whom the question is about. `nothing` says why they reach nothing whatever the settings say, or is empty.

    `param` and `value` are how a link names them: `user` by sub, `key` by the label of the index.
    """

    label: str
    roles: tuple[str, ...]
    param: str
    value: str
    nothing: str = ""


def of_user(user: User, question: Asked) -> Subject:
    """A person with the groups of the moment. One query."""
    nothing = ""
    if question.index is not None and user.pk not in question.index.people.number_of:
        if question.moment is not None:
            nothing = f"{user} could not sign in then: not known yet, disabled, or gone from the pool."
        elif user.gone_at is not None:
            nothing = f"{user} has gone from the pool: no token, so they reach nothing."
        else:
            nothing = f"{user} is disabled in the pool: they get no token, so they reach nothing."
    return Subject(str(user), tuple(roles_of(user, question.moment)), "user", user.sub, nothing)


def of_key(index: Index, label: str) -> Subject | None:
    """An API key by its label in the index, which never is its value."""
    for known, key in index.keys:
        if known == label:
            return Subject(f"API key of {label}", tuple(sorted(set(key.roles))), "key", label)
    return None


@require_GET
@require(Permission.READ)
def page(request: StaffRequest) -> HttpResponse:
    """`?user=` (sub, user name or e-mail address) or `?key=`, `?deployment=` with an optional `?kind=`, and `?at=`."""
    given = {name: request.GET.get(name, "").strip() for name in ("user", "key", "deployment", "kind", "at")}
    question = asked(given["at"])
    index = question.index
    subject = of_key(index, given["key"]) if index is not None and given["key"] else None
    people: list[User] = []
    if subject is None and given["user"]:
        people = _people(given["user"])
        subject = of_user(people[0], question) if len(people) == 1 else None
    name = given["deployment"]
    deployment = index.find(name, _section(given["kind"])) if index is not None and name else None
    context: dict[str, Any] = {
        "asked": question,
        "given": given,
        "subject": subject,
        "people": people if subject is None else [],
        "deployment": deployment,
        "candidates": [] if deployment or not name else _candidates(name),
        "dropped": [str(entry) for entry in index.settings.warnings if entry.name == name] if index else [],
        "limit": tokens.LONGEST,
    }
    if index is not None and subject is not None and deployment is not None:
        context |= explained(index.settings, why.explain(index.settings, deployment, frozenset(subject.roles)))
    return render(request, "access/why.html", context)


@sensitive_post_parameters()
@sensitive_variables()
@require_http_methods(["GET", "POST"])
@require(Permission.READ)
def credential(request: StaffRequest) -> HttpResponse:
    """What a pasted token or a list of names reaches. It is answered at once: nothing of it is kept anywhere."""
    context: dict[str, Any] = {"limit": tokens.LONGEST}
    if request.method == "POST":
        actions.record_asked(by=Actor.staff(request.user))
        context |= _answer(request, request.POST.get("credential", ""), request.POST.get("deployment", "").strip())
    return render(request, "access/credential.html", context, status=400 if context.get("problem") else 200)


@sensitive_variables()
def _answer(request: StaffRequest, text: str, name: str) -> dict[str, Any]:
    try:
        found = tokens.read(text, now=timezone.now())
    except tokens.UnreadableError as error:
        return {"problem": str(error), "name": name}
    question = asked("")
    index = question.index
    context: dict[str, Any] = {"found": found, "name": name, "asked": question}
    if found.trust == "names":  # for the next question; a token never comes back
        context["names_again"] = text
    if index is None:
        return context
    held = frozenset(found.roles)
    deployment = index.find(name) if name else None
    if deployment is not None:
        return {**context, **explained(index.settings, why.explain(index.settings, deployment, held))}
    reached = list(index.answers(held))
    listing: Pages[Any] = Pages(request, len(reached))
    return {
        **context,
        "rows": [Said.of(answer) for answer in listing.of(reached)],
        "total": len(reached),
        "hidden": len(index.deployments) - len(reached),
        "unknown": bool(name),
    }


def explained(settings: Settings, answer: why.Explanation) -> dict[str, Any]:
    """What the fragment of a derivation needs. One query."""
    row = Deployment.objects.filter(kind=answer.kind, name=answer.deployment.name).first()
    joins = [change for change in answer.changes if change.kind == "join"]
    return {
        "answer": answer,
        "row": row,
        "version": settings.version,
        "joins": joins[:SHOWN],
        "more_joins": len(joins[SHOWN:]),
        "other_changes": [change for change in answer.changes if change.kind != "join"],
    }


def _people(text: str) -> list[User]:
    """Whoever is exactly meant; else whom the text is part of. The first of many."""
    exact = User.objects.filter(Q(sub=text) | Q(username=text) | Q(email__iexact=text))[:SHOWN]
    return list(exact) or list(User.objects.filter(matching(text))[:SHOWN])


def _candidates(name: str) -> QuerySet[Deployment]:
    return Deployment.objects.filter(Q(name__icontains=name) | Q(display_name__icontains=name))[:SHOWN]


def _section(kind: str) -> str:
    return next((section for section, known in KINDS.items() if known == kind), "")
