"""History is appended to, read, and never changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dialadmin.accounts.models import Staff
from dialadmin.history import registry
from dialadmin.history.models import AppendOnlyError, Entry
from dialadmin.history.presentation import differences, sentence
from dialadmin.history.recorder import Actor, Target, record
from dialadmin.history.registry import Act, all_acts, register

ROOT = Path(__file__).parent.parent.parent
ACT = all_acts()[0]
BY = Actor.command("tests")


@pytest.mark.django_db
def test_an_entry_is_neither_changed_nor_deleted() -> None:
    entry = record(ACT, by=BY, target=Target("deployment", "1", "gpt-4o"))
    entry.note = "another"
    with pytest.raises(AppendOnlyError):
        entry.save()
    with pytest.raises(AppendOnlyError):
        entry.delete()
    with pytest.raises(AppendOnlyError):
        Entry.objects.all().delete()
    with pytest.raises(AppendOnlyError):
        Entry.objects.update(note="another")
    assert Entry.objects.get().note == ""


def test_history_has_no_foreign_keys_but_to_itself() -> None:
    assert {field.related_model for field in Entry._meta.get_fields() if field.is_relation} == {Entry}


def test_an_act_is_registered_once() -> None:
    with pytest.raises(ValueError, match="registered twice"):
        register(Act(ACT.code, "", ""))


@pytest.mark.parametrize("act", all_acts(), ids=lambda act: act.code)
def test_every_sentence_reads_with_and_without_values(act: Act) -> None:
    assert sentence(act.code, target="gpt-4o", before=None, after=None, note="")
    assert "{" not in sentence(act.code, target="gpt-4o", before={"role": "a"}, after={"role": "b"}, note="n")


def test_an_act_that_is_no_longer_known_is_shown_by_its_code() -> None:
    assert registry.get("old.act") is None
    assert sentence("old.act", target="x", before=None, after=None, note="") == "old.act x"


def test_differences_leave_out_what_is_the_same() -> None:
    assert differences({"a": 1, "b": ["x"]}, {"a": 1, "b": [], "c": "new"}) == [("b", "x", "none"), ("c", None, "new")]


@pytest.mark.django_db
def test_entries_of_one_request_share_its_id(client_of: Callable[[Staff], Client], ada: Staff) -> None:
    response = client_of(ada).post(reverse("deployments:create"), {"kind": "model", "name": "new"})
    entry = Entry.objects.filter(act="deployment.created").get()
    assert entry.request_id == response.headers["X-Request-Id"]
    assert (entry.actor_id, entry.actor_name) == (ada.sub, "Ada")


@pytest.mark.django_db
def test_the_list_searches_filters_and_takes_as_many_queries_for_many(
    client_of: Callable[[Staff], Client], vera: Staff
) -> None:
    client = client_of(vera)
    record(ACT, by=BY, target=Target("deployment", "1", "gpt-4o"))

    def queries(count: int) -> int:
        with CaptureQueriesContext(connection) as captured:
            page = client.get(reverse("history:list"), {"q": "gpt"})
        assert page.context["listing"].total == count
        return len(captured)

    few = queries(1)
    for number in range(40):
        record(ACT, by=BY, target=Target("deployment", str(number), f"gpt-{number}"))
    assert queries(41) == few
    assert client.get(reverse("history:list"), {"act": "no-such"}).context["listing"].chosen == {}


def test_rows_are_written_by_actions_and_sync_alone() -> None:
    """No view, form or template tag writes: every change has its act, its transaction and its entry."""
    writes = re.compile(r"\.(save|create|bulk_create|bulk_update|get_or_create|update_or_create|delete)\(")
    writers = {"actions.py", "sync.py", "mirror.py", "draft.py", "recorder.py", "index.py"}
    views = [p for app in ("roles", "deployments", "dialadmin") for p in (ROOT / app).rglob("*.py")]
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in views
        if path.name not in writers and "migrations" not in path.parts and "demo" not in path.parts
        for line in path.read_text().splitlines()
        if writes.search(line)
        and "actions." not in line
        and "PendingImport" not in line
        and "pending." not in line
        and "form." not in line
        and "super()" not in line
        and "session" not in line
        and "cache" not in line
    ]
    assert found == []


@pytest.mark.django_db
def test_history_is_downloaded_as_it_is_narrowed_and_safe_for_a_spreadsheet(
    client_of: Callable[[Staff], Client], vera: Staff
) -> None:
    record(ACT, by=Actor.command("tests"), target=Target("role", "1", "=1+1"), note="because")
    response = client_of(vera).get("/history/", {"format": "csv", "q": "because"})
    assert response.headers["Content-Disposition"] == 'attachment; filename="history.csv"'
    lines = b"".join(response.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "Entry,Time,Who,Act,What,About,Note"
    assert len(lines) == 2
    assert "'=1+1" in lines[1]
