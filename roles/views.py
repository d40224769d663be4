"""The pages of roles, users and syncs."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.history.recorder import Actor
from dialadmin.listing import Filter, Listing
from roles import actions
from roles.forms import RoleForm
from roles.models import Membership, Role, SyncRun, User
from roles.sync import AlreadyRunningError, run_sync

HOLDS = Q(memberships__until__isnull=True, memberships__user__enabled=True, memberships__user__gone_at__isnull=True)
GOOD = (SyncRun.State.APPLIED, SyncRun.State.UNCHANGED)


def last_good_sync() -> SyncRun | None:
    return SyncRun.objects.filter(state__in=GOOD).first()


@require_GET
@require(Permission.READ)
def role_list(request: StaffRequest) -> HttpResponse:
    listing = Listing.of(
        request,
        Role.objects.annotate(people=Count("memberships", filter=HOLDS)),
        search=("name__icontains", "description__icontains"),
        sorts={"name": "name", "people": "people"},
        default_sort="name",
        filters=(
            Filter("pool", "Pool", (("present", "In the pool"), ("gone", "Gone"), ("none", "Not a group")), "pool"),
        ),
    )
    return render(request, "roles/list.html", {"listing": listing, "last_sync": last_good_sync()})


@require_http_methods(["GET", "POST"])
@require(Permission.EDIT)
def role_create(request: StaffRequest) -> HttpResponse:
    form = RoleForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        role = actions.create_role(name=form.cleaned_data["name"], by=Actor.staff(request.user))
        messages.success(request, f"The role {role.name} was created. Attach it to deployments, or give it limits.")
        return redirect("roles:detail", pk=role.pk)
    return render(request, "roles/form.html", {"form": form}, status=400 if form.errors else 200)


@require_GET
@require(Permission.READ)
def role_detail(request: StaffRequest, pk: int) -> HttpResponse:
    role = get_object_or_404(Role, pk=pk)
    listing = Listing.of(
        request,
        Membership.objects.filter(role=role, until=None, user__gone_at=None).select_related("user"),
        search=("user__username__icontains", "user__email__icontains", "user__name__icontains"),
        sorts={"name": "user__name", "since": "since"},
        default_sort="name",
    )
    return render(
        request,
        "roles/detail.html",
        {
            "role": role,
            "listing": listing,
            "past": Membership.objects.filter(role=role).exclude(until=None).count(),
            "api_keys": role.api_keys.all(),
        },
    )


@require_GET
@require(Permission.READ)
def user_list(request: StaffRequest) -> HttpResponse:
    listing = Listing.of(
        request,
        User.objects.annotate(groups=Count("memberships", filter=Q(memberships__until__isnull=True))),
        search=("username__icontains", "email__icontains", "name__icontains"),
        sorts={"name": "name", "username": "username", "groups": "groups"},
        default_sort="name",
        filters=(
            Filter(
                "state",
                "State",
                (("enabled", "Enabled"), ("disabled", "Disabled")),
                "enabled",
                {"enabled": True, "disabled": False},
            ),
            Filter(
                "gone",
                "In the pool",
                (("no", "In the pool"), ("yes", "Gone")),
                "gone_at__isnull",
                {"no": True, "yes": False},
            ),
        ),
    )
    return render(request, "roles/users.html", {"listing": listing, "last_sync": last_good_sync()})


@require_GET
@require(Permission.READ)
def user_detail(request: StaffRequest, pk: int) -> HttpResponse:
    user = get_object_or_404(User, pk=pk)
    memberships = list(user.memberships.select_related("role").order_by("role__name", "since"))
    return render(
        request,
        "roles/user.html",
        {
            "person": user,
            "current": [membership for membership in memberships if membership.until is None],
            "past": [membership for membership in memberships if membership.until is not None],
        },
    )


@require_GET
@require(Permission.READ)
def sync_list(request: StaffRequest) -> HttpResponse:
    listing = Listing.of(
        request,
        SyncRun.objects.all(),
        sorts={"time": "id"},
        default_sort="-time",
        filters=(Filter("state", "State", SyncRun.State.choices, "state"),),
    )
    return render(request, "roles/syncs.html", {"listing": listing})


@require_GET
@require(Permission.READ)
def sync_detail(request: StaffRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(SyncRun, pk=pk)
    counts = [
        (name.rsplit("_", 1)[0], name.rsplit("_", 1)[1], count) for name, count in run.counts.items() if "_" in name
    ]
    total = sum(count for *_, count in counts)
    return render(request, "roles/sync.html", {"run": run, "counts": counts, "more": max(0, total - len(run.changes))})


@require_POST
@require(Permission.EDIT)
def sync_start(request: StaffRequest) -> HttpResponse:
    """Sync now (`mode=apply`), look only (`mode=preview`), or apply what was stopped (`mode=allow-removals`)."""
    mode = request.POST.get("mode", "apply")
    try:
        run = run_sync(by=Actor.staff(request.user), dry_run=mode == "preview", allow_removals=mode == "allow-removals")
    except AlreadyRunningError as error:
        messages.warning(request, str(error))
        return redirect("roles:syncs")
    return redirect("roles:sync", pk=run.pk)
