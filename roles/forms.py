"""The forms of roles and syncs."""

from __future__ import annotations

from typing import Any

from django import forms

CONFIRMATION = "remove"


class RoleForm(forms.Form):
    """The name of a role that no group backs; `actions.name_problem` judges it."""

    name = forms.CharField(
        max_length=512,
        strip=False,
        help_text="Core compares names byte for byte: case, spaces and the form of letters count.",
    )


class EraseForm(forms.Form):
    """A publisher means it: the personal data of somebody who has gone shall be erased for good."""

    reason = forms.CharField(max_length=500, help_text="Kept in history, without the names of this person.")
    confirmation = forms.CharField(max_length=255)

    def __init__(self, *args: Any, username: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.username = username
        self.fields["confirmation"].label = f"Type “{username}” to confirm"

    def clean_confirmation(self) -> str:
        typed: str = self.cleaned_data["confirmation"]
        if typed != self.username:
            raise forms.ValidationError("That is another name. Nothing was erased.")
        return typed


class GroupChangeForm(forms.Form):
    """Somebody has seen what a change of a group means. `name`: what they have to type, "" where a click is enough."""

    reason = forms.CharField(max_length=500, help_text="Kept in history.")
    confirmation = forms.CharField(max_length=128)

    def __init__(self, *args: Any, name: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = name
        if name:
            self.fields["confirmation"].label = f"Type “{name}” to confirm"
        else:
            del self.fields["confirmation"]

    def clean_confirmation(self) -> str:
        typed: str = self.cleaned_data["confirmation"]
        if typed != self.name:
            raise forms.ValidationError("That is another name. Nothing was changed.")
        return typed


class AllowRemovalsForm(forms.Form):
    """Somebody has looked at what a stopped sync would remove, and means it."""

    reason = forms.CharField(max_length=500, help_text="Kept in history.")
    confirmation = forms.CharField(label=f"Type “{CONFIRMATION}” to confirm", max_length=40)

    def clean_confirmation(self) -> str:
        typed: str = self.cleaned_data["confirmation"]
        if typed.lower() != CONFIRMATION:
            raise forms.ValidationError(f"Type the word {CONFIRMATION}.")
        return typed
