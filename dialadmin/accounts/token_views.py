"""The page on which publishers make and revoke the tokens of pipelines."""

from __future__ import annotations

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from dialadmin.accounts import actions
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.models import ApiToken
from dialadmin.accounts.permissions import Permission, Scope
from dialadmin.history.recorder import Actor
from dialadmin.listing import Listing


class TokenForm(forms.Form):
    name = forms.CharField(max_length=100, help_text="Which pipeline will use it: history names it so.")
    scopes = forms.TypedMultipleChoiceField(
        label="It may",
        choices=[(scope.value, scope.label) for scope in Scope],
        coerce=Scope,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one thing that it may do."},
    )
    days = forms.TypedChoiceField(
        label="It ends",
        choices=[("30", "in 30 days"), ("90", "in 90 days"), ("365", "in a year")],
        coerce=int,
        initial="90",
    )


@require_http_methods(["GET", "POST"])
@require(Permission.RELEASE)
def tokens(request: StaffRequest) -> HttpResponse:
    """All tokens, and a form for another. Its answer shows the new token, this once, so it is no redirect."""
    form = TokenForm(request.POST or None)
    created: tuple[ApiToken, str] | None = None
    if request.method == "POST" and form.is_valid():
        created = actions.create_token(
            name=form.cleaned_data["name"],
            scopes=form.cleaned_data["scopes"],
            expires_at=timezone.now() + timedelta(days=form.cleaned_data["days"]),
            by=Actor.staff(request.user),
        )
        form = TokenForm()
    listing = Listing.of(
        request,
        ApiToken.objects.all(),
        search=("name__icontains", "prefix__istartswith", "created_by__icontains"),
        sorts={"name": "name", "created": "id", "used": "last_used_at"},
        default_sort="-created",
    )
    return render(
        request,
        "accounts/tokens.html",
        {
            "form": form,
            "created": created[0] if created else None,
            "text": created[1] if created else "",
            "listing": listing,
        },
        status=400 if form.errors else 200,
    )


@require_POST
@require(Permission.RELEASE)
def revoke(request: StaffRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(ApiToken, pk=pk)
    if actions.revoke_token(token=token, by=Actor.staff(request.user)):
        messages.success(request, f"The token {token.name} is revoked: it opens nothing any more.")
    else:
        messages.info(request, f"The token {token.name} was revoked already.")
    return redirect("accounts:tokens")
