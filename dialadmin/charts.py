"""Pictures as SVG, out of plain numbers. Pure: colours are classes, so that both themes and forced colours hold.

Each picture says in words what it shows; the same numbers stand beside it as a table (`components/picture.html`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

NARROWEST = 0.75  # percent of the width that the smallest number still gets, so that it can be told from none
ROW = 26  # height of a line of a drawing, in its own units


@dataclass(frozen=True)
class Bar:
    """One line of a bar chart. `value` None has no bar, only words; `tone` is a class of the stylesheet."""

    label: str
    value: float | None
    words: str
    url: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Part:
    """One part of a whole."""

    label: str
    value: int
    tone: str


def bar(value: float | None, most: float) -> SafeString:
    """A horizontal bar as wide as its share of `most`. It repeats a number that stands beside it, so it is silent."""
    share = min(value / most, 1) * 100 if value and most > 0 else 0
    return format_html(
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="track" width="100" height="10"/><rect class="fill" width="{}" height="10"/></svg>',
        _number(max(share, NARROWEST) if share else 0),
    )


def whole(parts: Sequence[Part], title: str) -> SafeString:
    """One bar made of its parts."""
    total = sum(part.value for part in parts)
    drawn = []
    start = 0.0
    for part in parts:
        width = part.value / total * 100 if total else 0
        if width:
            drawn.append((part.tone, _number(start), _number(width), f"{part.label}: {part.value:,}"))
        start += width
    rects = format_html_join("", '<rect class="{}" x="{}" width="{}" height="10"><title>{}</title></rect>', drawn)
    return format_html(
        '<svg class="whole" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        f"{title}: " + ", ".join(f"{part.label} {part.value:,}" for part in parts),
        rects,
    )


def steps(points: Sequence[tuple[str, int]], title: str) -> SafeString:
    """A line that holds each number until the next one: what was in force, from one release to the next."""
    width, height, left, top = 640, 200, 56, 16
    most = max([value for _, value in points], default=0) or 1
    step = (width - left - 16) / max(len(points), 1)

    def y(value: float) -> str:
        return _number(top + (height - top) * (1 - value / most))

    path = ""
    marks = []
    for number, (label, value) in enumerate(points):
        x = left + number * step
        path += f"{'M' if number == 0 else 'L'}{_number(x)} {y(value)} L{_number(x + step)} {y(value)} "
        marks.append((_number(x), y(value), f"{label}: {value:,}", _number(x + 2), height + 18, _short(label, 10)))
    axis = format_html_join(
        "",
        '<line class="grid-line" x1="{}" x2="{}" y1="{}" y2="{}"/><text x="{}" y="{}" text-anchor="end">{}</text>',
        (
            (left, width - 16, y(value), y(value), left - 8, _number(float(y(value)) + 4), f"{value:,}")
            for value in sorted({0, most})
        ),
    )
    dots = format_html_join(
        "",
        '<g><circle class="dot" cx="{}" cy="{}" r="4"/><title>{}</title></g><text x="{}" y="{}">{}</text>',
        marks,
    )
    return format_html(
        '<svg class="drawing" viewBox="0 0 {} {}" role="img" aria-label="{}">{}<path class="line" d="{}"/>{}</svg>',
        width,
        height + 28,
        f"{title}: " + "; ".join(f"{label} {value:,}" for label, value in points),
        axis,
        path.strip(),
        dots,
    )


def flow(source: str, links: Sequence[tuple[str, str]], title: str) -> SafeString:
    """From one source by way of groups to targets. `links` are (group, target), each drawn once."""
    groups = list(dict.fromkeys(group for group, _ in links))
    targets = list(dict.fromkeys(target for _, target in links))
    height = max(len(groups), len(targets), 1) * ROW + 16
    at_group = {name: _middle(number, len(groups), height) for number, name in enumerate(groups)}
    at_target = {name: _middle(number, len(targets), height) for number, name in enumerate(targets)}
    middle = _number(height / 2)
    lines = format_html_join(
        "",
        '<path class="link" d="M{} {} C{} {} {} {} {} {}"/>',
        [
            *((170, middle, 200, middle, 200, y, 230, y) for y in at_group.values()),
            *((400, y, 435, y, 434, at_target[target], 468, at_target[target]) for group, target in dict.fromkeys(links)
              for y in [at_group[group]]),
        ],
    )  # fmt: skip
    boxes = format_html_join(
        "",
        '<g><rect class="{}" x="{}" y="{}" width="170" height="20" rx="5"/><text x="{}" y="{}">{}</text>'
        "<title>{}</title></g>",
        [
            ("node source", 0, _number(height / 2 - 10), 8, _number(height / 2 + 4), _short(source, 22), source),
            *(("node", 230, _number(float(y) - 10), 238, _number(float(y) + 4), _short(name, 22), name)
              for name, y in at_group.items()),
            *(("node target", 468, _number(float(y) - 10), 476, _number(float(y) + 4), _short(name, 22), name)
              for name, y in at_target.items()),
        ],
    )  # fmt: skip
    return format_html(
        '<svg class="drawing" viewBox="0 0 640 {}" role="img" aria-label="{}">{}{}</svg>',
        height,
        f"{title}: " + "; ".join(f"{group} → {target}" for group, target in links),
        lines,
        boxes,
    )


def _middle(number: int, count: int, height: float) -> str:
    return _number(height / count * (number + 0.5))


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
