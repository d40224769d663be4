"""What a pipeline gets, by token, and what it never gets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from deployments import actions as draft_actions
from deployments.releases import reading
from dialadmin.accounts import actions
from dialadmin.accounts.models import ApiToken, Staff
from dialadmin.accounts.permissions import Scope
from dialadmin.history.models import Entry
from tests.conftest import HttpsClient
from tests.deployments.factories import TESTER, deployment, make_draft, make_user
from tests.releases.test_release import release

pytestmark = pytest.mark.django_db

LATEST = "/api/v1/releases/latest"


def make_token(*scopes: Scope, days: float = 1) -> str:
    return actions.create_token(
        name="deploy", scopes=scopes, expires_at=timezone.now() + timedelta(days=days), by=TESTER
    )[1]


def client(token: str, **headers: str) -> HttpsClient:
    return HttpsClient(headers={"Authorization": f"Bearer {token}", **headers})


def uses() -> list[str]:
    return [entry.sentence for entry in Entry.objects.filter(act="token.used")]


def test_a_release_by_token_is_the_exact_bytes() -> None:
    make_draft()
    first = release()
    draft_actions.detach_role(deployment=deployment("gpt-4o"), role_name="analysts", by=TESTER)
    second = release()
    pipeline = client(make_token(Scope.READ_RELEASE))
    for url, made in ((LATEST, second), ("/api/v1/releases/2", second), ("/api/v1/releases/1", first)):
        response = pipeline.get(url)
        assert response.status_code == 200
        assert response.content == reading.data(made)
        assert response.headers["ETag"] == f'"{made.digest}"'
        assert response.headers["X-Release"] == str(made.number)
        assert response.headers["Content-Type"] == "application/json"
        assert response.headers["Cache-Control"] == "no-store"
    assert uses() == ["fetched /api/v1/releases/1", "fetched /api/v1/releases/2", f"fetched {LATEST}"]
    assert Entry.objects.filter(actor_name="API token deploy").count() == 3


def test_what_a_pipeline_has_already_is_not_sent_again() -> None:
    make_draft()
    made = release()
    token = make_token(Scope.READ_RELEASE)
    for known in (f'"{made.digest}"', f'W/"{made.digest}"', f'"other", "{made.digest}"', "*"):
        response = client(token, **{"If-None-Match": known}).get(LATEST)
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["ETag"] == f'"{made.digest}"'
    assert client(token, **{"If-None-Match": '"other"'}).get(LATEST).status_code == 200
    assert len(uses()) == 1
    assert ApiToken.objects.get().last_used_at is not None


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer dialadmin_wrong", "Bearer x\ud7ffy"])
def test_without_a_known_token_there_is_nothing(header: str) -> None:
    make_draft()
    release()
    response = HttpsClient(headers={"Authorization": header} if header else {}).get(LATEST)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert set(response.json()) == {"error", "mend"}
    assert not Entry.objects.filter(act__startswith="token.").exists()


@pytest.mark.parametrize("end", ["expired", "revoked"])
def test_a_token_that_has_ended_opens_nothing(end: str) -> None:
    make_draft()
    release()
    token = make_token(Scope.READ_RELEASE, days=-1 if end == "expired" else 1)
    if end == "revoked":
        assert actions.revoke_token(token=ApiToken.objects.get(), by=TESTER)
        assert not actions.revoke_token(token=ApiToken.objects.get(), by=TESTER)
    response = client(token).get(LATEST)
    assert response.status_code == 401
    assert end in response.json()["error"]
    assert Entry.objects.filter(act="token.refused", note=f"it is {end}").count() == 1


def test_a_token_without_the_scope_is_told_which_one() -> None:
    make_draft()
    release()
    response = client(make_token(Scope.READ_AUDIT)).get(LATEST)
    assert response.status_code == 403
    assert "release:read" in response.json()["mend"]
    assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]
    assert Entry.objects.filter(act="token.refused").count() == 1


def test_answers_say_what_to_do() -> None:
    make_draft()
    pipeline = client(make_token(Scope.READ_RELEASE))
    assert pipeline.get(LATEST).json()["error"] == "Nothing has been released yet."
    release()
    response = pipeline.get("/api/v1/releases/7")
    assert (response.status_code, response.json()["mend"]) == (404, "The last is 1.")
    assert pipeline.post(LATEST).status_code == 405
    assert pipeline.head(LATEST).status_code == 200


def test_a_session_is_no_token(client_of: Callable[[Staff], Client], ada: Staff) -> None:
    make_draft()
    release()
    assert client_of(ada).get(LATEST).status_code == 401


def test_plain_http_is_not_answered() -> None:
    make_draft()
    release()
    response = Client(headers={"Authorization": f"Bearer {make_token(Scope.READ_RELEASE)}"}).get(LATEST)
    assert (response.status_code, response.content) == (301, b"")


def test_a_token_is_shown_once_and_kept_nowhere(client_of: Callable[[Staff], Client], ada: Staff) -> None:
    publisher = client_of(ada)
    url = reverse("accounts:tokens")
    assert "No token yet" in publisher.get(url).content.decode()
    sent = {"name": "deploy", "scopes": [Scope.READ_RELEASE], "days": "90"}
    (text,) = set(re.findall("dialadmin_[A-Za-z0-9_-]{43}", publisher.post(url, sent).content.decode()))
    token = ApiToken.objects.get()
    assert token.prefix == text[:16]
    assert text not in json.dumps([token.digest, token.prefix, token.name])
    listed = publisher.get(url).content.decode()
    assert text not in listed
    assert token.prefix in listed
    entry = Entry.objects.get(act="token.created")
    assert text not in json.dumps([entry.after, entry.note])
    assert "deploy, which may read releases, secrets included" in entry.sentence
    make_draft()
    release()
    assert client(text).get(LATEST).status_code == 200
    publisher.post(reverse("accounts:token-revoke", args=[token.pk]))
    assert client(text).get(LATEST).status_code == 401


def test_a_token_needs_a_name_and_a_scope(client_of: Callable[[Staff], Client], ada: Staff) -> None:
    response = client_of(ada).post(reverse("accounts:tokens"), {"name": "", "days": "90"})
    assert response.status_code == 400
    assert "Choose at least one thing that it may do." in response.content.decode()
    assert not ApiToken.objects.exists()


AUDIT = "/api/v1/audit/access"


def test_the_people_of_a_deployment_by_token() -> None:
    make_draft()
    make_user("grace", "analysts")
    auditor = client(make_token(Scope.READ_AUDIT))
    response = auditor.get(AUDIT, {"deployment": "gpt-4o"})
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    assert "grace" in json.dumps(json.loads(text))
    csv = auditor.get(AUDIT, {"deployment": "gpt-4o", "format": "csv"})
    assert "grace" in b"".join(csv.streaming_content).decode()  # type: ignore[attr-defined]
    assert uses()[1] == f"fetched {AUDIT}?deployment=gpt-4o"
    assert client(make_token(Scope.READ_RELEASE)).get(AUDIT).status_code == 403


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ({"deploiment": "gpt-4o"}, 400, "There is no parameter deploiment."),
        ({"deployment": "gpt-4"}, 404, "gpt-4o"),
        ({"user": "a", "role": "b"}, 400, "More than one"),
        ({"at": "yesterday"}, 400, "no time"),
        ({"at": "2999-01-01"}, 400, "still to come"),
        ({"format": "xml"}, 400, "no such format"),
        ({"question": "why"}, 400, "no such question"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(query: dict[str, str], status: int, told: str) -> None:
    make_draft()
    response = client(make_token(Scope.READ_AUDIT)).get(AUDIT, query)
    assert (response.status_code, set(response.json())) == (status, {"error", "mend"})
    assert told in response.json()["error"]
    assert not uses()
