"""Pictures say in words what they draw, escape what they are given, and stay inside of their frame."""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from deployments.access import source
from deployments.releases.actions import release
from deployments.releases.reading import basis
from dialadmin.accounts.models import Staff
from dialadmin.charts import Part, bar, flow, steps, whole
from roles.models import Role, User
from tests.deployments.factories import TESTER, deployment, make_draft, make_user

EVIL = '<script>"&'


def parsed(svg: str) -> ElementTree.Element:
    """The picture as XML: an unescaped name would not parse."""
    return ElementTree.fromstring(svg)  # noqa: S314 - our own


def widths(svg: str, css: str) -> list[float]:
    return [float(rect.get("width", "")) for rect in parsed(svg).iter("rect") if rect.get("class") == css]


@pytest.mark.parametrize(
    ("value", "most", "width"),
    [(50, 100, 50), (100, 100, 100), (200, 100, 100), (0, 100, 0), (1, 1_000_000, 0.75), (5, 0, 0), (None, 10, 0)],
)
def test_a_bar_is_as_wide_as_its_share(value: float | None, most: float, width: float) -> None:
    assert widths(bar(value, most), "fill") == [width]


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=6))
def test_the_parts_fill_the_whole_and_no_more(values: list[int]) -> None:
    svg = whole([Part(f"part {n}", value, "part-role") for n, value in enumerate(values)], "Sum")
    assert sum(widths(svg, "part-role")) == pytest.approx(100 if sum(values) else 0, abs=0.1)


@given(st.lists(st.integers(0, 10**12), max_size=14))
def test_a_line_stays_inside_of_its_frame(values: list[int]) -> None:
    svg = steps([(f"release {n}", value) for n, value in enumerate(values)], "Access")
    _, _, width, height = (float(number) for number in (parsed(svg).get("viewBox") or "").split())
    for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", svg):
        assert 0 <= float(x) <= width
        assert 0 <= float(y) <= height


def test_a_picture_says_in_words_what_it_draws() -> None:
    assert parsed(steps([("release 1", 1200)], "Access")).get("aria-label") == "Access: release 1 1,200"
    assert parsed(whole([Part("open", 3, "x")], "Reach")).get("aria-label") == "Reach: open 3"
    assert parsed(flow("Ada", [("analysts", "gpt-4o")], "Flow")).get("aria-label") == "Flow: analysts → gpt-4o"


def test_names_are_escaped_and_shortened() -> None:
    svg = flow(EVIL, [(EVIL, "x" * 60)], EVIL)
    texts = [text.text for text in parsed(svg).iter("text")]
    assert texts == [EVIL, EVIL, "x" * 21 + "…"]
    parsed(whole([Part(EVIL, 1, "part-role")], EVIL))
    parsed(steps([(EVIL, 1)], EVIL))


def test_a_flow_draws_each_way_once() -> None:
    links = [("a", "x"), ("a", "y"), ("b", "x"), ("a", "x")]
    assert len(list(parsed(flow("Ada", links, "Flow")).iter("path"))) == 2 + 3


def test_no_picture_carries_style() -> None:
    drawn = [bar(1, 2), whole([Part("a", 1, "x")], "t"), steps([("a", 1)], "t"), flow("a", [("b", "c")], "t")]
    assert not [svg for svg in drawn if "style" in svg or "fill=" in svg]


@pytest.fixture
def auditor(client_of: Callable[[Staff], Client], vera: Staff) -> Client:
    make_draft()
    make_user("grace", "analysts", "engineers")
    make_user("alan", "analysts")
    make_user("kurt")
    release(by=TESTER, note="first", seen=str(basis()), typed="1")
    return client_of(vera)


def bars(client: Client, url: str) -> dict[str, dict[str, str]]:
    context = client.get(url).context
    return {picture.title: {bar.label: bar.words for bar in picture.bars} for picture in context["charts"]}


def test_the_overview_counts_as_the_audit_does(auditor: Client) -> None:
    shown = bars(auditor, reverse("access:pictures"))
    counts = source.current().counts()
    assert shown["People per deployment"]["gpt-4o"] == "2 people"
    assert shown["People per deployment"]["gpt-4o-mini"] == "everyone (3)"
    assert len(shown["People per deployment"]) == len(counts)
    assert shown["Deployments per role"] == {"analysts": "3 deployments", "engineers": "2 deployments"}
    # Grace is unlimited as an engineer; Alan has a limit per minute alone, so none per day.
    assert shown["Tokens per day"]["gpt-4o"] == "2 people without a limit"


def test_tokens_per_day_are_what_everybody_together_may_use(auditor: Client) -> None:
    make_user("ada", "analysts")
    analysts = Role.objects.get(name="analysts")
    analysts.limits.filter(deployment_name="gpt-4o").update(body='{"day": "1000"}')
    source.forget()
    index = source.current()
    model = index.find("gpt-4o")
    assert model is not None
    assert index.granted(model, "day") == (2000, 1)


def test_a_deployment_has_a_page_of_its_own_that_runs_over_releases(auditor: Client) -> None:
    url = reverse("access:pictures-of", args=[deployment("gpt-4o").pk])
    response = auditor.get(url)
    assert response.context["totals"] == [("release 1", 2)]
    assert bars(auditor, url) == {"People by role": {"analysts": "2 people", "engineers": "1 person"}}


def test_a_person_sees_the_way_to_what_they_reach(auditor: Client) -> None:
    page = auditor.get(reverse("access:user", args=[User.objects.get(username="grace").pk]))
    assert "analysts → gpt-4o" in page.context["flow"]
    parts = {part.label: part.value for part in page.context["parts"]}
    assert sum(parts.values()) == len(source.current().deployments)
    assert parts["through a role"] == 4


def test_pictures_of_a_draft_that_core_would_refuse_say_so(auditor: Client) -> None:
    row = deployment("gpt-4o")
    row.body = '{"nonsense": 1}'
    row.save()
    source.forget()
    page = auditor.get(reverse("access:pictures"))
    assert "Nothing can be drawn" in page.content.decode()
