"""The template tags that every page may use (registered as builtins)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from dialadmin import charts
from dialadmin.listing import Listing
from dialadmin.secrets import MASK

register = template.Library()

# State -> (tone, words). A badge is a shape and a word; its colour only repeats what they say.
BADGES: dict[str, tuple[str, str]] = {
    "open": ("warn", "Open to everyone"),
    "restricted": ("info", "Restricted"),
    "closed": ("bad", "Closed"),
    "unlimited": ("info", "Unlimited"),
    "denied": ("bad", "Denied by limit"),
    "limited": ("info", "Limited"),
    "inherited": ("quiet", "From default"),
    "unlisted": ("quiet", "Not listed"),
    "shadowed": ("warn", "Never called"),
    "checked": ("good", "Signature checked"),
    "unchecked": ("warn", "Not checked"),
    "foreign": ("bad", "Not believed"),
    "keep": ("good", "Keep"),
    "remove": ("bad", "Remove"),
    "undecided": ("quiet", "Undecided"),
    "in-review": ("info", "Open"),
    "signed-off": ("good", "Signed off"),
    "discarded": ("quiet", "Discarded"),
    "present": ("good", "In the pool"),
    "gone": ("bad", "Gone from the pool"),
    "none": ("quiet", "Not a group"),
    "running": ("info", "Running"),
    "applied": ("good", "Applied"),
    "unchanged": ("good", "No change"),
    "preview": ("quiet", "Preview only"),
    "stopped": ("warn", "Stopped"),
    "failed": ("bad", "Failed"),
    "enabled": ("good", "Enabled"),
    "disabled": ("warn", "Disabled"),
    "error": ("bad", "Error"),
    "warning": ("warn", "Warning"),
    "note": ("quiet", "Note"),
    "added": ("good", "Added"),
    "changed": ("info", "Changed"),
    "removed": ("bad", "Removed"),
    "same": ("good", "As published"),
    "drifted": ("bad", "Drifted"),
    "unreachable": ("warn", "Could not be read"),
    "unknown": ("quiet", "Nothing to compare"),
    "started": ("info", "Publishing"),
    "interrupted": ("warn", "Interrupted"),
    "published": ("good", "Published"),
    "valid": ("good", "Valid"),
    "expired": ("quiet", "Expired"),
    "revoked": ("bad", "Revoked"),
}
SHAPES = {"good": "✓", "info": "●", "warn": "▲", "bad": "✕", "quiet": "○"}


@register.simple_tag
def badge(state: object, label: str = "") -> SafeString:
    """A state as shape, word and colour."""
    tone, words = BADGES.get(str(state), ("quiet", str(state)))
    return format_html(
        '<span class="badge {}"><span aria-hidden="true">{}</span> {}</span>', tone, SHAPES[tone], label or words
    )


@register.simple_tag
def ago(moment: datetime | str | None, never: str = "never") -> SafeString | str:
    """A time relative to now, with the absolute one at hand."""
    if not isinstance(moment, datetime):  # a template hands over "" for what a missing row lacks
        return never
    local = localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        local.isoformat(),
        f"{local:%Y-%m-%d %H:%M:%S %Z}",
        naturaltime(moment),
    )


@register.simple_tag
def copy(text: str) -> SafeString:
    """A name as code, with a button that copies it (shown where scripts run)."""
    return format_html(
        '<span class="copy"><code>{0}</code><button type="button" class="copy-button" data-copy="{0}" hidden '
        'aria-label="Copy {0}" title="Copy"><svg viewBox="0 0 16 16" aria-hidden="true">'
        '<rect x="5.5" y="5.5" width="8" height="8" rx="1.5"/><path d="M3.5 10.5h-1v-8h8v1"/></svg></button></span>',
        text,
    )


@register.inclusion_tag("components/field.html")
def field(bound: BoundField, *, mark_optional: bool = True, **attrs: Any) -> dict[str, Any]:
    """A form field: label, input, help and errors, joined for assistive technology."""
    widget = bound.field.widget
    described = [f"{bound.auto_id}_help"] if bound.help_text else []
    if bound.errors:
        described.append(f"{bound.auto_id}_errors")
    extra: dict[str, Any] = {"aria-describedby": " ".join(described)} if described else {}
    if bound.errors:
        extra["aria-invalid"] = "true"
    if not isinstance(widget, RadioSelect | CheckboxSelectMultiple | CheckboxInput):
        extra["class"] = "input"
    return {
        "bound": bound,
        "control": bound.as_widget(attrs={**extra, **attrs}),
        "group": isinstance(widget, RadioSelect | CheckboxSelectMultiple),
        "inline": isinstance(widget, CheckboxInput),
        "optional": mark_optional and not bound.field.required and not isinstance(widget, CheckboxInput),
    }


@register.simple_tag
def sort_header(listing: Listing[Any], name: str, label: str, css: str = "") -> SafeString:
    """A column header that sorts; its link says what the next click does."""
    ascending, descending = listing.sort == name, listing.sort == f"-{name}"
    following = f"-{name}" if ascending else name
    return format_html(
        '<th scope="col" class="{}"{}><a href="{}" title="Sort by {}, {}">{}'
        '<span aria-hidden="true">{}</span></a></th>',
        css,
        format_html(' aria-sort="{}"', "ascending" if ascending else "descending") if ascending or descending else "",
        listing.query(sort=following, page=None),
        label.lower(),
        "descending" if ascending else "ascending",
        label,
        " ▲" if ascending else " ▼" if descending else "",
    )


@register.simple_tag
def column_headers(listing: Listing[Any]) -> SafeString:
    """The headers of the columns that are shown, those that sort as `sort_header` makes them."""
    return format_html_join(
        "",
        "{}",
        (
            (
                sort_header(listing, column.sort, column.label, column.css)
                if column.sort
                else format_html('<th scope="col" class="{}">{}</th>', column.css, column.label),
            )
            for column in listing.shown_columns
        ),
    )


@register.simple_tag
def masked() -> SafeString:
    """What stands where a secret is."""
    return format_html('<span class="secret" title="A secret; only the export carries it">{}</span>', MASK)


@register.simple_tag
def draw_bar(item: charts.Bar, most: float) -> SafeString | str:
    """The bar of one line of a chart; nothing where it has words alone."""
    return charts.bar(item.value, most) if item.value is not None else ""


@register.simple_tag
def plural(count: int, one: str, many: str = "") -> str:
    """`3 people`, `1 person`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
