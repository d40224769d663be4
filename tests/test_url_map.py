"""Who gets what on every URL. A URL that nobody listed here fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve, reverse
from django.utils import timezone

from deployments.access import source
from deployments.actions import attach_role
from deployments.models import Deployment, PendingImport
from deployments.releases.actions import release
from deployments.releases.reading import basis
from dialadmin.accounts.actions import create_token
from dialadmin.accounts.models import Staff
from dialadmin.accounts.permissions import Permission, Scope
from dialadmin.secrets import encrypt
from roles.models import ApiKey, Role, SyncRun, User
from roles.setup import Facts
from tests.access.factories import make_review
from tests.deployments.factories import TESTER, make_draft, make_user

pytestmark = pytest.mark.django_db

READ, EDIT, RELEASE = Permission.READ, Permission.EDIT, Permission.RELEASE

# URL name -> the permission it takes; None where it is for everybody, signed in or not.
LISTED: dict[str, Permission | None] = {
    "home": READ,
    "gallery": READ,
    "search": READ,
    "theme": None,
    "health": None,
    "accounts:sign-in": None,
    "accounts:callback": None,
    "accounts:failed": None,
    "accounts:signed-out": None,
    "accounts:sign-out": None,
    "accounts:me": READ,
    "accounts:tokens": RELEASE,
    "accounts:token-revoke": RELEASE,
    "roles:list": READ,
    "roles:create": EDIT,
    "roles:detail": READ,
    "roles:users": READ,
    "roles:user": READ,
    "roles:erase": RELEASE,
    "roles:syncs": READ,
    "roles:sync": READ,
    "roles:sync-start": EDIT,
    "roles:setup": READ,
    "roles:setup-again": READ,
    "roles:setup-secret": RELEASE,
    "deployments:list": READ,
    "deployments:create": EDIT,
    "deployments:detail": READ,
    "deployments:change": EDIT,
    "deployments:delete": EDIT,
    "deployments:set-access": EDIT,
    "deployments:attach": EDIT,
    "deployments:detach": EDIT,
    "deployments:limit": EDIT,
    "deployments:undo": EDIT,
    "deployments:matrix": READ,
    "deployments:bulk": EDIT,
    "deployments:copy": EDIT,
    "deployments:json": READ,
    "deployments:role-json": READ,
    "deployments:key-json": READ,
    "deployments:keys": READ,
    "deployments:checks": READ,
    "deployments:mend": EDIT,
    "deployments:import": EDIT,
    "deployments:import-preview": EDIT,
    "deployments:export": READ,
    "deployments:export-download": RELEASE,
    "deployments:set-version": EDIT,
    "releases:list": READ,
    "releases:review": READ,
    "releases:people": READ,
    "releases:make": RELEASE,
    "releases:detail": READ,
    "releases:download": RELEASE,
    "releases:restore": EDIT,
    "releases:publish": RELEASE,
    "releases:targets": READ,
    "releases:check": EDIT,
    "access:download": READ,
    "access:pictures": READ,
    "access:pictures-of": READ,
    "access:overview": READ,
    "access:deployment": READ,
    "access:user": READ,
    "access:role": READ,
    "access:key": READ,
    "access:matrix": READ,
    "access:nothing": READ,
    "access:loose-ends": READ,
    "access:compare": READ,
    "access:why": READ,
    "access:credential": READ,
    "access:reviews": READ,
    "access:review-create": READ,
    "access:review": READ,
    "access:review-decide": READ,
    "access:review-close": READ,
    "access:review-discard": READ,
    "access:review-report": READ,
    "access:review-csv": READ,
    "access:review-removals": READ,
    "access:review-apply": EDIT,
    "groups:create": EDIT,
    "groups:add": EDIT,
    "groups:remove": EDIT,
    "history:list": READ,
    "api:release-latest": None,  # by token: below
    "api:release": None,
    "api:audit": None,
}
POST_ONLY = {
    "roles:setup-again",
    "roles:setup-secret",
    "access:review-decide",
    "access:review-close",
    "access:download",
    "theme",
    "accounts:sign-out",
    "accounts:token-revoke",
    "roles:sync-start",
    "deployments:bulk",
    "deployments:set-access",
    "deployments:attach",
    "deployments:detach",
    "deployments:export-download",
    "deployments:set-version",
    "deployments:mend",
    "releases:make",
    "releases:download",
    "releases:check",
}
QUERIES = {
    "releases:people": "?change=gains",
    "access:deployment": "?name=gpt-4o",
    "access:key": "?project=reporting",
}
GUARDED = sorted(name for name, permission in LISTED.items() if permission)


def names(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{prefix}{pattern.namespace}:" if pattern.namespace else prefix
            yield from names(pattern.url_patterns, inner)
        else:
            yield f"{prefix}{pattern.name}"


def test_every_url_is_listed() -> None:
    assert set(names(get_resolver().url_patterns)) == set(LISTED)


@pytest.fixture
def url_of(ada: Staff, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Callable[[str], str]:
    """The address of a URL by name, with rows behind it. No page gets as far as Cognito."""
    monkeypatch.setattr("roles.inspection.inspect", lambda wanted: Facts())
    monkeypatch.setattr("roles.inspection.client_secret", lambda wanted: "")
    settings.MANAGE_GROUPS = True
    make_draft()
    attached = attach_role(deployment=Deployment.objects.get(name="gpt-4o"), role_name="reporters", by=TESTER)
    assert attached
    user = make_user("grace", "analysts")
    run = SyncRun.objects.create(state="applied", by="test")
    pending = PendingImport.objects.create(payload=encrypt('[["a.json", "{}"]]'), draft_version=1, by=ada.sub)
    token = create_token(name="t", scopes=[Scope.READ_AUDIT], expires_at=timezone.now(), by=TESTER)[0]
    signed_off = make_review(signed=True)
    made = release(note="first", by=TESTER, seen=str(basis()), typed="1")
    arguments: dict[str, object] = {
        "roles:detail": Role.objects.get(name="analysts").pk,
        "access:role": Role.objects.get(name="analysts").pk,
        "deployments:role-json": Role.objects.get(name="analysts").pk,
        "deployments:key-json": ApiKey.objects.get().pk,
        "groups:create": Role.objects.get(name="reporters").pk,
        "deployments:undo": attached.pk,
        "roles:user": user.pk,
        "roles:erase": user.pk,
        "access:user": user.pk,
        "access:pictures-of": Deployment.objects.get(name="gpt-4o").pk,
        "accounts:token-revoke": token.pk,
        "roles:sync": run.pk,
        "deployments:import-preview": pending.pk,
        **dict.fromkeys((f"access:review{page}" for page in ("", "-decide", "-close", "-discard")), make_review().pk),
        **dict.fromkeys((f"access:review-{page}" for page in ("report", "csv", "removals", "apply")), signed_off.pk),
        **{f"releases:{page}": made.number for page in ("detail", "download", "restore", "publish")},
    }

    def address(name: str) -> str:
        if name.startswith("deployments:") and name.split(":")[1] in (
            "detail", "json", "change", "delete", "set-access", "attach", "detach", "limit",
        ):  # fmt: skip
            url = reverse(name, args=[Deployment.objects.get(name="gpt-4o").pk])
            return f"{url}?role=analysts" if name == "deployments:limit" else url
        url = reverse(name, args=[arguments[name]] if name in arguments else [])
        if name == "access:review-apply":
            return f"{url}?deployment={Deployment.objects.get(name='gpt-4o').pk}&role=analysts"
        if name in ("groups:add", "groups:remove"):
            return f"{url}?user={user.pk}&role={Role.objects.get(name='analysts').pk}"
        return url + QUERIES.get(name, "")

    return address


@contextmanager
def undone() -> Iterator[None]:
    """What a page does in here is taken back: the next page finds everything as it was made."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    source.forget()


def answers(client: Client, names: Iterable[str], url_of: Callable[[str], str]) -> Iterator[tuple[str, Any]]:
    """What each URL answers to its own method, one after the other."""
    for name in names:
        with undone():
            url = url_of(name)
            yield name, client.post(url, {"role": "analysts"}) if name in POST_ONLY else client.get(url)


def test_signed_out_people_are_sent_to_sign_in(url_of: Callable[[str], str], anonymous: Client) -> None:
    sign_in = reverse("accounts:sign-in")
    for name, response in answers(anonymous, GUARDED, url_of):
        assert (name, response.status_code) == (name, 302)
        assert response.headers["Location"].startswith(sign_in), name


def test_people_without_a_level_get_nothing(
    url_of: Callable[[str], str], client_of: Callable[[Staff], Client], nemo: Staff
) -> None:
    for name, response in answers(client_of(nemo), GUARDED, url_of):
        assert (name, response.status_code) == (name, 403)
        assert "dial-auditors" in response.content.decode(), name
        assert "gpt-4o" not in response.content.decode(), name


@pytest.mark.parametrize("persona", ["vera", "edit", "ada"])
def test_each_level_gets_what_it_may_and_no_more(
    persona: str,
    url_of: Callable[[str], str],
    client_of: Callable[[Staff], Client],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    staff: Staff = request.getfixturevalue(persona)
    PendingImport.objects.update(by=staff.sub)
    monkeypatch.setattr("roles.sync.launch", lambda run: SyncRun.objects.update(state="applied"))
    for name, response in answers(client_of(staff), GUARDED, url_of):
        permission = LISTED[name]
        assert permission is not None
        allowed = (200, 302, 400) if staff.may(permission) else (403,)
        assert response.status_code in allowed, (name, response.status_code)
        assert User.objects.count() == 1, name


def test_what_writes_does_not_answer_get(
    url_of: Callable[[str], str], client_of: Callable[[Staff], Client], ada: Staff
) -> None:
    client = client_of(ada)
    assert {name for name in POST_ONLY if client.get(url_of(name)).status_code != 405} == set()


def test_every_url_of_the_api_asks_for_a_token(client_of: Callable[[Staff], Client], ada: Staff) -> None:
    api = [name for name in LISTED if name.startswith("api:")]
    assert api
    for name in api:
        url = reverse(name, args=[1] if name == "api:release" else [])
        assert getattr(resolve(url).func, "scope", None) in set(Scope)
        assert client_of(ada).get(url).status_code == 401
