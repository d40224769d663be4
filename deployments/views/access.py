"""Who may reach one deployment, and how much: access, attached roles, limits."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods, require_POST

from deployments import actions, draft, seen
from deployments.core.versions import Version, shape
from deployments.forms import AccessForm, AttachForm, LimitForm
from deployments.limits import state, words
from deployments.models import Deployment, Limit
from deployments.querysets import people_of_roles
from deployments.releases import drafts
from deployments.views.catalog import back_to, detail_context, numbers_of, origin
from deployments.views.conflict import conflict
from deployments.views.undo import MANY, WORDS, undo_message
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.history.models import Entry
from dialadmin.history.recorder import Actor
from roles.models import Role, User

DEFAULT_ROLE = "default"  # the role whose limits are the fallback of all others (core-semantics 3.1)


@require_POST
@require(Permission.EDIT)
def set_access(request: StaffRequest, pk: int) -> HttpResponse:
    """Change the access. Whatever gives to everyone, or takes from anybody, is confirmed on a page that says so."""
    deployment = get_object_or_404(Deployment, pk=pk)
    form = AccessForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose one of open, restricted and closed.")
        return back_to(request, deployment)
    access = form.cleaned_data["access"]
    if access == deployment.access:
        messages.info(request, f"{deployment.name} is {WORDS[access]} already.")
        return back_to(request, deployment)
    if access == Deployment.Access.RESTRICTED and not deployment.attachments.exists():
        messages.error(request, "No role is attached, so restricting it would close it. Attach a role first.")
        return back_to(request, deployment)
    if request.POST.get("confirmed") != access:
        roles = list(deployment.roles.order_by("name"))
        wanted = None if access == Deployment.Access.OPEN else tuple(role.name for role in roles)
        return render(
            request,
            "deployments/confirm_access.html",
            {
                "deployment": deployment,
                "access": access,
                "words": WORDS[access],
                "everyone": User.objects.filter(enabled=True, gone_at=None).count(),
                "roles": roles,
                "line": drafts.of_access(deployment, () if access == Deployment.Access.CLOSED else wanted),
                "seen": sent_or(request, deployment),
                "back": origin(request, deployment),
            },
        )
    try:
        entry = actions.set_access(
            deployment=deployment,
            access=access,
            by=Actor.staff(request.user),
            note=request.POST.get("note", "")[:1000],
            seen=request.POST.get("seen"),
        )
    except actions.ConflictError:
        return _access_conflict(request, deployment, f"Make {deployment.name} {WORDS[access]}", WORDS[access])
    _say(request, deployment, f"{deployment.name} is {WORDS[access]} now.", entry)
    return back_to(request, deployment)


def _say(request: StaffRequest, deployment: Deployment, text: str, entry: Entry | None) -> None:
    """What was done, to be undone from there; nothing where it was so already."""
    if entry:
        messages.success(request, undo_message(request, text, [entry], origin(request, deployment)))


@require_POST
@require(Permission.EDIT)
def attach(request: StaffRequest, pk: int) -> HttpResponse:
    deployment = get_object_or_404(Deployment, pk=pk)
    form = AttachForm(request.POST)
    if not form.is_valid():
        return render(request, "deployments/detail.html", detail_context(deployment, attach=form), status=400)
    name = form.cleaned_data["role"]
    role = Role.objects.filter(name=name).first()
    # Two things are asked before they are done: taking an open deployment from everybody else, and
    # attaching a name that nothing backs, which is a typing error more often than not.
    asks = deployment.access == Deployment.Access.OPEN or role is None
    if asks and request.POST.get("confirmed") != name:
        near = Role.objects.filter(name__iexact=name.strip()).exclude(name=name).first()
        return render(
            request,
            "deployments/confirm_attach.html",
            {
                "deployment": deployment,
                "name": name,
                "unknown": role is None,
                "near": near or _nearest(name),
                "line": drafts.of_access(deployment, (name,)) if deployment.access == Deployment.Access.OPEN else None,
                "seen": sent_or(request, deployment),
                "back": origin(request, deployment),
            },
        )
    try:
        attached = actions.attach_role(
            deployment=deployment, role_name=name, by=Actor.staff(request.user), seen=request.POST.get("seen")
        )
    except actions.ConflictError:
        return _access_conflict(request, deployment, f"Attach {name} to {deployment.name}", f"{name} attached")
    _say(request, deployment, f"{name} is attached to {deployment.name}.", attached)
    if not attached:
        messages.info(request, f"{name} was attached already.")
    return back_to(request, deployment)


def _nearest(name: str) -> Role | None:
    """The known role whose name is most like this one, if any is."""
    names = list(Role.objects.values_list("name", flat=True))
    close = get_close_matches(name, names, n=1, cutoff=0.75)
    return Role.objects.filter(name=close[0]).first() if close else None


@require_POST
@require(Permission.EDIT)
def detach(request: StaffRequest, pk: int) -> HttpResponse:
    """Detach a role. What closes the deployment, or takes it from many, is confirmed; the rest can be undone."""
    deployment = get_object_or_404(Deployment, pk=pk)
    role = get_object_or_404(Role, name=request.POST.get("role", ""))
    left = list(deployment.roles.exclude(pk=role.pk).values_list("name", flat=True))
    restricted = deployment.access == Deployment.Access.RESTRICTED
    last = restricted and not left and deployment.attachments.filter(role=role).exists()
    if restricted and request.POST.get("confirmed") != role.name:
        line = drafts.of_access(deployment, tuple(left))
        if last or (line is not None and line.loses.bit_count() >= MANY):
            return render(
                request,
                "deployments/confirm_detach.html",
                {
                    "deployment": deployment,
                    "role": role,
                    "last": last,
                    "line": line,
                    "seen": sent_or(request, deployment),
                    "back": origin(request, deployment),
                },
            )
    try:
        detached = actions.detach_role(
            deployment=deployment, role_name=role.name, by=Actor.staff(request.user), seen=request.POST.get("seen")
        )
    except actions.ConflictError:
        return _access_conflict(
            request, deployment, f"Detach {role.name} from {deployment.name}", f"{role.name} detached"
        )
    after = " It is closed now: nobody reaches it." if last else ""
    _say(request, deployment, f"{role.name} is detached from {deployment.name}.{after}", detached)
    return back_to(request, deployment)


def sent_or(request: StaffRequest, deployment: Deployment) -> str:
    """What the form before was made from: a page that asks once more takes nothing newer for granted."""
    return request.POST.get("seen") or str(seen.of_deployment(deployment))


def _access_conflict(request: StaffRequest, deployment: Deployment, title: str, wanted: str) -> HttpResponse:
    """Yours beside what the deployment's access is now."""
    deployment.refresh_from_db()
    roles = ", ".join(deployment.roles.order_by("name").values_list("name", flat=True))
    restricted = deployment.access == Deployment.Access.RESTRICTED
    return conflict(
        request,
        title=title,
        rows=[("Access", wanted, WORDS[deployment.access] + (f": {roles}" if restricted else ""))],
        now=seen.of_deployment(deployment),
        entries=seen.about_deployment(deployment.pk),
        back=origin(request, deployment),
    )


@require_http_methods(["GET", "POST"])
@require(Permission.EDIT)
def limit(request: StaffRequest, pk: int) -> HttpResponse:
    """The limit of one role (`?role=`) on this deployment. `default` may be asked for before it exists.

    With `preview` nothing is saved: the answer is what the limit would change.
    """
    deployment = get_object_or_404(Deployment, pk=pk)
    name = request.GET.get("role", "")
    role = Role.objects.filter(name=name).first() or Role(name=name)
    if role.pk is None and name != DEFAULT_ROLE:
        raise Http404(f"There is no role {name}.")
    context = limit_context(deployment, role, request.POST or None)
    form: LimitForm = context["form"]
    preview = "preview" in request.POST
    attach = context["attachable"] and "attach" in request.POST
    if request.method == "POST" and form.is_valid() and not preview:
        try:
            entries = _limited(request, deployment, role, form.limit(), attach=attach)
        except actions.ConflictError:
            return conflict(
                request,
                title=f"Change the limit of {role.name} on {deployment.name}",
                rows=[("Limit", words(form.limit()), words(context["written"]))],
                now=seen.of_limit(name, deployment.name),
                entries=seen.about_limit(name, deployment.name),
                back=origin(request, deployment),
            )
        saved = f"The limit of {role.name} on {deployment.name} is saved."
        if attach:
            saved = f"{role.name} is attached to {deployment.name}, with its limit."
        if entries:
            messages.success(request, undo_message(request, saved, entries, origin(request, deployment)))
        else:
            messages.info(request, f"The limit of {role.name} on {deployment.name} was so already.")
        if state(form.limit()) == "denied":
            messages.warning(
                request,
                "A limit of 0 denies, but another role of the same person lifts it. To deny reliably, detach the role.",
            )
        return back_to(request, deployment)
    if preview and form.is_valid():
        wanted = form.limit()
        context["previewed"] = True
        context["amounts"] = [(window, (wanted or {}).get(window.field)) for window in form.windows]
        context["line"] = drafts.of_limit(deployment, role.name, wanted, attach=attach)
    in_place = bool(getattr(request, "htmx", False))
    fragment = "deployments/_limit_effect.html" if preview else "deployments/_limit_row.html"
    response = render(
        request,
        fragment if in_place else "deployments/limit.html",
        {
            **context,
            "people": people_of_roles([role.pk]).get(role.pk, 0) if role.pk else 0,
            "back": origin(request, deployment),
        },
        status=400 if form.errors and not (in_place and preview) else 200,
    )
    patch_vary_headers(response, ["HX-Request"])
    return response


def _limited(
    request: StaffRequest, deployment: Deployment, role: Role, limit: dict[str, int] | None, *, attach: bool
) -> list[Entry]:
    """Save a limit, and with `attach` attach the role; the entries of what was different. Raises ConflictError."""
    by, was = Actor.staff(request.user), request.POST.get("seen")
    if attach:
        return actions.give(deployment=deployment, role_name=role.name, limit=limit, by=by, seen=was)
    entry = actions.set_limit(role_name=role.name, deployment_name=deployment.name, limit=limit, by=by, seen=was)
    return [entry] if entry else []


def limit_context(deployment: Deployment, role: Role, sent: QueryDict | None = None) -> dict[str, Any]:
    """What `_limit_form.html` shows. `written`: the limit as it stands in the draft. Six queries."""
    row = Limit.objects.filter(role__name=role.name, deployment_name=deployment.name).first()
    written = draft.load_text(row.body) if row else None
    version = Version.parse(draft.current().target_version)
    fallback = Limit.objects.filter(role__name=DEFAULT_ROLE, deployment_name=deployment.name).first()
    now = seen.of_limit(role.name, deployment.name)
    return {
        "deployment": deployment,
        "role": role,
        "written": written,
        "form": LimitForm(sent, windows=tuple(shape("Limit", version).fields), initial=_initial(numbers_of(written))),
        "version": version,
        "default_numbers": numbers_of(draft.load_text(fallback.body)) if fallback else None,
        "is_default": role.name == DEFAULT_ROLE,
        "attachable": deployment.access == Deployment.Access.RESTRICTED
        and role.name != DEFAULT_ROLE
        and not deployment.attachments.filter(role__name=role.name).exists(),
        "limit_seen": (sent.get("seen") if sent else "") or now,
    }


def _initial(numbers: dict[str, int] | None) -> dict[str, Any]:
    if numbers is None:
        return {"state": "inherit"}
    if not numbers:
        return {"state": "unlimited"}
    return {"state": "explicit", **numbers}
