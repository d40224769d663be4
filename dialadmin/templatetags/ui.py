"""The template tags that every page may use (registered as builtins)."""

from __future__ import annotations

from django import template

register = template.Library()
