"""Review, release, restore."""

from __future__ import annotations

import math
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from deployments import draft, exports
from deployments.access.index import some_members
from deployments.actions import ConflictError
from deployments.changes import compare
from deployments.core.check import check
from deployments.core.render import render as render_json
from deployments.core.secrets import mask_document
from deployments.core.versions import Version
from deployments.document import split
from deployments.releases import actions, drafts, publishing, reading
from deployments.releases.models import Release
from deployments.releases.presentation import told_context
from deployments.releases.review import CHANGES, Review
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.history.recorder import Actor
from dialadmin.listing import Listing
from roles.models import User

PAGE = 50
CHANGE_WORDS = {"gains": "gain", "loses": "lose", "raised": "get a higher limit on", "lowered": "get a lower limit on"}


@require_GET
@require(Permission.READ)
def release_list(request: StaffRequest) -> HttpResponse:
    listing = Listing.of(
        request,
        Release.objects.defer("payload"),
        search=("note__icontains", "author_name__icontains", "digest__istartswith"),
        sorts={"number": "number", "author": "author_name"},
        default_sort="-number",
    )
    return render(request, "releases/list.html", {"listing": listing})


@require_GET
@require(Permission.READ)
def review_page(request: StaffRequest) -> HttpResponse:
    return render(request, "releases/review.html", review_context(request, drafts.draft_review()))


def review_context(request: StaffRequest, draft_review: drafts.DraftReview, **more: Any) -> dict[str, Any]:
    by = Actor.staff(request.user)
    return {
        "draft_review": draft_review,
        **told_context(draft_review.review, draft_review.changes),
        "editors": drafts.edits_since_last_release() if settings.FOUR_EYES else [],
        "alone": actions.alone(by),
        "names_query": "?",
        **more,
    }


@require_POST
@require(Permission.RELEASE)
def make(request: StaffRequest) -> HttpResponse:
    """Release the draft as it was read. What has changed since is shown instead, and nothing is released."""
    note, seen, typed = (request.POST.get(name, "") for name in ("note", "seen", "typed"))
    try:
        made = actions.release(note=note[:2000], by=Actor.staff(request.user), seen=seen, typed=typed)
    except actions.StaleReviewError as stale:
        basis = reading.Basis.parse(seen)
        context = review_context(
            request, drafts.draft_review(), note=note, problem=stale, since=drafts.since(basis) if basis else None
        )
        return render(request, "releases/review.html", context, status=409)
    except (actions.ReleaseRefusedError, exports.RefusedError) as refused:
        problem = f"{refused}: see below." if isinstance(refused, exports.RefusedError) else str(refused)
        context = review_context(request, drafts.draft_review(), note=note, typed=typed, problem=problem)
        return render(request, "releases/review.html", context, status=400)
    messages.success(request, f"Release {made.number} is made. It changes nothing in DIAL Core until it is published.")
    return redirect("releases:detail", number=made.number)


@require_GET
@require(Permission.READ)
def people_page(request: StaffRequest) -> HttpResponse:
    """The names behind a count of a review: `?change=…`, of one deployment (`section`, `name`) or of all."""
    change = request.GET.get("change", "")
    if change not in CHANGES:
        raise Http404("There is no such change.")
    restored = request.GET.get("restore", "")
    told = _restored(_release(int(restored))) if restored.isdecimal() else drafts.draft_review().review
    section, name = request.GET.get("section", ""), request.GET.get("name", "")
    line = told.line(section, name) if told else None
    if told is None or (name and line is None):
        raise Http404("The review no longer says this.")
    everyone = {"gains": told.gaining, "loses": told.losing, "raised": told.raised, "lowered": told.lowered}
    bits = line.bits(change) if line else everyone[change]
    total = bits.bit_count()
    pages = max(1, math.ceil(total / PAGE))
    asked = request.GET.get("page", "1")
    page = min(max(int(asked) if asked.isdecimal() and len(asked) < 10 else 1, 1), pages)

    population = drafts.population()
    ids = [population.ids[number] for number in some_members(bits, (page - 1) * PAGE, PAGE)]

    def at(number: int) -> str:
        query = request.GET.copy()
        query["page"] = str(number)
        return f"?{query.urlencode()}"

    return render(
        request,
        "releases/people.html",
        {
            "users": User.objects.filter(pk__in=ids).order_by("username"),
            "words": CHANGE_WORDS[change],
            "line": line,
            "total": total,
            "page": page,
            "pages": pages,
            "previous": at(page - 1) if page > 1 else "",
            "next": at(page + 1) if page < pages else "",
            "restored": restored,
        },
    )


def _release(number: int) -> Release:
    made = reading.by_number(number)
    if made is None:
        raise Http404(f"There is no release {number}.")
    return made


@require_GET
@require(Permission.READ)
def release_detail(request: StaffRequest, number: int) -> HttpResponse:
    made = _release(number)
    before = reading.by_number(number - 1)
    document = reading.document(made)
    changes = tuple(compare(split(reading.document(before) if before else {}), split(document)))
    return render(
        request,
        "releases/detail.html",
        {
            "release": made,
            "size": len(reading.data(made)),
            "before": before,
            "newest": reading.latest(),
            **told_context(None, changes),
            "masked": render_json(mask_document(document)),
            "publications": publishing.of_release(number),
        },
    )


@require_POST
@require(Permission.RELEASE)
def download(request: StaffRequest, number: int) -> HttpResponse:
    """The exact bytes, secrets included. Taking them out is noted in history, so it is no GET."""
    made = _release(number)
    data = reading.data(made)
    actions.record_download(release=made, by=Actor.staff(request.user))
    response = HttpResponse(data, content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="aidial.config.{number}.json"'
    response.headers["ETag"] = f'"{made.digest}"'
    return response


@require_http_methods(["GET", "POST"])
@require(Permission.EDIT)
def restore(request: StaffRequest, number: int) -> HttpResponse:
    """What the draft would become, and for whom; the POST does it, unless the draft has changed in between."""
    made = _release(number)
    row = draft.current()
    document = reading.document(made)
    errors = [f for f in check(document, Version.parse(row.target_version)) if f.severity == "error"]
    if request.method == "POST" and not errors:
        seen = request.POST.get("draft_version", "")
        try:
            changed = actions.restore(
                release=made, by=Actor.staff(request.user), version=int(seen) if seen.isdecimal() else -1
            )
        except ConflictError as conflict:
            messages.warning(request, f"{conflict} This review shows it as it is now.")
            return redirect("releases:restore", number=number)
        if changed:
            messages.success(request, f"The draft says what release {number} said. Review it, then release it.")
        else:
            messages.info(request, f"The draft says what release {number} said already.")
        return redirect("releases:review")
    changes = tuple(compare(draft.read(), split(document)))
    return render(
        request,
        "releases/restore.html",
        {
            "release": made,
            "draft": row,
            "errors": errors,
            **told_context(_restored(made), changes),
            "names_query": f"?restore={number}&",
        },
    )


def _restored(made: Release) -> Review | None:
    """What restoring a release into the draft means for people."""
    version = draft.current().target_version
    return drafts.between(draft.document(), version, reading.document(made), version)
