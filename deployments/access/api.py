"""The audit for pipelines: who reaches what, by token, with the words of `audit_access`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError
from django.http import HttpResponse, StreamingHttpResponse

from deployments.access import asking, rows, source
from deployments.access.questions import QUESTIONS
from deployments.management.commands.audit_access import moment
from dialadmin.accounts.permissions import Scope
from dialadmin.accounts.tokens import ApiRequest, bearer, problem
from dialadmin.secrets import UndecryptableError

SUBJECTS = ("user", "role", "api_key")
NAMES = (*SUBJECTS, "deployment", "kind", "question")
PARAMETERS = (*NAMES, "at", "format")


@bearer(Scope.READ_AUDIT)
def access(request: ApiRequest) -> StreamingHttpResponse | HttpResponse:
    """The rows of one question, streamed; a misspelt parameter is refused, since leaving it out would ask for all."""
    unknown = sorted(request.GET.keys() - set(PARAMETERS))
    if unknown:
        return problem(400, f"There is no parameter {unknown[0]}.", f"There are: {', '.join(PARAMETERS)}.")
    form = rows.FORMS.get(request.GET.get("format", "json"))
    if form is None:
        return problem(400, "There is no such format.", f"There are: {', '.join(rows.FORMS)}.")
    names = {name: request.GET.get(name, "") for name in NAMES}
    if sum(bool(names[name]) for name in SUBJECTS) > 1:
        return problem(400, "More than one of user, role and api_key is named.", "Ask about one at a time.")
    if names["question"] not in ("", *QUESTIONS):
        return problem(400, "There is no such question.", f"There are: {', '.join(QUESTIONS)}.")
    at: Any = request.GET.get("at", "")
    try:
        asked = asking.understand(asking.Ask(**names, at=moment(at) if at else None))
    except asking.UnknownNameError as error:
        return problem(404, str(error), "Names are compared letter by letter.")
    except (source.UnansweredError, CommandError) as error:
        return problem(400, str(error), "Ask about another moment, or leave “at” out for now.")
    except UndecryptableError as error:
        return problem(500, "The draft cannot be read.", str(error))
    return StreamingHttpResponse(asked.file(form), content_type=form.content_type)
