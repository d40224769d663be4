"""`audit_access` and the downloads answer alike, name what they do not know, and say what they rest on."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from deployments.access import source
from dialadmin.accounts.models import Staff
from dialadmin.history.models import Entry
from tests.deployments.factories import make_draft, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def organisation() -> None:
    source.forget()
    make_draft()
    make_user("grace", "analysts")
    make_user("alan", "engineers", "analysts")
    make_user("nobody")
    make_user("gone", "analysts", enabled=False)


def audit(*arguments: str) -> list[dict[str, str]]:
    out = io.StringIO()
    call_command("audit_access", *arguments, stdout=out, stderr=io.StringIO())
    return list(csv.DictReader(io.StringIO(out.getvalue())))


def reached(rows: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(row["subject"], row["deployment"]) for row in rows}


@pytest.mark.parametrize("name", ["alan", "alan@example.com", "ALAN@example.com", "sub-alan"])
def test_a_person_is_found_by_user_name_email_or_sub(name: str) -> None:
    rows = audit("--user", name, "--deployment", "gpt-4o")
    assert [(row["subject"], row["via"], row["state"], row["minute"]) for row in rows] == [
        ("alan", "analysts|engineers", "unlimited", "")
    ]


def test_who_reaches_a_deployment_has_api_keys_beside_people() -> None:
    assert [(row["subject_kind"], row["subject"]) for row in audit("--deployment", "gpt-4o-mini")] == [
        ("user", "alan"),
        ("user", "grace"),
        ("user", "nobody"),
        ("key", "reporting"),
    ]


def test_everything_is_the_sum_of_its_parts() -> None:
    whole = reached(audit())
    parts = set()
    for user in ("alan", "grace", "nobody", "gone"):
        parts |= reached(audit("--user", user))
    assert whole == parts | reached(audit("--api-key", "reporting"))


def test_somebody_who_cannot_sign_in_reaches_nothing_and_that_is_said() -> None:
    out, err = io.StringIO(), io.StringIO()
    call_command("audit_access", "--user", "gone", stdout=out, stderr=err)
    assert out.getvalue().count("\n") == 1
    assert "gone could not sign in then, and so reaches nothing." in err.getvalue()


def test_a_role_reaches_what_it_opens_and_what_is_open() -> None:
    names = {row["deployment"] for row in audit("--role", "analysts")}
    assert {"gpt-4o", "gpt-4o-mini", "helper"} <= names
    assert "search" not in names


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--user", "alen"], 'Nobody in the pool is "alen". Perhaps alan?'),
        (["--role", "analyst"], 'the role "analyst". Perhaps analysts'),
        (["--deployment", "gpt-4"], 'There is no deployment "gpt-4". Perhaps gpt-4o'),
        (["--api-key", "report"], 'No API key has the project "report". Perhaps reporting?'),
        (["--at", "yesterday"], '--at "yesterday" is no time.'),
        (["--at", "2026-13-40"], "is no time."),
        (["--at", "2999-01-01"], "still to come"),
        (["--at", "1999-01-01"], "Moments that can be answered"),
        (["--question", "open", "--role", "analysts"], "leave --user"),
    ],
)
def test_what_cannot_be_answered_is_named(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError) as error:
        audit(*arguments)
    assert said in str(error.value)


def test_no_value_of_an_api_key_is_shown() -> None:
    out = io.StringIO()
    call_command("audit_access", "--format", "json", stdout=out, stderr=io.StringIO())
    assert "reporting" in out.getvalue()
    assert "api-key-secret" not in out.getvalue()


@pytest.mark.parametrize(
    ("question", "row"),
    [
        ("counts", {"deployment": "gpt-4o", "access": "restricted", "people_listed": "2", "people_served": "2"}),
        ("counts-per-person", {"user": "nobody", "deployments": "4"}),
        ("open", {"deployment": "gpt-4o-mini", "people": "3"}),
        ("roles-without-members", {"role": "ghost", "deployments": "closed-in"}),
        ("members-without-effect", {"role": "idle", "user": "extra"}),
    ],
)
def test_the_other_questions_are_tables(question: str, row: dict[str, str]) -> None:
    if question == "roles-without-members":
        make_draft({"models": {"closed-in": {"userRoles": ["ghost"]}}})
    if question == "members-without-effect":
        make_user("extra", "idle")
    source.forget()
    assert any(row.items() <= found.items() for found in audit("--question", question))


def test_whoever_reaches_nothing_is_named() -> None:
    make_draft({"models": {"m": {"userRoles": ["analysts"]}}})
    assert [row["user"] for row in audit("--question", "reach-nothing")] == ["nobody"]


def test_an_output_file_stands_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "answer.csv"
    call_command("audit_access", "--output", str(path), stdout=io.StringIO(), stderr=io.StringIO())
    assert path.read_text().splitlines()[-1].startswith("# sha256 of the lines above: ")
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("audit_access", "--output", str(tmp_path / "no" / "x"), stderr=io.StringIO())


def downloaded(client: Client, **fields: str) -> bytes:
    response: Any = client.post(reverse("access:download"), fields)
    assert response.status_code == 200, response.headers.get("Location")
    return b"".join(response.streaming_content)


def test_a_download_has_the_rows_of_the_command_and_is_noted(client_of: Callable[[Staff], Client], vera: Staff) -> None:
    data = downloaded(client_of(vera), deployment="gpt-4o", format="csv").decode()
    table = list(csv.DictReader(line for line in data.splitlines() if not line.startswith("# ")))
    assert table == audit("--deployment", "gpt-4o")
    assert "# question: Who reaches gpt-4o" in data
    assert "# settings: draft" in data
    entry = Entry.objects.first()
    assert entry is not None
    assert (entry.act, entry.note) == ("access.downloaded", "Who reaches gpt-4o")


def test_a_download_in_json_is_json(client_of: Callable[[Staff], Client], vera: Staff) -> None:
    document = json.loads(downloaded(client_of(vera), role="analysts", format="json"))
    assert document["count"] == len(document["rows"]) > 0
    table = json.loads(downloaded(client_of(vera), question="counts", format="json"))
    assert {"kind", "deployment", "people_listed"} <= table["rows"][0].keys()


@pytest.mark.parametrize("fields", [{"format": "xls"}, {"format": "csv", "user": "who"}, {"format": "csv", "at": "x"}])
def test_a_download_that_cannot_be_made_says_so(
    fields: dict[str, str], client_of: Callable[[Staff], Client], vera: Staff
) -> None:
    response = client_of(vera).post(reverse("access:download"), fields, follow=True, secure=True)
    assert response.status_code == 200
    assert any(message.level_tag == "error" for message in response.context["messages"])
    assert not Entry.objects.filter(act="access.downloaded").exists()
