"""The settings document: import, export, checks, API keys."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http.response import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from deployments import actions, draft, exports, imports, seen
from deployments.changes import summary
from deployments.checks import draft_findings
from deployments.core.mends import mended
from deployments.core.render import render as render_json
from deployments.core.secrets import mask_document
from deployments.core.text import SettingsError
from deployments.core.versions import Version
from deployments.forms import ImportForm, VersionForm
from deployments.models import PendingImport
from deployments.releases import drafts
from deployments.releases.presentation import told_context
from deployments.views.conflict import conflict
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.history.recorder import Actor
from dialadmin.listing import Column, Listing
from dialadmin.secrets import MASK, decrypt, encrypt
from roles.models import ApiKey

PENDING_FOR = timedelta(days=1)


@require_http_methods(["GET", "POST"])
@require(Permission.EDIT)
def import_start(request: StaffRequest) -> HttpResponse:
    """Upload or paste settings files; what they would change is shown before anything is."""
    form = ImportForm(request.POST or None, request.FILES or None)
    version = Version.parse(draft.current().target_version)
    context: dict[str, object] = {"form": form, "version": version}
    if request.method == "POST":
        sources = [imports.Source(file.name or "upload", file.read()) for file in request.FILES.getlist("upload")]
        if text := request.POST.get("text", "").strip():
            sources.append(imports.Source("pasted text", text.encode()))
        if not sources:
            form.add_error("upload", "Choose a file, or paste the settings below.")
        else:
            try:
                preview = imports.preview(sources, version)
            except SettingsError as error:
                context["problem"] = error
            else:
                if not preview.refusals:
                    return redirect("deployments:import-preview", pk=_keep(request, sources).pk)
                context["refusals"] = preview.refusals
        return render(request, "deployments/import.html", context, status=400)
    return render(request, "deployments/import.html", context)


def _keep(request: StaffRequest, sources: list[imports.Source]) -> PendingImport:
    """Keep the uploaded files, encrypted, until they are applied; files of yesterday are dropped."""
    PendingImport.objects.filter(created_at__lt=timezone.now() - PENDING_FOR).delete()
    payload = json.dumps([[source.name, source.data.decode("utf-8", "surrogateescape")] for source in sources])
    return PendingImport.objects.create(
        payload=encrypt(payload), draft_version=draft.current().version, by=request.user.sub
    )


def _sources(pending: PendingImport) -> list[imports.Source]:
    return [
        imports.Source(name, text.encode("utf-8", "surrogateescape"))
        for name, text in json.loads(decrypt(pending.payload))
    ]


@require_http_methods(["GET", "POST"])
@require(Permission.EDIT)
def import_preview(request: StaffRequest, pk: UUID) -> HttpResponse:
    """What an upload would change; the POST applies it, unless the draft has changed in between."""
    pending = get_object_or_404(PendingImport, pk=pk, by=request.user.sub)
    sources = _sources(pending)
    row = draft.current()
    preview = imports.preview(sources, Version.parse(row.target_version))
    if preview.parts is None:  # the target version was changed since the upload
        return render(
            request, "deployments/import.html", {"form": ImportForm(), "refusals": preview.refusals}, status=400
        )
    names = ", ".join(source.name for source in sources)
    if request.method == "POST":
        counts = summary(list(preview.changes))
        try:
            with transaction.atomic():
                actions.replace_draft(
                    parts=preview.parts,
                    by=Actor.staff(request.user),
                    note=names,
                    summary=counts,
                    version=int(request.POST.get("draft_version", "-1"))
                    if request.POST.get("draft_version", "").isdecimal()
                    else -1,
                )
                pending.delete()
        except actions.ConflictError as conflict:
            messages.warning(request, f"{conflict} This preview shows it as it is now.")
            return redirect("deployments:import-preview", pk=pk)
        messages.success(request, f"{names} is the draft now.")
        return redirect("deployments:list")
    return render(
        request,
        "deployments/import_preview.html",
        {
            "names": names,
            "preview": preview,
            **told_context(drafts.of_parts(preview.parts) if preview.changes else None, preview.changes),
            "draft_version": row.version,
        },
    )


@require_GET
@require(Permission.READ)
def export_page(request: StaffRequest) -> HttpResponse:
    """What the export would be, secrets masked, and what stands in its way."""
    row = draft.current()
    document = draft.document()
    findings = draft_findings()
    return render(
        request,
        "deployments/export.html",
        {
            "draft": row,
            "seen": seen.of_target_version(row),
            "version_form": VersionForm(initial={"version": row.target_version}),
            "errors": [f for f in findings if f.severity == "error"],
            "warnings": [f for f in findings if f.severity == "warning"],
            "masked": render_json(mask_document(document)),
            "empty": not document,
        },
    )


@require_POST
@require(Permission.RELEASE)
def export_download(request: StaffRequest) -> HttpResponse:
    """The settings file, secrets included. Taking it out is noted in history, so it is no GET."""
    try:
        result = exports.export()
    except exports.RefusedError as refused:
        messages.error(request, f"Not exported: {len(refused.findings)} errors stand in the way.")
        return redirect("deployments:export")
    actions.record_export(
        by=Actor.staff(request.user), digest=result.digest, version=str(result.version), size=len(result.data)
    )
    response = HttpResponse(result.data, content_type="application/json")
    response.headers["Content-Disposition"] = 'attachment; filename="aidial.config.json"'
    response.headers["ETag"] = f'"{result.digest}"'
    return response


@require_POST
@require(Permission.EDIT)
def set_version(request: StaffRequest) -> HttpResponse:
    form = VersionForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose one of the listed Core versions.")
        return redirect("deployments:export")
    version = form.cleaned_data["version"]
    try:
        if actions.set_target_version(version=version, by=Actor.staff(request.user), seen=request.POST.get("seen")):
            messages.success(request, f"The export is for Core {version} now.")
    except actions.ConflictError:
        row = draft.current()
        return conflict(
            request,
            title="Set the target version",
            rows=[("Target version", f"Core {version}", f"Core {row.target_version}")],
            now=seen.of_target_version(row),
            entries=seen.about_target_version(),
            back=reverse("deployments:export"),
        )
    return redirect("deployments:export")


@require_GET
@require(Permission.READ)
def checks(request: StaffRequest) -> HttpResponse:
    row = draft.current()
    findings = draft_findings()
    return render(
        request,
        "deployments/checks.html",
        {
            "draft": row,
            "groups": [
                (severity, [finding for finding in findings if finding.severity == severity])
                for severity in ("error", "warning", "note")
            ],
            "findings": findings,
        },
    )


@require_POST
@require(Permission.EDIT)
def mend(request: StaffRequest) -> HttpResponse:
    """Prepare the mechanical mend of one finding; its preview says what it changes, for whom, before it does."""
    wanted = (request.POST.get("code", ""), request.POST.get("place", ""))
    for finding in draft_findings():
        if finding.operation is not None and (finding.code, finding.place) == wanted:
            text = render_json(mended(draft.document(), finding.operation))
            pending = _keep(request, [imports.Source(f"mend of {finding.code} at {finding.place}", text.encode())])
            return redirect("deployments:import-preview", pk=pending.pk)
    messages.info(request, "This finding is no longer there.")
    return redirect("deployments:checks")


@require_GET
@require(Permission.READ)
def keys(request: StaffRequest) -> HttpResponseBase:
    listing = Listing.of(
        request,
        ApiKey.objects.prefetch_related("roles"),
        search=("project__icontains",),
        sorts={"project": "project", "position": "position"},
        default_sort="position",
        columns=(
            Column("project", "Project", str, "project"),
            Column("key", "Key", lambda key: MASK),
            Column("roles", "Roles", lambda key: ", ".join(role.name for role in key.roles.all())),
        ),
    )
    if listing.wants_csv:
        return listing.csv("api-keys.csv")
    return render(request, "deployments/keys.html", {"listing": listing})
