"""The pages of access reviews: open, decide, sign off, report, and what the removals lead to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpResponse, HttpResponseRedirect, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from deployments.access import actions, reviews, source
from deployments.access.models import AccessReview, ReviewRow
from deployments.models import Deployment
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.history.models import Entry
from dialadmin.history.recorder import Actor
from dialadmin.listing import Filter, Listing
from dialadmin.spreadsheet import csv_response
from roles import groups
from roles.models import Role

OFFERED = 60  # deployments that the form shows at once
PRINTED = 5_000  # rows that the report prints; the CSV file has all
STATES = (
    ("unlimited", "Unlimited"), ("limited", "Limited"), ("denied", "Denied by limit"), ("failed", "Failed"),
)  # fmt: skip
HEADER = (
    "Deployment", "Kind", "Subject", "Identifier", "E-mail", "Person or API key", "Through", "State", "Limit",
    "Decision", "Reason", "Decided by", "Decided at",
)  # fmt: skip


@require_GET
@require(Permission.READ)
def review_list(request: StaffRequest) -> HttpResponse:
    listing = Listing.of(
        request,
        AccessReview.objects.annotate(decided=Count("rows", filter=~Q(rows__decision=""))),
        search=("title__icontains", "opened_by__icontains"),
        sorts={"opened": "opened_at", "title": "title"},
        default_sort="-opened",
        filters=(Filter("state", "State", AccessReview.State.choices, "state"),),
    )
    return render(request, "access/reviews.html", {"listing": listing})


@require_http_methods(["GET", "POST"])
@require(Permission.READ)
def review_create(request: StaffRequest) -> HttpResponse:
    """Choose deployments (`step=search` looks for more), see how many rows they have, open the review."""
    given = request.POST if request.method == "POST" else request.GET
    chosen = list(Deployment.objects.filter(pk__in=[pk for pk in given.getlist("deployment") if _is_id(pk)]))
    title, q, step = given.get("title", "").strip(), given.get("q", "").strip(), request.POST.get("step", "search")
    problem = ""
    if request.method == "POST" and step != "search":
        if not chosen:
            problem = "Choose at least one deployment."
        elif not title:
            problem = "Give the review a title: it stands on the report."
        else:
            try:
                return _open(request, title, chosen)
            except (actions.ReviewRefusedError, source.UnansweredError) as error:
                problem = str(error)
    others = Deployment.objects.exclude(pk__in=[deployment.pk for deployment in chosen])
    if q:
        others = others.filter(Q(name__icontains=q) | Q(display_name__icontains=q))
    context = {
        "chosen": chosen, "offered": others.order_by("name")[:OFFERED], "more": max(0, others.count() - OFFERED),
        "title": title, "q": q, "problem": problem,
    }  # fmt: skip
    return render(request, "access/review_new.html", context, status=400 if problem else 200)


def _open(request: StaffRequest, title: str, chosen: Sequence[Deployment]) -> HttpResponse:
    """Show the numbers first; open the review once they were seen and still hold."""
    index = source.current()
    counts = reviews.counts(index, chosen)
    total = sum(people + keys for _, people, keys in counts)
    if request.POST.get("confirmed") != str(total):
        context = {"title": title, "counts": counts, "total": total, "most": actions.MOST_ROWS}
        return render(request, "access/review_confirm.html", context)
    places = [(deployment.kind, deployment.name) for deployment in chosen]
    review = actions.open_review(
        title=title,
        deployments=places,
        rows=reviews.rows_of(index, places),
        basis=reviews.basis(index),
        by=Actor.staff(request.user),
    )
    messages.success(request, f"The review is open: {review.rows_count:,} rows to decide.")
    return redirect("access:review", pk=review.pk)


def _rows(review: AccessReview, params: QueryDict) -> Listing[ReviewRow]:
    names = review.answers.order_by("deployment").values_list("deployment", flat=True).distinct()
    return Listing(
        params,
        review.rows.select_related("answer"),
        search=("label__icontains", "detail__icontains", "subject__icontains"),
        sorts={"subject": "label", "deployment": "answer__deployment", "decided": "decided_at"},
        default_sort="subject",
        filters=(
            Filter("decision", "Decision", (("undecided", "Undecided"), ("keep", "Keep"), ("remove", "Remove")),
                   "decision", {"undecided": "", "keep": "keep", "remove": "remove"}),
            Filter("deployment", "Deployment", [(name, name) for name in names], "answer__deployment"),
            Filter("subject", "Subject", ReviewRow.Subject.choices, "subject_kind"),
            Filter("state", "State", STATES, "answer__state"),
        ),
    )  # fmt: skip


@require_GET
@require(Permission.READ)
def review_detail(request: StaffRequest, pk: int) -> HttpResponse:
    review = get_object_or_404(AccessReview, pk=pk)
    listing = _rows(review, request.GET)
    counts = actions.progress(review)
    return render(
        request,
        "access/review.html",
        {
            "review": review,
            "listing": listing,
            "undecided": counts[""],
            "kept": counts["keep"],
            "removed": counts["remove"],
            "decided": review.rows_count - counts[""],
            "is_open": review.state == AccessReview.State.OPEN,
            "history": Entry.objects.filter(target_kind="review", target_id=str(pk))[:10],
        },
    )


@require_POST
@require(Permission.READ)
def decide(request: StaffRequest, pk: int) -> HttpResponse:
    """Decide the marked rows (`row`), or with `scope=all` every row of the query that the page showed."""
    review = get_object_or_404(AccessReview, pk=pk)
    query = request.POST.get("query", "")[:2000]
    expected = request.POST.get("expected", "")
    rows: QuerySet[ReviewRow]
    if request.POST.get("scope") == "all":
        rows = _rows(review, QueryDict(query)).queryset
    else:
        rows = review.rows.filter(pk__in=[pk for pk in request.POST.getlist("row") if _is_id(pk)])
        expected = ""
    decision = request.POST.get("decision", "")
    try:
        count = actions.decide(
            review=review,
            rows=rows,
            decision="" if decision == "undecided" else decision or "none",
            reason=request.POST.get("reason", ""),
            by=Actor.staff(request.user),
            expected=int(expected) if _is_id(expected) else None,
        )
    except actions.ReviewRefusedError as error:
        messages.error(request, str(error))
    else:
        words = {"keep": "kept", "remove": "marked for removal"}.get(decision, "undecided again")
        messages.success(request, f"{count:,} {'row is' if count == 1 else 'rows are'} {words}.")
    response = redirect("access:review", pk=pk)
    response["Location"] += f"?{QueryDict(query).urlencode()}" if query else ""
    return response


@require_POST
@require(Permission.READ)
def close(request: StaffRequest, pk: int) -> HttpResponse:
    review = get_object_or_404(AccessReview, pk=pk)
    try:
        actions.close_review(review=review, note=request.POST.get("note", "")[:2000], by=Actor.staff(request.user))
    except actions.ReviewRefusedError as error:
        messages.error(request, str(error))
        return redirect("access:review", pk=pk)
    messages.success(request, "The review is signed off. This is its report.")
    return redirect("access:review-report", pk=pk)


@require_http_methods(["GET", "POST"])
@require(Permission.READ)
def discard(request: StaffRequest, pk: int) -> HttpResponse:
    review = get_object_or_404(AccessReview, pk=pk)
    if request.method == "GET":
        return render(request, "access/review_discard.html", {"review": review})
    try:
        actions.discard_review(review=review, by=Actor.staff(request.user))
    except actions.ReviewRefusedError as error:
        messages.error(request, str(error))
        return redirect("access:review", pk=pk)
    messages.success(request, f"The review {review.title} was discarded.")
    return redirect("access:reviews")


def _closed(pk: int) -> AccessReview:
    """A review that was signed off; any other has no report."""
    return get_object_or_404(AccessReview, pk=pk, state=AccessReview.State.CLOSED)


@require_GET
@require(Permission.READ)
def report(request: StaffRequest, pk: int) -> HttpResponse:
    """The report, made to print. Beyond PRINTED rows it holds the removals and the counts; the CSV has all."""
    review = _closed(pk)
    rows = review.rows.select_related("answer").order_by("answer__deployment", "answer__kind", "label", "pk")
    whole = review.rows_count <= PRINTED
    counts = review.answers.order_by("deployment", "kind").values("deployment", "kind").annotate(
        rows_total=Count("rows"), removed=Count("rows", filter=Q(rows__decision="remove"))
    )  # fmt: skip
    return render(
        request,
        "access/review_report.html",
        {
            "review": review,
            "rows": rows if whole else rows.filter(decision="remove")[:PRINTED],
            "whole": whole,
            "counts": counts,
            "totals": actions.progress(review),
        },
    )


@require_GET
@require(Permission.READ)
def report_csv(request: StaffRequest, pk: int) -> StreamingHttpResponse:
    """Every row with its decision; the last lines say what it rests on and its digest."""
    review = _closed(pk)

    def lines() -> Iterator[Sequence[object]]:
        for row in review.rows.select_related("answer").order_by("pk").iterator(2_000):
            answer = row.answer
            yield (
                answer.deployment, answer.kind, row.label, row.subject, row.detail, row.get_subject_kind_display(),
                "; ".join(answer.via) or "open to everyone", answer.state, answer.limit_words,
                row.decision, row.reason, row.decided_by, row.decided_at,
            )  # fmt: skip
        yield (f"Review: {review.title}",)
        yield (f"Signed off by {review.closed_by} at", review.closed_at)
        yield (f"Rests on {review.basis_words}, read at", review.opened_at)
        yield (f"Rows: {review.rows_count}", f"sha256 of the frozen rows: {review.digest}")
        yield ("sha256 of rows and decisions", review.report_digest)

    return csv_response(f"access-review-{review.pk}.csv", HEADER, lines())


@require_GET
@require(Permission.READ)
def removals(request: StaffRequest, pk: int) -> HttpResponse:
    """What has to change so that the removals come true."""
    review = _closed(pk)
    plan = reviews.removals_of(review)
    attached = reviews.still_attached(plan.detachments)
    named = (
        Role.objects.filter(name__in={step.role for step in plan.people}) if groups.managed() else Role.objects.none()
    )
    changeable = {
        role.name: role.pk
        for role in named
        if request.user.may(groups.permission(role.name)) and not groups.change_problem(role)
    }
    held = reviews.still_held(review, plan.people)
    return render(
        request,
        "access/review_removals.html",
        {
            "review": review,
            "plan": plan,
            "detachments": [(step, attached.get((*step.place, step.role))) for step in plan.detachments],
            "people": [
                (step, reviews.names(step.places), changeable.get(step.role), (step.role, step.subject[1]) in held)
                for step in plan.people
            ],
            "keys": [(step, reviews.names(step.places)) for step in plan.keys],
        },
    )


@require_http_methods(["GET", "POST"])
@require(Permission.EDIT)
def apply(request: StaffRequest, pk: int) -> HttpResponse:
    """Detach one role (`?deployment=` id, `?role=`) that the plan names, after a page that says who else loses."""
    review = _closed(pk)
    given = request.POST if request.method == "POST" else request.GET
    role = given.get("role", "")
    asked = given.get("deployment", "")
    deployment = get_object_or_404(Deployment, pk=int(asked) if _is_id(asked) else 0)
    place = (deployment.kind, deployment.name)
    step = next((s for s in reviews.removals_of(review).detachments if (s.place, s.role) == (place, role)), None)
    if step is None:
        raise Http404("The review asks for no such removal.")
    try:
        loss = reviews.losses(source.current(), deployment, role, step.subjects)
    except source.UnansweredError as error:
        messages.error(request, str(error))
        return _back_to_removals(review)
    if request.method == "GET" or request.POST.get("confirmed") != str(loss.total):
        context: dict[str, Any] = {"review": review, "deployment": deployment, "role": role, "loss": loss}
        return render(request, "access/review_apply.html", context)
    if actions.apply_detachment(review=review, deployment=deployment, role_name=role, by=Actor.staff(request.user)):
        messages.success(
            request, f"{role} is detached from {deployment.name} in the draft; a release puts it in force."
        )
    else:
        messages.info(request, f"{role} was detached from {deployment.name} already.")
    return _back_to_removals(review)


def _back_to_removals(review: AccessReview) -> HttpResponseRedirect:
    return redirect("access:review-removals", pk=review.pk)


def _is_id(text: str) -> bool:
    return text.isdecimal() and len(text) < 19
