"""Answers as files. A download is noted in history, so it is a POST."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_POST

from deployments.access import asking, rows, source
from deployments.access.acts import DOWNLOADED
from deployments.access.questions import QUESTIONS
from dialadmin.accounts.guards import StaffRequest, require
from dialadmin.accounts.permissions import Permission
from dialadmin.history.recorder import Actor, record


class DownloadForm(forms.Form):
    """What the page asked, as its hidden fields say it."""

    question = forms.ChoiceField(choices=[("", ""), *((name, name) for name in QUESTIONS)], required=False)
    user = forms.CharField(required=False)
    role = forms.CharField(required=False, strip=False)
    api_key = forms.CharField(required=False, strip=False)
    deployment = forms.CharField(required=False, strip=False)
    kind = forms.CharField(required=False)
    at = forms.DateTimeField(required=False)
    format = forms.ChoiceField(choices=[(name, name) for name in rows.FORMS])


@require_POST
@require(Permission.READ)
def download(request: StaffRequest) -> HttpResponseBase:
    """The rows of a question, sent as they are made: nothing grows with their number."""
    form = DownloadForm(request.POST)
    if not form.is_valid():
        messages.error(request, "This download cannot be made: choose the question on the page again.")
        return redirect("home")
    asked_for: dict[str, Any] = dict(form.cleaned_data)
    written = rows.FORMS[asked_for.pop("format")]
    try:
        asked = asking.understand(asking.Ask(**asked_for))
    except source.UnansweredError as error:
        messages.error(request, str(error))
        return redirect("home")
    record(DOWNLOADED, by=Actor.staff(request.user), after={**asked.about, "format": written.name}, note=asked.title)
    response = StreamingHttpResponse(asked.file(written), content_type=written.content_type)
    name = f"{slugify(asked.title)[:80]}-{timezone.now():%Y%m%d-%H%M}.{written.name}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
