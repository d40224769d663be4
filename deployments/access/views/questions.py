"""The pages of the questions: who reaches what, what somebody reaches, and what is worth a look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from deployments.access.index import KINDS, Answer, Index, differences, some_members, union
from deployments.access.views.paging import ROWS, Asked, Pages, Said, asked, only_matching, page_of, roles_of
from deployments.access.views.pictures import flow_of, parts_of
from deployments.access.why import LABELS
from deployments.core.access import access
from deployments.core.compare import compare as compare_settings
from deployments.core.load import UNLIMITED, Deployment, Settings
from deployments.models import Deployment as Row
from dialadmin import charts
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from roles.models import Role, User


def _context(request: HttpRequest, question: Asked, **more: Any) -> dict[str, Any]:
    """What every page has: the question, and the state that its forms keep."""
    keep = [(name, value) for name, value in request.GET.items() if name not in ("at", "page")]
    at_query = f"&{urlencode({'at': question.at})}" if question.at else ""
    return {"asked": question, "keep": keep, "at_query": at_query, **more}


def _answered(request: HttpRequest, template: str, question: Asked, **more: Any) -> HttpResponse:
    """The page; a question that cannot be answered says why, with status 400 when it is the moment that is wrong."""
    status = 400 if question.problem and question.at else 200
    return render(request, template, _context(request, question, **more), status=status)


@require_GET
@require(Permission.READ)
def overview(request: StaffRequest) -> HttpResponse:
    """The questions, with the numbers that say which is worth asking."""
    question = asked(request.GET.get("at", ""))
    numbers: dict[str, int] = {}
    if question.index is not None:
        index = question.index
        numbers = {
            "people": index.people.count,
            "keys": len(index.keys),
            "deployments": len(index.deployments),
            "open": len(index.open_to_everyone()),
            "nothing": index.reaching_nothing().bit_count(),
            "empty": len(index.roles_without_members()),
            "without_effect": len(index.members_without_effect()),
        }
    return _answered(request, "access/overview.html", question, numbers=numbers)


# --- of one deployment --------------------------------------------------------------------------------------


@require_GET
@require(Permission.READ)
def deployment(request: StaffRequest) -> HttpResponse:
    """Who reaches `?name=` of `?kind=`: people found by `?q=`, and beside them the API keys."""
    name, kind, q = (request.GET.get(field, "").strip() for field in ("name", "kind", "q"))
    question = asked(request.GET.get("at", ""))
    index = question.index
    row = Row.objects.filter(name=name, **({"kind": kind} if kind else {})).first()
    found = index.find(name, _section(kind)) if index is not None else None
    if not name or (row is None and found is None and index is not None and not question.at):
        raise Http404(f"There is no deployment {name}.")
    if index is None or found is None:
        return _answered(request, "access/deployment.html", question, name=name, row=row, found=None)
    bits = index.listed(found)
    matching = only_matching(index, bits, q)
    pages: Pages[Any] = Pages(request, matching.bit_count())
    rows = []
    for number, user in page_of(index, matching, pages):
        answer = index.answer(found, index.people.roles_of(number))
        if answer is not None:
            rows.append((user, Said.of(answer)))
    keys = [
        (label, Said.of(answer))
        for label, key in index.keys
        if q.lower() in label.lower() and (answer := index.answer(found, set(key.roles))) is not None
    ]
    return _answered(
        request, "access/deployment.html", question,
        name=name, row=row, found=found, kind=KINDS[found.section], access=access(found), q=q,
        people=bits.bit_count(), callers=index.callers(found).bit_count(), listing=pages, rows=rows,
        keys=keys[:ROWS], keys_total=len(keys), version=index.settings.version,
        download={"deployment": name, "kind": KINDS[found.section]},
        enforced=found.section in index.settings.rules.enforced,
    )  # fmt: skip


# --- of one user, role, API key --------------------------------------------------------------------------------


@require_GET
@require(Permission.READ)
def user(request: StaffRequest, pk: int) -> HttpResponse:
    person = get_object_or_404(User, pk=pk)
    question = asked(request.GET.get("at", ""))
    gone = ""
    if question.index is not None and person.pk not in question.index.people.number_of:
        if question.moment is not None:
            gone = f"{person} could not sign in then: not known yet, disabled, or gone from the pool."
        elif person.gone_at is not None:
            gone = f"{person} has gone from the pool and reaches nothing."
        else:
            gone = f"{person} is disabled in the pool: they get no token, so they reach nothing."
    roles = roles_of(person, question.moment)
    return _reached(
        request, question, roles, subject=str(person), kind="user", person=person, gone=gone,
        subject_query=urlencode({"user": person.sub}), download={"user": person.sub},
    )  # fmt: skip


@require_GET
@require(Permission.READ)
def role(request: StaffRequest, pk: int) -> HttpResponse:
    """What somebody reaches who holds this role alone."""
    row = get_object_or_404(Role, pk=pk)
    return _reached(request, asked(request.GET.get("at", "")), [row.name], subject=row.name, kind="role", role=row,
                    download={"role": row.name})  # fmt: skip


@require_GET
@require(Permission.READ)
def key(request: StaffRequest) -> HttpResponse:
    """What an API key reaches: `?project=` is its label, never its value. Others of the project are linked."""
    label = request.GET.get("project", "")
    question = asked(request.GET.get("at", ""))
    keys = dict(question.index.keys) if question.index is not None else {}
    held = keys.get(label)
    if held is None and question.index is not None and not question.at:
        raise Http404("There is no such API key.")
    gone = "" if held or question.index is None else f"There was no API key of {label} then."
    return _reached(
        request, question, sorted(set(held.roles)) if held else [], subject=f"API key of {label}", kind="key",
        label=label, gone=gone,
        others=[other for other, known in keys.items() if held and known.project == held.project and other != label],
        subject_query=urlencode({"key": label}), download={"api_key": label},
    )  # fmt: skip


def _reached(request: StaffRequest, question: Asked, roles: list[str], *, gone: str = "", **more: Any) -> HttpResponse:
    index = question.index
    answers: list[Answer] = list(index.answers(frozenset(roles))) if index is not None and not gone else []
    pages: Pages[Answer] = Pages(request, len(answers))
    hidden = len(index.deployments) - len(answers) if index is not None else 0
    parts = parts_of(answers, hidden)
    return _answered(
        request, "access/reached.html", question,
        roles=roles, gone=gone, listing=pages, rows=[Said.of(answer) for answer in pages.of(answers)], hidden=hidden,
        parts=parts, whole=charts.whole(parts, f"What {more['subject']} reaches"),
        flow=flow_of(more["subject"], answers) if more["kind"] != "role" else "", **more,
    )  # fmt: skip


# --- of everything -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One deployment of the matrix: how many people and API keys it lists, and how many each of its roles."""

    deployment: Deployment
    kind: str
    access: str
    people: int
    keys: int
    roles: list[tuple[str, int]]


@require_GET
@require(Permission.READ)
def matrix(request: StaffRequest) -> HttpResponse:
    """Every deployment with its roles, people counted; `?access=` and `?q=` narrow it."""
    question = asked(request.GET.get("at", ""))
    chosen, q = request.GET.get("access", ""), request.GET.get("q", "").strip()
    index = question.index
    found = [
        item
        for item in (index.deployments if index is not None else ())
        if (not chosen or access(item) == chosen) and q.lower() in item.name.lower()
    ]
    counted = sorted(found, key=lambda item: (item.name, item.section))
    pages: Pages[Deployment] = Pages(request, len(counted))
    lines = [_line(index, item) for item in pages.of(counted)] if index is not None else []
    return _answered(
        request, "access/matrix.html", question, listing=pages, rows=lines, q=q, chosen=chosen,
        choices=(("open", "Open to everyone"), ("restricted", "Restricted"), ("closed", "Closed")),
        download={"question": "open" if chosen == "open" else "counts"}, everything={"question": ""},
    )  # fmt: skip


def _line(index: Index, item: Deployment) -> Line:
    holding = index.people.holding
    keys = sum(1 for _, key in index.keys if item.user_roles is None or not item.user_roles.isdisjoint(key.roles))
    roles = [(name, holding.get(name, 0).bit_count()) for name in sorted(item.user_roles or ())]
    return Line(item, KINDS[item.section], access(item), index.listed(item).bit_count(), keys, roles)


@require_GET
@require(Permission.READ)
def nothing(request: StaffRequest) -> HttpResponse:
    """People whom no deployment serves; with `?beyond=open` those who reach no more than what is open."""
    question = asked(request.GET.get("at", ""))
    beyond = request.GET.get("beyond") == "open"
    q = request.GET.get("q", "").strip()
    index = question.index
    if index is None:
        return _answered(request, "access/nothing.html", question, beyond=beyond, q=q)
    bits = _only_open(index) if beyond else index.reaching_nothing()
    matching = only_matching(index, bits, q)
    pages: Pages[Any] = Pages(request, matching.bit_count())
    rows = [(person, sorted(index.people.roles_of(number))) for number, person in page_of(index, matching, pages)]
    return _answered(
        request, "access/nothing.html", question, beyond=beyond, q=q, listing=pages, rows=rows,
        total=bits.bit_count(), everyone=index.people.count, open=len(index.open_to_everyone()),
        download={"question": "reach-nothing"},
    )  # fmt: skip


def _only_open(index: Index) -> int:
    """The people whom no deployment with `userRoles` lists."""
    listed = union(index.people.holding.get(role, 0) for role in index.opened_by)
    return index.people.everyone & ~listed


@require_GET
@require(Permission.READ)
def loose_ends(request: StaffRequest) -> HttpResponse:
    """Roles without members, and memberships that give nothing. Each is bounded by ROWS; the totals are said."""
    question = asked(request.GET.get("at", ""))
    index = question.index
    if index is None:
        return _answered(request, "access/loose_ends.html", question)
    empty, idle = index.roles_without_members(), index.members_without_effect()
    shown = [*empty[:ROWS], *(name for name, _ in idle[:ROWS])]
    known = {row.name: row for row in Role.objects.filter(name__in=shown).only("pk", "name", "pool")}
    return _answered(
        request, "access/loose_ends.html", question,
        empty=[(name, known.get(name), index.opened_by.get(name, 0).bit_count()) for name in empty[:ROWS]],
        empty_total=len(empty),
        idle=[(name, known.get(name), bits.bit_count()) for name, bits in idle[:ROWS]],
        idle_total=len(idle),
        empty_download={"question": "roles-without-members"},
        idle_download={"question": "members-without-effect"},
    )  # fmt: skip


# --- two moments ----------------------------------------------------------------------------------------------------


@require_GET
@require(Permission.READ)
def compare(request: StaffRequest) -> HttpResponse:
    """Who gained and who lost what between `?from=` and `?to=` (empty: now); one deployment in full by `?name=`."""
    before, after = asked(request.GET.get("from", "")), asked(request.GET.get("to", ""))
    asked_for = bool(before.at or after.at)
    problem = before.problem or after.problem
    context: dict[str, Any] = {"before": before, "after": after, "problem": problem, "asked_for": asked_for}
    if not asked_for or before.index is None or after.index is None:
        return render(request, "access/compare.html", context, status=400 if asked_for else 200)
    ids, found = differences(before.index, after.index)
    name, kind = request.GET.get("name", ""), request.GET.get("kind", "")
    one = next((item for item in found if (item.name, KINDS[item.section]) == (name, kind)), None)
    if one is not None:
        lost = request.GET.get("change") == "lost"
        bits = one.lost if lost else one.gained
        pages: Pages[Any] = Pages(request, bits.bit_count())
        shown = [ids[number] for number in some_members(bits, pages.start, ROWS)]
        users = User.objects.in_bulk(shown)
        rows = [users[pk] for pk in shown if pk in users]
        context |= {"one": one, "kind": kind, "lost": lost, "listing": pages, "rows": rows}
        return render(request, "access/compare_people.html", context)
    pages = Pages(request, len(found))
    limits = _limit_changes(before.index.settings, after.index.settings)
    context |= {
        "listing": pages,
        "rows": [
            (item, KINDS[item.section], item.gained.bit_count(), item.lost.bit_count()) for item in pages.of(found)
        ],
        "gained": union(item.gained for item in found).bit_count(),
        "lost": union(item.lost for item in found).bit_count(),
        "limits": limits[:ROWS],
        "limits_total": len(limits),
        "state": [(key, value) for key, value in request.GET.items() if key in ("from", "to")],
    }
    return render(request, "access/compare.html", context)


def _limit_changes(before: Settings, after: Settings) -> list[tuple[str, str, str, str, str]]:
    """(role, deployment, window, before, after) of the written limits, in words."""
    return [
        (change.role, change.name, LABELS[change.window], _number(change.before), _number(change.after))
        for change in compare_settings(before, after).limits
    ]


def _number(value: int | None) -> str:
    if value is None:
        return "no entry"
    return "unlimited" if value == UNLIMITED else f"{value:,}"


def _section(kind: str) -> str:
    return next((section for section, known in KINDS.items() if known == kind), "")
