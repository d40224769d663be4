"""The forms of roles and syncs."""

from __future__ import annotations

from django import forms

CONFIRMATION = "remove"


class RoleForm(forms.Form):
    """The name of a role that no group backs; `actions.name_problem` judges it."""

    name = forms.CharField(
        max_length=512,
        strip=False,
        help_text="Core compares names byte for byte: case, spaces and the form of letters count.",
    )


class AllowRemovalsForm(forms.Form):
    """Somebody has looked at what a stopped sync would remove, and means it."""

    reason = forms.CharField(max_length=500, help_text="Kept in history.")
    confirmation = forms.CharField(label=f"Type “{CONFIRMATION}” to confirm", max_length=40)

    def clean_confirmation(self) -> str:
        typed: str = self.cleaned_data["confirmation"]
        if typed.lower() != CONFIRMATION:
            raise forms.ValidationError(f"Type the word {CONFIRMATION}.")
        return typed
