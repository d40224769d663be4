"""The pages of targets read the database alone, and say what the last look found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from deployments.actions import attach_role
from deployments.releases import proof, publishing, reading, targets
from deployments.releases.models import Proof, Publication, Release
from deployments.releases.targets.file import FileTarget
from dialadmin.accounts.models import Staff
from dialadmin.environment import TargetUrl
from tests.deployments.factories import SECRETS, TESTER, deployment, make_draft
from tests.releases.core_server import ADMIN, StandIn, running
from tests.releases.factories import make_release

pytestmark = pytest.mark.django_db
ClientOf = Callable[[Staff], Client]


@pytest.fixture
def target(tmp_path: Path, settings: Any) -> FileTarget:
    make_draft()
    settings.TARGETS = [
        TargetUrl("core", "file", str(tmp_path / "config.json")),
        TargetUrl("spare", "file", str(tmp_path / "not mounted" / "x.json")),
    ]
    first = targets.configured()["core"]
    assert isinstance(first, FileTarget)
    return first


@pytest.fixture
def release(target: FileTarget) -> Release:
    return make_release()


def text(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def said(client: Client, url: str, **form: str) -> str:
    """What the page after a post tells."""
    response = client.post(url, form, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_publishing_from_the_page(client_of: ClientOf, ada: Staff, release: Release, target: FileTarget) -> None:
    client = client_of(ada)
    page = text(client, "/releases/1/publish/")
    assert "Publish release 1?" in page
    assert 'value="core" required checked' in page
    assert target.read() is None
    page = said(client, "/releases/1/publish/", target="core")
    assert "Release 1 is published to core, and read back from there." in page
    assert target.read() == reading.data(release)
    assert Publication.objects.get().by == "Ada"
    assert "core holds release 1 already; nothing was written." in said(client, "/releases/1/publish/", target="core")
    assert "not mounted/x.json cannot be" in said(client, "/releases/1/publish/", target="spare")
    assert "Choose one of the targets." in said(client, "/releases/1/publish/", target="prod")
    assert client.get("/releases/9/publish/").status_code == 404
    page = text(client, "/releases/1/")
    assert "Was there already" in page
    assert "Failed" in page


def test_going_back_to_an_older_release_is_warned_of(client_of: ClientOf, ada: Staff, release: Release) -> None:
    attach_role(deployment=deployment("gpt-4o"), role_name="legal", by=TESTER)
    make_release()
    assert "Release 2 is the newest." in text(client_of(ada), "/releases/1/publish/?target=spare")
    assert "is the newest" not in text(client_of(ada), "/releases/2/publish/")


def test_drift_is_seen_after_a_look_and_not_before(
    client_of: ClientOf, edit: Staff, release: Release, target: FileTarget
) -> None:
    publishing.publish(release=release, target=target, by=TESTER)
    proof.check_target(target, by=TESTER)
    target.path.write_text(target.path.read_text().replace('"engineers"', '"everybody"', 1))
    client = client_of(edit)
    assert "Drifted" not in text(client, "/releases/targets/")
    page = said(client, "/releases/targets/check/", place="core")
    assert "core: Drifted. Release 1 was published, and it holds something else." in page
    assert "models.gpt-4o.userRoles[1]: is &quot;everybody&quot;, released was &quot;engineers&quot;." in page
    assert not any(secret in page for secret in SECRETS)
    assert Proof.objects.get().by == "Edit"
    home = text(client, "/")
    assert "Drifted" in home
    assert "models.gpt-4o.userRoles[1]: is &quot;everybody&quot;" in home


def test_the_home_page_says_how_things_stand_in_one_line(
    client_of: ClientOf, ada: Staff, release: Release, target: FileTarget, settings: Any
) -> None:
    client = client_of(ada)
    line = " ".join(text(client, "/").split('<p class="standing">')[1].split("</p>")[0].split())
    assert "nothing published to core" in line
    publishing.publish(release=release, target=target, by=TESTER)
    with running(StandIn(target.path)) as core:
        settings.CORE_URL, settings.CORE_ADMIN_TOKEN = core.url, ADMIN
        assert "Core was not asked yet" in text(client, "/")
        assert core.calls == []
        page = said(client, "/releases/targets/check/", back="home")
        assert core.calls == ["/v1/ops/config/reload"]
    assert "Core: As published. It is release 1." in page
    assert "spare: Could not be read." in page
    row = text(client, "/releases/targets/").split("DIAL Core<")[1].split("</tr>")[0]
    assert core.url in row
    assert "As published" in row
    assert 'value="Core"' in row
    assert "Core runs 1" in page
    assert "published 1 to core" in page
    assert ADMIN not in page


def test_what_was_interrupted_is_called_so_until_the_next_look(
    client_of: ClientOf, ada: Staff, release: Release, target: FileTarget
) -> None:
    Publication.objects.create(number=1, target="core", by="Ada", process="")
    Publication.objects.update(started_at="2026-01-01T00:00Z")
    client = client_of(ada)
    for url in ("/", "/releases/targets/", "/releases/1/"):
        assert "Interrupted" in text(client, url)
    assert Publication.objects.get().state == Publication.State.STARTED
    said(client, "/releases/targets/check/", place="core")
    assert "Its process was killed before" in text(client, "/releases/1/")


def test_one_who_publishes_at_the_same_time_is_named(
    client_of: ClientOf, ada: Staff, release: Release, target: FileTarget
) -> None:
    Publication.objects.create(number=1, target="core", by="Grace", process="another machine")
    page = said(client_of(ada), "/releases/1/publish/", target="core")
    assert "Grace began to publish release 1 to core" in page
    assert target.read() is None


def test_without_targets_the_pages_say_how_to_get_one(client_of: ClientOf, ada: Staff, settings: Any) -> None:
    settings.TARGETS = []
    make_draft()
    make_release()
    client = client_of(ada)
    assert "No target is configured" in text(client, "/releases/targets/")
    assert "No target is configured" in text(client, "/releases/1/publish/")
    assert "There is nothing of this name to look at." in said(client, "/releases/targets/check/", place="x")


def test_who_may_not_is_not_asked(client_of: ClientOf, vera: Staff, edit: Staff, release: Release) -> None:
    form = 'action="/releases/targets/check/"'
    assert form not in text(client_of(vera), "/releases/targets/")
    page = text(client_of(edit), "/releases/targets/")
    assert form in page
    assert "Publish…" not in page
    assert "Publish…" not in text(client_of(edit), "/releases/1/")
    assert client_of(edit).post("/releases/1/publish/", {"target": "core"}).status_code == 403


def test_queries_do_not_grow_with_targets(
    client_of: ClientOf, ada: Staff, release: Release, target: FileTarget, tmp_path: Path, settings: Any
) -> None:
    client = client_of(ada)
    counts = []
    for more in (1, 8):
        settings.TARGETS = [TargetUrl(f"t{n}", "file", str(tmp_path / f"{n}.json")) for n in range(more)]
        for one in targets.configured().values():
            publishing.publish(release=release, target=one, by=TESTER)
            proof.check_target(one, by=TESTER)
        with CaptureQueriesContext(connection) as queries:
            text(client, "/releases/targets/")
        counts.append(len(queries))
    assert counts[0] == counts[1] < 15
