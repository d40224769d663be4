"""The matrix: deployments by roles, a page of both at a time, and a cell of it opened in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET

from deployments import seen
from deployments.access import source
from deployments.access.index import Index
from deployments.document import SECTIONS
from deployments.matrix import COLUMNS, LEGEND, ROWS, Column, Page, Row, by_kind, lines
from deployments.models import Attachment, Deployment, Limit
from deployments.releases import drafts
from deployments.views.access import limit_context
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.listing import Pill
from roles.models import Role

KINDS = tuple(Deployment.Kind.values)
ROW_SORTS = {"name": "A to Z", "-name": "Z to A", "-people": "Most people first", "people": "Fewest people first"}
COLUMN_SORTS = {**ROW_SORTS, "-attached": "Attached most first", "attached": "Attached least first"}
HELD = {
    "people": "Somebody holds",
    "attached": "Attached somewhere",
    "group": "Groups of the pool",
    "other": "No group",
}
CHOICES = {"kind": dict(Deployment.Kind.choices), "access": dict(Deployment.Access.choices), "held": HELD}
LABELS = {"kind": "Kind", "access": "Access", "held": "Roles"}


@dataclass(frozen=True)
class Asked:
    """The state of the page, which is its query string; what is no choice counts as not given."""

    params: QueryDict

    def chosen(self, name: str) -> str:
        value = self.params.get(name, "")
        return value if value in CHOICES[name] else ""

    def text(self, name: str) -> str:
        return self.params.get(name, "").strip()[:200]

    def sort(self, name: str, sorts: dict[str, str]) -> str:
        asked = self.params.get(name, "")
        return asked if asked in sorts else "name"

    def query(self, **changes: object) -> str:
        """The query string of this state with some parameters changed, or dropped where None. No cell is open in it."""
        params = self.params.copy()
        for name, value in {"cell": None, **changes}.items():
            params.pop(name, None)
            if value is not None:
                params[name] = str(value)
        return "?" + params.urlencode()

    @property
    def narrowed(self) -> bool:
        """Whether a choice is made that the page shows only when it is unfolded."""
        return any(self.params.get(name) for name in ("sort", "order", *CHOICES))

    @property
    def cell_query(self) -> str:
        """The query string of this state up to the number of the cell that it opens."""
        return f"{self.query()}&cell=".replace("?&", "?")

    @property
    def pills(self) -> list[Pill]:
        texts = [(name, self.text(name), label) for name, label in (("q", "Deployment"), ("role", "Role"))]
        choices = [(name, CHOICES[name].get(self.chosen(name), ""), LABELS[name]) for name in CHOICES]
        return [
            Pill(f"{label}: {value}", self.query(**{name: None, "page": None, "columns": None}))
            for name, value, label in [*texts, *choices]
            if value
        ]


@require_GET
@require(Permission.READ)
def matrix(request: StaffRequest) -> HttpResponse:
    """The page; of `?cell=` (row of a deployment, a dot, row of a role) alone where htmx asks for it."""
    asked = Asked(request.GET)
    try:
        index, problem = source.current(), ""
    except source.UnansweredError as error:
        index, problem = None, str(error)
    opened = _opened(request, asked, index)
    if request.headers.get("HX-Target") == "cell":
        response = render(request, "deployments/_matrix_cell.html", {"opened": opened})
        patch_vary_headers(response, ["HX-Target"])
        return response
    rows = Page(_rows(asked, index), asked.text("page"), ROWS, "page", asked.query)
    columns = Page(_columns(asked, index), asked.text("columns"), COLUMNS, "columns", asked.query)
    shown = _lines(rows.shown, columns.shown, index)
    context = {
        "asked": asked,
        "problem": problem,
        "rows": rows,
        "columns": columns,
        "groups": [(Deployment.Kind(kind).label, group) for kind, group in by_kind(shown)],
        "legend": LEGEND,
        "opened": opened,
        "here": f"{request.path}{asked.query()}",
        "q": asked.text("q"),
        "role": asked.text("role"),
        "selects": [
            (name, LABELS[name], list(CHOICES[name].items()), asked.chosen(name)) for name in ("kind", "access", "held")
        ],
        "row_sorts": list(ROW_SORTS.items()),
        "row_sort": asked.sort("sort", ROW_SORTS),
        "column_sorts": list(COLUMN_SORTS.items()),
        "column_sort": asked.sort("order", COLUMN_SORTS),
        "empty": not Deployment.objects.exists(),
    }
    response = render(request, "deployments/matrix.html", context)
    patch_vary_headers(response, ["HX-Target"])
    return response


def _rows(asked: Asked, index: Index | None) -> list[Row]:
    """All deployments that the filters leave, by kind and then as they are sorted. One query."""
    found = Deployment.objects.order_by()
    if asked.text("q"):
        found = found.filter(name__icontains=asked.text("q")) | found.filter(display_name__icontains=asked.text("q"))
    for name in ("kind", "access"):
        if asked.chosen(name):
            found = found.filter(**{name: asked.chosen(name)})
    rows = [Row(*values) for values in found.values_list("pk", "kind", "name", "access")]
    sort = asked.sort("sort", ROW_SORTS)
    rows.sort(key=lambda row: row.name)
    if sort.endswith("people") and index is not None:
        counts = index.counts()
        rows.sort(key=lambda row: counts.get((SECTIONS[row.kind][-1], row.name), 0), reverse=sort == "-people")
    elif sort == "-name":
        rows.reverse()
    rows.sort(key=lambda row: KINDS.index(row.kind))
    return rows


def _columns(asked: Asked, index: Index | None) -> list[Column]:
    """All roles that the filters leave, as they are sorted. One query. `default` lets nobody in, so it is none."""
    found = Role.objects.order_by("name").exclude(name="default").annotate(attached=Count("attachments"))
    if asked.text("role"):
        found = found.filter(name__icontains=asked.text("role"))
    holding = index.people.holding if index is not None else {}
    roles = [
        Column(pk, name, pool, holding.get(name, 0).bit_count(), attached)
        for pk, name, pool, attached in found.values_list("pk", "name", "pool", "attached")
    ]
    wanted = {
        "people": lambda role: role.people > 0,
        "attached": lambda role: role.attached > 0,
        "group": lambda role: role.pool == Role.Pool.PRESENT,
        "other": lambda role: role.pool != Role.Pool.PRESENT,
    }.get(asked.chosen("held"))
    roles = [role for role in roles if wanted is None or wanted(role)]
    sort = asked.sort("order", COLUMN_SORTS)
    if sort.endswith("name"):
        return roles[::-1] if sort.startswith("-") else roles
    roles.sort(key=lambda role: getattr(role, sort.lstrip("-")), reverse=sort.startswith("-"))
    return roles


def _lines(rows: Any, columns: Any, index: Index | None) -> Any:
    """The cells of what is shown. Two queries."""
    ids = {"deployment_id__in": [row.pk for row in rows], "role_id__in": [column.pk for column in columns]}
    attached = set(Attachment.objects.filter(**ids).values_list("deployment_id", "role_id"))
    limited = set(
        Limit.objects.filter(
            role_id__in=ids["role_id__in"], deployment_name__in=[row.name for row in rows]
        ).values_list("role_id", "deployment_name")
    )
    return lines(rows, columns, attached, limited, index)


def _opened(request: StaffRequest, asked: Asked, index: Index | None) -> dict[str, Any] | None:
    """What the cell that is open shows; None where none is. Raises Http404 for one that there is none of."""
    text = request.GET.get("cell", "")
    if not text:
        return None
    deployment_id, _, role_id = text.partition(".")
    if not (deployment_id.isdecimal() and role_id.isdecimal() and len(text) < 39):
        raise Http404("There is no such cell.")
    deployment = Deployment.objects.filter(pk=int(deployment_id)).first()
    role = Role.objects.filter(pk=int(role_id)).first()
    if deployment is None or role is None:
        raise Http404("The deployment or the role of this cell has been deleted.")
    roles = list(deployment.roles.order_by("name").values_list("name", flat=True))
    restricted = deployment.access == Deployment.Access.RESTRICTED
    attached = restricted and role.name in roles
    if attached:
        wanted = tuple(name for name in roles if name != role.name)
    else:
        wanted = (*roles, role.name) if restricted else (role.name,)
    row = Row(deployment.pk, deployment.kind, deployment.name, deployment.access)
    column = Column(role.pk, role.name, role.pool, 0, 0)
    ((line),) = _lines([row], [column], index)
    found = index.find(deployment.name, SECTIONS[deployment.kind][-1]) if index is not None else None
    return {
        "deployment": deployment,
        "role": role,
        "look": line.cells[0].look,
        "attached": attached,
        "last": attached and not wanted,
        "people": index.people.holding.get(role.name, 0).bit_count() if index is not None else None,
        "reached_by": line.people,
        "answer": index.answer(found, {role.name}) if index is not None and found is not None else None,
        "line": drafts.of_access(deployment, wanted),
        "told": index is not None,
        "back": f"{request.path}{asked.query()}",
        "next": f"{request.path}{asked.query()}#c{deployment.pk}.{role.pk}",
        "seen": seen.of_deployment(deployment),
        **limit_context(deployment, role),
    }
