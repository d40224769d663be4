"""The pages, the download and the command say what `evaluate_access` says, in a large organisation."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from deployments import draft
from deployments.access.index import KINDS
from deployments.actions import set_target_version
from deployments.core.evaluate import evaluate
from deployments.core.load import WINDOWS
from deployments.core.merge import merge
from deployments.core.versions import Version
from dialadmin.accounts.models import Staff
from roles.models import Membership, Role, User
from tests.access.test_why import state_of
from tests.core.test_vectors import as_documents, names, read
from tests.deployments.factories import TESTER, make_draft

pytestmark = pytest.mark.django_db

PEOPLE, EACH = 8, 25  # 200 pairs
Said = tuple[str, dict[str, int]]  # the state, and the limit


@pytest.fixture
def people(request: pytest.FixtureRequest) -> dict[User, dict[tuple[str, str], Said]]:
    """A few people of a large organisation that is the draft, and what Core says about some deployments."""
    vector = read(request.param)
    documents = as_documents(vector["files"])
    assert documents is not None
    set_target_version(version=Version.parse(vector["generation"]), by=TESTER)
    make_draft(merge(documents))
    random = Random(7)  # noqa: S311  # the same pairs each time
    principals = random.sample([p for p in vector["principals"] if "key" not in p], PEOPLE)
    # The draft gives each role its limits, so that classic answers 500 to nobody any more.
    results = evaluate([draft.document()], principals, version=Version.parse(vector["generation"]))["results"]
    found: dict[User, dict[tuple[str, str], Said]] = {}
    for number, principal in enumerate(principals):
        user = User.objects.create(sub=f"sub-{number}", username=f"person{number}", name=principal["id"])
        for name in dict.fromkeys(principal["roles"]):
            role = Role.objects.get_or_create(name=name)[0]
            Membership.objects.create(user=user, role=role, since=timezone.now())
        rows = [row for row in results if row["principal"] == principal["id"]]
        found[user] = {(KINDS[row["section"]], row["deployment"]): said(row) for row in random.sample(rows, EACH)}
    return found


def said(row: dict[str, Any]) -> Said:
    """Core's row in the words of the pages: a limit is shown where it applies."""
    state = state_of(row)
    return state, row["limit"] if state in ("limited", "denied") else {}


def from_csv(text: str) -> dict[tuple[str, str], Said]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {
        (row["kind"], row["deployment"]): (row["state"], {w: int(row[w]) for w in WINDOWS if row[w]})
        for row in csv.DictReader(io.StringIO("\n".join(lines).lstrip("\ufeff")))
        if row["state"]
    }


@pytest.mark.parametrize("people", list(names("big")), indirect=True)
def test_pages_download_and_command_agree_with_core(
    people: dict[User, dict[tuple[str, str], Said]], client_of: Callable[[Staff], Client], vera: Staff
) -> None:
    client = client_of(vera)
    for user, expected in people.items():
        shown: dict[tuple[str, str], Said] = {}
        for page in range(1, 99):
            response = client.get(f"/access/users/{user.pk}/", {"page": page})
            for row in response.context["rows"]:
                limited = row.answer.state in ("limited", "denied")
                place = (row.answer.kind, row.answer.deployment.name)
                shown[place] = (row.answer.state, dict(row.answer.limit) if limited else {})
            if page == response.context["listing"].pages:
                break
        answer = client.post("/access/download/", {"user": user.sub, "format": "csv"})
        downloaded = from_csv(b"".join(answer.streaming_content).decode())  # type: ignore[attr-defined]
        output = io.StringIO()
        call_command("audit_access", user=user.sub, stdout=output)
        printed = from_csv(output.getvalue())
        for place, wanted in expected.items():
            for found in (shown, downloaded, printed):
                if wanted[0] == "unlisted":
                    assert place not in found
                elif wanted[0] == "shadowed":
                    assert found.get(place, ("shadowed",))[0] == "shadowed"
                else:
                    assert found[place] == wanted
        place, (state, _) = next(iter(expected.items()))
        asked = {"user": user.sub, "deployment": place[1], "kind": place[0]}
        assert client.get("/access/why/", asked).context["answer"].state == state
