"""The pages of pictures: how access is spread over people, roles and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from django.core.cache import cache
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from deployments.access import source
from deployments.access.index import Answer, Index, Place
from deployments.document import SECTIONS
from deployments.models import Deployment
from deployments.releases.models import Release
from dialadmin import charts
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.templatetags.ui import plural
from roles.models import Role

SHOWN = 12  # bars of a chart
FLOWING = 15  # deployments that a drawing of ways has room for
RELEASES = 12  # of the newest, that a line runs over
KEPT = 7 * 24 * 3600  # seconds for which a process remembers a release: its numbers never change


@require_GET
@require(Permission.READ)
def overview(request: StaffRequest) -> HttpResponse:
    """People per deployment, deployments per role, tokens per day, and access from release to release."""
    try:
        index = source.current()
    except source.UnansweredError as error:
        return render(request, "access/pictures.html", {"unanswered": str(error)})
    pages = {(SECTIONS[kind][-1], name): reverse("deployments:detail", args=[pk]) for pk, kind, name in _named()}
    past = _past()
    totals = [(f"release {number}", sum(counts.values())) for number, counts in past]
    charts_shown = [
        _picture("People per deployment", "How many people each deployment lists.", _people(index, pages)),
        _picture("Deployments per role", "How many deployments name each role.", _reaches(index)),
        _picture(
            "Tokens per day", "What a deployment's people may use in a day if all use theirs.", _tokens(index, pages)
        ),
    ]
    return render(
        request,
        "access/pictures.html",
        {"charts": charts_shown, "totals": totals, "line": charts.steps(totals, "Pairs of a person and a deployment")},
    )


@require_GET
@require(Permission.READ)
def of_deployment(request: StaffRequest, pk: int) -> HttpResponse:
    """One deployment: its people by role, and how many it listed from release to release."""
    row = get_object_or_404(Deployment, pk=pk)
    context: dict[str, object] = {"deployment": row}
    try:
        index = source.current()
    except source.UnansweredError as error:
        return render(request, "access/pictures.html", {**context, "unanswered": str(error)})
    place = (SECTIONS[row.kind][-1], row.name)
    totals = [(f"release {number}", counts.get(place, 0)) for number, counts in _past()]
    found = index.find(row.name, place[0])
    roles: list[charts.Bar] = []
    if found is not None and found.user_roles is not None:
        ids = dict(Role.objects.filter(name__in=found.user_roles).values_list("name", "pk"))
        for name in sorted(found.user_roles):
            number = index.people.holding.get(name, 0).bit_count()
            url = reverse("roles:detail", args=[ids[name]]) if name in ids else ""
            roles.append(charts.Bar(name, number, plural(number, "person", "people"), url))
    tokens, unlimited = index.granted(found, "day") if found else (0, 0)
    context |= {
        "charts": [_picture("People by role", "Somebody who holds several roles counts in each.", roles)],
        "totals": totals,
        "line": charts.steps(totals, f"People of {row.name}"),
        "tokens": tokens,
        "unlimited": unlimited,
    }
    return render(request, "access/pictures.html", context)


@dataclass(frozen=True)
class Picture:
    """A bar chart as its component takes it."""

    title: str
    text: str
    bars: Sequence[charts.Bar]
    most: float
    more: int


def _picture(title: str, text: str, bars: list[charts.Bar]) -> Picture:
    shown = sorted(bars, key=lambda bar: (-(bar.value or 0), bar.label))[:SHOWN]
    return Picture(title, text, shown, max((bar.value or 0 for bar in shown), default=0), len(bars) - len(shown))


def _named() -> Sequence[tuple[int, str, str]]:
    return list(Deployment.objects.values_list("pk", "kind", "name"))


def _people(index: Index, pages: dict[Place, str]) -> list[charts.Bar]:
    everyone = index.people.count
    return [
        charts.Bar(
            place[1],
            number,
            f"everyone ({number:,})" if number == everyone and number else plural(number, "person", "people"),
            pages.get(place, ""),
        )
        for place, number in index.counts().items()
    ]


def _reaches(index: Index) -> list[charts.Bar]:
    ids = dict(Role.objects.values_list("name", "pk"))
    return [
        charts.Bar(
            role, bits.bit_count(), plural(bits.bit_count(), "deployment"),
            reverse("roles:detail", args=[ids[role]]) if role in ids else "",
        )
        for role, bits in index.opened_by.items()
    ]  # fmt: skip


def _tokens(index: Index, pages: dict[Place, str]) -> list[charts.Bar]:
    bars = []
    for item in index.deployments:
        tokens, unlimited = index.granted(item, "day")
        if tokens or (unlimited and item.section == "models"):
            words = [f"{tokens:,} tokens"] if tokens else []
            words += [f"{plural(unlimited, 'person', 'people')} without a limit"] if unlimited else []
            bars.append(
                charts.Bar(item.name, tokens or None, ", ".join(words), pages.get((item.section, item.name), ""))
            )
    return bars


def _past() -> list[tuple[int, dict[Place, int]]]:
    """The newest releases, oldest first, each with how many people each deployment listed when it was made."""
    found = []
    for release in sorted(Release.objects.defer("payload")[:RELEASES], key=attrgetter("number")):
        key = f"people-at-release:{release.number}:{release.digest}"
        counts: dict[Place, int] | None = cache.get(key)
        if counts is None:
            try:
                counts = source.at(release.created_at).counts()
            except source.UnansweredError:
                continue
            cache.set(key, counts, KEPT)
        found.append((release.number, counts))
    return found


def parts_of(answers: Sequence[Answer], hidden: int) -> list[charts.Part]:
    """All deployments, by how somebody meets them: `answers` of those that list them, `hidden` the others."""
    served = [answer for answer in answers if answer.reaches]
    through = sum(1 for answer in served if answer.via)
    return [
        charts.Part("through a role", through, "part-role"),
        charts.Part("open to everyone", len(served) - through, "part-open"),
        charts.Part("denied or failing", len(answers) - len(served), "part-denied"),
        charts.Part("not reached", hidden, "part-none"),
    ]


def flow_of(subject: str, answers: Sequence[Answer]) -> SafeString | str:
    """The way from somebody by their roles to what only these open; "" where there is none."""
    through = [answer for answer in answers if answer.via][:FLOWING]
    links = [(role, answer.deployment.name) for answer in through for role in answer.via]
    return charts.flow(subject, links, f"From {subject} by role to deployments") if links else ""
