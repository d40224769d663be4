"""The forms of the draft. Choices and facts come from the views; cleaners return domain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from deployments import bulk
from deployments.core.versions import SUPPORTED, Version
from deployments.limits import WINDOWS, parse_amount
from deployments.models import Deployment


class AccessForm(forms.Form):
    access = forms.ChoiceField(choices=Deployment.Access.choices, widget=forms.RadioSelect)


class AttachForm(forms.Form):
    role = forms.CharField(
        max_length=512,
        strip=False,
        label="Role to attach",
        help_text="A Cognito group, or the role of an API key. Core compares names exactly.",
        widget=forms.TextInput(attrs={"list": "role-names", "autocomplete": "off"}),
    )

    def clean_role(self) -> str:
        name: str = self.cleaned_data["role"]
        if name != name.strip():
            raise forms.ValidationError(
                "The name begins or ends with a space. Core compares names exactly, so it would match nobody."
            )
        return name


class LimitForm(forms.Form):
    """The limit of one role on one deployment, as one of three states."""

    STATES = (
        ("inherit", "From default: no entry of its own"),
        ("unlimited", "Unlimited: an empty entry, which beats default"),
        ("explicit", "Limited: the numbers below"),
    )
    state = forms.ChoiceField(choices=STATES, widget=forms.RadioSelect, label="Limit of this role")

    def __init__(self, *args: Any, windows: tuple[str, ...], **kwargs: Any) -> None:
        """`windows`: the fields that the target version knows."""
        super().__init__(*args, **kwargs)
        self.windows = [window for window in WINDOWS if window.field in windows]
        for window in self.windows:
            self.fields[window.field] = forms.CharField(
                required=False,
                max_length=40,
                label=window.label,
                widget=forms.TextInput(attrs={"inputmode": "text", "placeholder": "unlimited", "autocomplete": "off"}),
            )

    @property
    def window_fields(self) -> list[forms.BoundField]:
        return [self[window.field] for window in self.windows]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("state") != "explicit":
            return cleaned
        limit: dict[str, int] = {}
        for window in self.windows:
            try:
                amount = parse_amount(cleaned.get(window.field, ""))
            except ValueError as error:
                self.add_error(window.field, str(error))
                continue
            if amount is not None:
                limit[window.field] = amount
        if not limit and not self.errors:
            self.add_error(self.windows[0].field, "Give at least one number, or choose “Unlimited”.")
        cleaned["limit"] = limit
        return cleaned

    def limit(self) -> dict[str, int] | None:
        """What `actions.set_limit` takes: numbers, `{}` for unlimited, None to inherit."""
        if self.cleaned_data["state"] == "inherit":
            return None
        return {} if self.cleaned_data["state"] == "unlimited" else self.cleaned_data["limit"]


class DeploymentForm(forms.Form):
    """The fields that people name a deployment by. The rest of the entry is kept as it is."""

    kind = forms.ChoiceField(
        choices=[c for c in Deployment.Kind.choices if c[0] in ("model", "application", "addon", "assistant")]
    )
    name = forms.CharField(
        max_length=512,
        help_text="What callers use. It cannot be changed later: limits and callers know it by this name.",
    )
    displayName = forms.CharField(max_length=512, required=False, label="Display name")  # noqa: N815  # Core's own key
    description = forms.CharField(max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 3}))
    endpoint = forms.CharField(max_length=2000, required=False, help_text="Where Core sends the calls.")

    TEXTS = ("displayName", "description", "endpoint")

    def __init__(self, *args: Any, deployment: Deployment | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if deployment is not None:
            del self.fields["kind"], self.fields["name"]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if "/" in name:
            raise forms.ValidationError(
                "Core 0.38 and later drop a name with “/” with no more than a warning. Choose another."
            )
        taken = Deployment.objects.filter(name=name).exclude(kind__in=("route",)).first()
        if taken is not None:
            raise forms.ValidationError(
                f"The name is taken: {taken.get_kind_display().lower()} {taken.name}. "
                "Core would let one hide the other, or refuse the file."
            )
        if name in ("assistant", "interceptor"):
            raise forms.ValidationError("Core reserves this name (core keeps a deployment of its own under it).")
        return name


class ImportForm(forms.Form):
    upload = forms.FileField(
        required=False, label="Settings files", help_text="One file, or several in the order Core merges them."
    )
    text = forms.CharField(
        required=False,
        strip=False,
        label="Or paste the settings",
        widget=forms.Textarea(attrs={"rows": 10, "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["upload"].widget = ManyFiles()


class ManyFiles(forms.ClearableFileInput):
    allow_multiple_selected = True
    template_name = "django/forms/widgets/file.html"

    def __init__(self) -> None:
        super().__init__(attrs={"multiple": True, "accept": ".json,application/json"})


class VersionForm(forms.Form):
    version = forms.TypedChoiceField(
        label="Target version",
        choices=[(str(version), f"Core {version}") for version in SUPPORTED],
        coerce=Version.parse,
        help_text="The Core that will read the export. It decides which keys may appear.",
    )


class NamesField(forms.Field):
    """The names of some roles, each once, as they are; none is left out without a word."""

    widget = forms.MultipleHiddenInput

    def clean(self, value: list[str] | None) -> tuple[str, ...]:
        names = [name for name in value or () if name.strip()]
        for name in names:
            if name != name.strip():
                raise forms.ValidationError(f"“{name}” begins or ends with a space, so it would match nobody.")
        return tuple(dict.fromkeys(names))


class BulkForm(forms.Form):
    """One change of many deployments, as lists send it, and as its preview sends it on. Gives a `bulk.Wish`."""

    verb = forms.ChoiceField(choices=list(bulk.VERBS.items()), label="Do")
    roles = NamesField(required=False)
    source = forms.CharField(max_length=512, strip=False, required=False)
    limits_too = forms.BooleanField(required=False)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        roles = data.get("roles", ())
        if data.get("verb") in bulk.TAKES_ROLES and not roles and not self.errors:
            self.add_error("roles", "Name the role, or tick some.")
        if data.get("verb") == "copy" and data.get("source") in roles:
            self.add_error("source", f"{data['source']} has its own access already.")
        return data

    def wish(self, limit: Mapping[str, Any] | None) -> bulk.Wish:
        """`limit`: what a `LimitForm` says, for the verb that takes one."""
        data = self.cleaned_data
        return bulk.Wish(data["verb"], data["roles"], limit, data["source"], data["limits_too"])
