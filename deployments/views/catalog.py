"""The catalogue: list, one deployment, create, change, delete."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter, methodcaller
from typing import Any

from django.contrib import messages
from django.http import HttpResponseRedirect, QueryDict
from django.http.response import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from deployments import actions, draft, seen
from deployments.core.coerce import as_long
from deployments.core.render import render as render_json
from deployments.core.secrets import map_secrets
from deployments.document import SECTIONS
from deployments.forms import AttachForm, DeploymentForm
from deployments.limits import WINDOWS, Window, state
from deployments.models import Deployment, Limit
from deployments.querysets import attached_roles, catalogue, people_of_deployments, people_of_roles
from deployments.views.conflict import conflict
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.history.models import Entry
from dialadmin.history.recorder import Actor
from dialadmin.listing import Column, Filter, Listing
from dialadmin.navigation import safe_next
from dialadmin.secrets import MASK
from roles.models import Role, User


@require_GET
@require(Permission.READ)
def deployment_list(request: StaffRequest) -> HttpResponseBase:
    listing = catalogue_listing(request.GET)
    if listing.wants_csv:
        return listing.csv("deployments.csv")
    return render(request, "deployments/list.html", {"listing": listing})


def catalogue_listing(params: QueryDict) -> Listing[Deployment]:
    """The catalogue as a query string asks for it."""
    return Listing(
        params,
        catalogue(),
        search=("name__icontains", "display_name__icontains"),
        sorts={"name": "name", "display": "display_name", "kind": "kind", "access": "access", "roles": "role_count"},
        default_sort="name",
        filters=(
            Filter("kind", "Kind", Deployment.Kind.choices, "kind"),
            Filter("access", "Access", Deployment.Access.choices, "access"),
        ),
        columns=(
            Column("name", "Name", attrgetter("name"), "name"),
            Column("display", "Display name", attrgetter("display_name"), "display", shown=False),
            Column("kind", "Kind", methodcaller("get_kind_display"), "kind"),
            Column("access", "Access", attrgetter("access"), "access"),
            Column("roles", "Roles", attrgetter("role_count"), "roles", css="number"),
            Column("people", "People", attrgetter("people"), css="number"),
        ),
        prepare=_count_people,
    )


def _count_people(rows: list[Deployment]) -> None:
    """Set `people` on each: how many reach it, in words where that is everyone or nobody. One query."""
    people = people_of_deployments([row.pk for row in rows])
    words = {Deployment.Access.OPEN: "everyone", Deployment.Access.CLOSED: "nobody"}
    for row in rows:
        setattr(row, "people", words.get(Deployment.Access(row.access), people.get(row.pk, 0)))  # noqa: B010 - no field


@dataclass(frozen=True)
class LimitRow:
    """One role's limit on the deployment of the page, as it stands in the settings."""

    role: Role
    state: str  # "inherited", "unlimited", "limited" or "denied"
    values: list[tuple[Window, Any]]
    people: int
    attached: bool


def limit_rows(deployment: Deployment) -> tuple[LimitRow | None, list[LimitRow], list[LimitRow]]:
    """The fallback of `default`, the attached roles, and roles with a limit that are not attached. Four queries."""
    limits = {
        limit.role_id: draft.load_text(limit.body) for limit in Limit.objects.filter(deployment_name=deployment.name)
    }
    attached = attached_roles(deployment)
    ids = {role.pk for role in attached}
    others = list(Role.objects.filter(pk__in=limits.keys() - ids).order_by("name"))
    people = people_of_roles([role.pk for role in [*attached, *others]])

    def row(role: Role) -> LimitRow:
        limit = limits.get(role.pk)
        numbers = numbers_of(limit)
        values = [(window, numbers[window.field]) for window in WINDOWS if numbers and window.field in numbers]
        return LimitRow(role, state(numbers), values, people.get(role.pk, 0), role.pk in ids)

    rows = [row(role) for role in attached]
    rest = [row(role) for role in others]
    default = next((r for r in [*rows, *rest] if r.role.name == "default"), None)
    return default, rows, [r for r in rest if r.role.name != "default"]


def numbers_of(limit: Any) -> dict[str, int] | None:
    """An entry of `limits` as Core reads its numbers; None when it has no entry, or a null one."""
    if limit is None:
        return None
    return {name: as_long(value) for name, value in limit.items()}


def detail_context(deployment: Deployment, attach: AttachForm | None = None) -> dict[str, Any]:
    default, rows, others = limit_rows(deployment)
    people = people_of_deployments([deployment.pk]).get(deployment.pk, 0)
    return {
        "deployment": deployment,
        "default": default,
        "rows": rows,
        "others": others,
        "people": people,
        "everyone": User.objects.filter(enabled=True, gone_at=None).count(),
        "attach": attach or AttachForm(),
        "role_names": Role.objects.exclude(pk__in=[row.role.pk for row in rows]).values_list("name", flat=True)[:1000],
        "limits_count": deployment.kind == Deployment.Kind.MODEL,
        "seen": seen.of_deployment(deployment),
    }


@require_GET
@require(Permission.READ)
def deployment_detail(request: StaffRequest, pk: int) -> HttpResponse:
    deployment = get_object_or_404(Deployment, pk=pk)
    body = {key: value for key, value in draft.load_text(deployment.body).items() if key != "userRoles"}
    return render(
        request,
        "deployments/detail.html",
        {
            **detail_context(deployment),
            "description": str(body.get("description", "")),
            "endpoint": str(body.get("endpoint", "")),
            "entry": render_json(map_secrets(SECTIONS[deployment.kind][-1], body, lambda _: MASK)),
            "history": Entry.objects.filter(target_kind="deployment", target_id=str(pk)).select_related("undone_by")[
                :8
            ],
        },
    )


@require_http_methods(["GET", "POST"])
@require(Permission.EDIT)
def deployment_create(request: StaffRequest) -> HttpResponse:
    form = DeploymentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        deployment = actions.create_deployment(
            kind=data["kind"],
            name=data["name"],
            body={name: data[name] for name in DeploymentForm.TEXTS if data[name]},
            by=Actor.staff(request.user),
        )
        messages.success(request, f"{deployment.name} was created. Nobody reaches it yet: attach a role.")
        return redirect("deployments:detail", pk=deployment.pk)
    return render(request, "deployments/form.html", {"form": form})


@require_http_methods(["GET", "POST"])
@require(Permission.EDIT)
def deployment_change(request: StaffRequest, pk: int) -> HttpResponse:
    deployment = get_object_or_404(Deployment, pk=pk)
    body = draft.load_text(deployment.body)
    initial = {name: body[name] for name in DeploymentForm.TEXTS if isinstance(body.get(name), str)}
    form = DeploymentForm(request.POST or None, deployment=deployment, initial=initial)
    for name in DeploymentForm.TEXTS:
        if name in body and name not in initial:
            del form.fields[name]  # a translated text is not edited as a plain one
    if request.method == "POST" and form.is_valid():
        try:
            changed = actions.change_deployment(
                deployment=deployment,
                fields=form.cleaned_data,
                by=Actor.staff(request.user),
                seen=request.POST.get("seen"),
            )
        except actions.ConflictError:
            return conflict(
                request,
                title=f"Change {deployment.name}",
                rows=[(str(bound.label), form.cleaned_data[bound.name], initial.get(bound.name)) for bound in form],
                now=seen.of_deployment(deployment),
                entries=seen.about_deployment(pk),
                back=reverse("deployments:detail", args=[pk]),
            )
        messages.success(request, f"{deployment.name} was changed." if changed else "Nothing was different.")
        return redirect("deployments:detail", pk=pk)
    was = request.POST.get("seen") or seen.of_deployment(deployment)
    return render(request, "deployments/form.html", {"form": form, "deployment": deployment, "seen": was})


@require_http_methods(["GET", "POST"])
@require(Permission.EDIT)
def deployment_delete(request: StaffRequest, pk: int) -> HttpResponse:
    deployment = get_object_or_404(Deployment, pk=pk)
    wrong = request.method == "POST" and request.POST.get("name", "") != deployment.name
    if request.method == "POST" and not wrong:
        try:
            actions.delete_deployment(
                deployment=deployment, by=Actor.staff(request.user), seen=request.POST.get("seen")
            )
        except actions.ConflictError:
            return conflict(
                request,
                title=f"Delete {deployment.name}",
                rows=[("The deployment", "deleted", f"{deployment.get_access_display()}, with changes")],
                now=seen.of_deployment(deployment),
                entries=seen.about_deployment(pk),
                back=reverse("deployments:detail", args=[pk]),
            )
        messages.success(request, f"{deployment.name} was deleted from the draft.")
        return redirect("deployments:list")
    return render(
        request, "deployments/delete.html", {**detail_context(deployment), "wrong": wrong}, status=400 if wrong else 200
    )


def origin(request: StaffRequest, deployment: Deployment) -> str:
    """The page that a form came from, if it says so and that is one of ours, else that of the deployment."""
    asked = request.POST.get("next") or request.GET.get("next", "")
    return safe_next(asked) or reverse("deployments:detail", args=[deployment.pk])


def back_to(request: StaffRequest, deployment: Deployment) -> HttpResponseRedirect:
    return redirect(origin(request, deployment))
