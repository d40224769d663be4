"""The form of a role that no group backs."""

from __future__ import annotations

from django import forms

from roles.models import Role


class RoleForm(forms.Form):
    name = forms.CharField(
        max_length=512,
        strip=False,
        help_text="Core compares names byte for byte: case, spaces and the form of letters count.",
    )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if name != name.strip():
            raise forms.ValidationError("The name begins or ends with a space, so it would match nobody.")
        if "/" in name:
            raise forms.ValidationError(
                "Core 0.38 and later drop a role with “/” in its name, and with it its limits: "
                "its holders would fall back to default, or be unlimited. Choose another name."
            )
        if Role.objects.filter(name=name).exists():
            raise forms.ValidationError("There is a role of this name.")
        twin = Role.objects.filter(name__iexact=name).first()
        if twin is not None:
            raise forms.ValidationError(f"{twin.name} differs in case alone. Core would take them for two roles.")
        return name
