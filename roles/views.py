"""The pages of roles, users and syncs."""

from __future__ import annotations

import time
from operator import attrgetter, methodcaller
from typing import Any

from django.contrib import messages
from django.db.models import Case, Count, F, IntegerField, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.http.response import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.timezone import localtime
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.history.recorder import Actor
from dialadmin.listing import Column, Filter, Listing
from roles import actions, groups, sync
from roles.cognito import provider_prefix
from roles.forms import AllowRemovalsForm, EraseForm, RoleForm
from roles.models import ApiKey, Membership, Role, SyncRun, User
from roles.plan import COUNTED, summary

# Who can use a role today: in the group, in the pool, and able to get a token.
HOLDS = Q(memberships__until__isnull=True, memberships__user__enabled=True, memberships__user__gone_at__isnull=True)
PATIENCE = 3.0  # seconds for which a click waits: a small pool is read by then, a large one shows its progress

# Cognito's user status -> what it means for the person.
STATUS_WORDS = {
    "UNCONFIRMED": "has not confirmed the account yet",
    "CONFIRMED": "has a confirmed account",
    "FORCE_CHANGE_PASSWORD": "has to set a password at the next sign-in",
    "RESET_REQUIRED": "has to reset the password",
    "EXTERNAL_PROVIDER": "signs in through another identity provider",
    "COMPROMISED": "is locked: Cognito takes the password for known to others",
    "ARCHIVED": "is archived",
}


def freshness() -> dict[str, SyncRun | None]:
    """How old the mirror is: the last sync that read the pool, and a later one that failed or was stopped."""
    last_good = SyncRun.objects.filter(state__in=sync.GOOD).first()
    newest = SyncRun.objects.exclude(state__in=(SyncRun.State.RUNNING, SyncRun.State.PREVIEW)).first()
    failing = newest if newest is not None and newest.state not in sync.GOOD else None
    return {"last_good": last_good, "failing": failing}


@require_GET
@require(Permission.READ)
def role_list(request: StaffRequest) -> HttpResponseBase:
    """All roles. Groups that Cognito made for identity providers are listed when they are searched or asked for."""
    made_for_provider = Q(name__startswith=provider_prefix()) & ~Q(pool=Role.Pool.NONE)
    keys = ApiKey.roles.through._default_manager.filter(role=OuterRef("pk")).order_by().values("role")
    roles = Role.objects.annotate(
        kind=Case(When(made_for_provider, then=Value("provider")), default=F("pool")),
        people=Count("memberships", filter=HOLDS),
        keys=Coalesce(Subquery(keys.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0),
    )
    hidden = 0
    if not request.GET.get("q", "").strip() and not request.GET.get("pool"):
        hidden = Role.objects.filter(made_for_provider).count()
        roles = roles.exclude(kind="provider")
    listing = Listing.of(
        request,
        roles,
        search=("name__icontains", "description__icontains"),
        sorts={"name": "name", "people": "people", "keys": "keys", "precedence": "precedence"},
        default_sort="name",
        filters=(
            Filter(
                "pool",
                "Pool",
                (
                    ("present", "In the pool"),
                    ("gone", "Gone"),
                    ("none", "Not a group"),
                    ("provider", "Made for an identity provider"),
                ),
                "kind",
            ),
        ),
        columns=(
            Column("name", "Name", attrgetter("name"), "name"),
            Column("description", "Description", attrgetter("description"), shown=False),
            Column("pool", "In the pool", methodcaller("get_pool_display")),
            Column("people", "People", attrgetter("people"), "people", css="number"),
            Column("keys", "API keys", attrgetter("keys"), "keys", css="number"),
            Column("precedence", "Precedence", attrgetter("precedence"), "precedence", css="number", shown=False),
        ),
    )
    if listing.wants_csv:
        return listing.csv("roles.csv")
    return render(request, "roles/list.html", {"listing": listing, "hidden": hidden, **freshness()})


@require_http_methods(["GET", "POST"])
@require(Permission.EDIT)
def role_create(request: StaffRequest) -> HttpResponse:
    form = RoleForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            role = actions.create_role(name=form.cleaned_data["name"], by=Actor.staff(request.user))
        except actions.NameRefusedError as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, f"The role {role.name} was created. Attach it to deployments, or give it limits.")
            return redirect("roles:detail", pk=role.pk)
    return render(request, "roles/form.html", {"form": form}, status=400 if form.errors else 200)


def state_of(user: User) -> str:
    """Gone, enabled or disabled, as a badge says it."""
    return "gone" if user.gone_at else "enabled" if user.enabled else "disabled"


@require_GET
@require(Permission.READ)
def role_detail(request: StaffRequest, pk: int) -> HttpResponseBase:
    """One role with its people: those of today, or with `?members=earlier` those whose membership has ended."""
    role = get_object_or_404(Role, pk=pk)
    ended = Q(until__isnull=False) | Q(user__gone_at__isnull=False)
    of_role = Membership.objects.filter(role=role)
    counts = of_role.aggregate(
        now=Count("pk", filter=~ended), disabled=Count("pk", filter=~ended & Q(user__enabled=False)),
        earlier=Count("pk", filter=ended),
    )  # fmt: skip
    earlier = request.GET.get("members") == "earlier"
    listing = Listing.of(
        request,
        of_role.filter(ended if earlier else ~ended).select_related("user"),
        search=("user__username__icontains", "user__email__icontains", "user__name__icontains"),
        sorts={
            "name": "user__name",
            "email": "user__email",
            "username": "user__username",
            "since": "since",
            "until": "until",
        },
        default_sort="-until" if earlier else "name",
        columns=(
            Column("name", "Name", attrgetter("user"), "name"),
            Column("email", "Email", attrgetter("user.email"), "email", shown=False),
            Column("username", "Username", attrgetter("user.username"), "username", shown=False),
            Column("state", "State", lambda row: state_of(row.user)),
            Column("since", "Since", attrgetter("since"), "since"),
            *([Column("until", "Until", attrgetter("until"), "until")] if earlier else []),
        ),
    )
    if listing.wants_csv:
        return listing.csv("people-of-role.csv")
    may_change = groups.managed() and request.user.may(groups.permission(role.name))
    context = {
        "role": role, "listing": listing, "counts": counts, "earlier": earlier, "api_keys": role.api_keys.all(),
        "may_create_group": may_change and not groups.creation_problem(role),
        "may_change_group": may_change and not groups.change_problem(role),
    }  # fmt: skip
    return render(request, "roles/detail.html", context)


@require_GET
@require(Permission.READ)
def user_list(request: StaffRequest) -> HttpResponseBase:
    state = Case(
        When(gone_at__isnull=False, then=Value("gone")),
        When(enabled=True, then=Value("enabled")),
        default=Value("disabled"),
    )
    current = Q(memberships__until__isnull=True, gone_at__isnull=True)
    listing = Listing.of(
        request,
        User.objects.annotate(state=state, groups=Count("memberships", filter=current)),
        search=("username__icontains", "email__icontains", "name__icontains", "sub__iexact"),
        sorts={
            "name": "name",
            "email": "email",
            "username": "username",
            "groups": "groups",
            "created": "pool_created_at",
        },
        default_sort="name",
        filters=(
            Filter("state", "State", (("enabled", "Enabled"), ("disabled", "Disabled"), ("gone", "Gone")), "state"),
        ),
        columns=(
            Column("name", "Name", str, "name"),
            Column("email", "Email", attrgetter("email"), "email", shown=False),
            Column("username", "Username", attrgetter("username"), "username"),
            Column("sub", "Subject", attrgetter("sub"), shown=False),
            Column("state", "State", attrgetter("state")),
            Column("status", "Status in Cognito", attrgetter("status"), shown=False),
            Column("groups", "Groups", attrgetter("groups"), "groups", css="number"),
            Column("created", "Created", attrgetter("pool_created_at"), "created", shown=False),
        ),
    )
    if listing.wants_csv:
        return listing.csv("users.csv")
    return render(request, "roles/users.html", {"listing": listing, **freshness()})


@require_GET
@require(Permission.READ)
def user_detail(request: StaffRequest, pk: int) -> HttpResponse:
    user = get_object_or_404(User, pk=pk)
    memberships = list(user.memberships.select_related("role").order_by("role__name", "since"))
    # Somebody who has gone holds nothing, whatever a membership says.
    current = [membership for membership in memberships if membership.until is None and user.gone_at is None]
    may_change = groups.managed() and user.gone_at is None and request.user.may(Permission.EDIT)
    return render(
        request,
        "roles/user.html",
        {
            "person": user,
            "may_change_groups": may_change,
            "removable": {
                membership.role.name
                for membership in current
                if may_change
                and not groups.change_problem(membership.role)
                and request.user.may(groups.permission(membership.role.name))
            },
            "status": STATUS_WORDS.get(user.status, user.status.lower().replace("_", " ")),
            "current": current,
            "past": [membership for membership in memberships if membership not in current],
            "absences": user.absences.order_by("-since"),
            "erased": user.sub.startswith(actions.ERASED),
        },
    )


@require_http_methods(["GET", "POST"])
@require(Permission.RELEASE)
def user_erase(request: StaffRequest, pk: int) -> HttpResponse:
    """Erase the personal data of somebody who has gone from the pool, for good."""
    user = get_object_or_404(User, pk=pk)
    form = EraseForm(request.POST or None, username=user.username)
    problem = actions.erase_problem(user)
    if request.method == "POST" and form.is_valid():
        try:
            actions.erase_user(user=user, reason=form.cleaned_data["reason"], by=Actor.staff(request.user))
        except actions.EraseRefusedError as error:
            problem = str(error)
        else:
            messages.success(request, "The personal data was erased. History says that it was, and why.")
            return redirect("roles:user", pk=pk)
    status = 400 if request.method == "POST" else 200
    return render(request, "roles/erase.html", {"person": user, "form": form, "problem": problem}, status=status)


@require_GET
@require(Permission.READ)
def sync_list(request: StaffRequest) -> HttpResponseBase:
    listing = Listing.of(
        request,
        SyncRun.objects.defer("changes"),
        sorts={"time": "id"},
        default_sort="-time",
        filters=(Filter("state", "State", SyncRun.State.choices, "state"),),
        columns=(
            Column("sync", "Sync", attrgetter("pk")),
            Column("state", "Outcome", attrgetter("state")),
            Column("found", "What it found", lambda run: summary(run.counts) or run.error),
            Column("started", "Started", lambda run: localtime(run.started_at).isoformat(timespec="seconds"), "time"),
            Column("seconds", "Seconds", _seconds, css="number", shown=False),
            Column("by", "By", attrgetter("by")),
        ),
    )
    if listing.wants_csv:
        return listing.csv("syncs.csv")
    rows = [(run, summary(run.counts), _seconds(run)) for run in listing.rows]
    return render(request, "roles/syncs.html", {"listing": listing, "rows": rows, **freshness()})


def _seconds(run: SyncRun) -> str:
    """How long it took; nothing while it is running."""
    return f"{(run.finished_at - run.started_at).total_seconds():.1f}" if run.finished_at else ""


@require_GET
@require(Permission.READ)
def sync_detail(request: StaffRequest, pk: int) -> HttpResponse:
    """One run. While it is running, the page asks for the part that shows how far it is, until it has ended."""
    run = get_object_or_404(SyncRun, pk=pk)
    if request.headers.get("HX-Target") == "sync-progress":
        response = render(request, "roles/_sync_progress.html", {"run": run, **_waiting(run)})
        if run.state != SyncRun.State.RUNNING:
            response["HX-Refresh"] = "true"
        return response
    return _sync_page(request, run, AllowRemovalsForm())


@require_POST
@require(Permission.EDIT)
def sync_start(request: StaffRequest) -> HttpResponse:
    """Sync now (`mode=apply`), look only (`preview`), or allow what run `run` was stopped for (`allow-removals`)."""
    mode = request.POST.get("mode", "apply")
    allowed: dict[str, Any] = {}
    if mode == "allow-removals":
        number = request.POST.get("run", "")
        stopped = get_object_or_404(
            SyncRun, pk=int(number) if number.isdecimal() and len(number) < 19 else 0, state=SyncRun.State.STOPPED
        )
        form = AllowRemovalsForm(request.POST)
        if not form.is_valid():
            return _sync_page(request, stopped, form, status=400)
        reason = f"Removals allowed: {form.cleaned_data['reason']}"
        allowed = {"allow_removals": True, "seen": stopped.counts, "note": reason}
    try:
        run = sync.start(by=Actor.staff(request.user), dry_run=mode == "preview", **allowed)
    except sync.AlreadyRunningError as error:
        messages.warning(request, str(error))
        return redirect("roles:syncs")
    sync.launch(run)
    until = time.monotonic() + PATIENCE
    while SyncRun.objects.filter(pk=run.pk, state=SyncRun.State.RUNNING).exists() and time.monotonic() < until:
        time.sleep(0.1)
    return redirect("roles:sync", pk=run.pk)


def _waiting(run: SyncRun) -> dict[str, Any]:
    """For whoever waits for a run: how long yet, and whether its process has probably died."""
    silent = run.state == SyncRun.State.RUNNING and timezone.now() - run.heartbeat_at > sync.STALE_AFTER
    return {"minutes_left": -(-(run.progress.get("seconds_left") or 0) // 60), "silent": silent}


def _sync_page(request: StaffRequest, run: SyncRun, form: AllowRemovalsForm, status: int = 200) -> HttpResponse:
    """What one run did, each change linked to the group or person it is about. Two queries for the links."""
    groups = {change["key"] for change in run.changes if change["kind"] == "group"}
    people = {change["key"] for change in run.changes if change["kind"] != "group"}
    roles = dict(Role.objects.filter(name__in=groups).values_list("name", "pk"))
    users = dict(User.objects.filter(sub__in=people).values_list("sub", "pk"))
    changes = [
        {**change, "role": roles.get(change["key"])}
        if change["kind"] == "group"
        else {**change, "user": users.get(change["key"])}
        for change in run.changes
    ]
    counts = [(*name.rsplit("_", 1), run.counts[name]) for name in COUNTED if run.counts.get(name)]
    context = {
        "run": run,
        **_waiting(run),
        "changes": changes,
        "counts": counts,
        "removals": summary({name: run.counts.get(name, 0) for name in COUNTED if name.endswith(("gone", "removed"))}),
        "more": max(0, sum(count for *_, count in counts) - len(changes)),
        "form": form,
    }
    return render(request, "roles/sync.html", context, status=status)
