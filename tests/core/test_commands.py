"""The two commands that need no database."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from deployments.core.evaluate import differences
from tests.core.test_vectors import MissingFileError, as_file, names, read

SECRET = "sk-secret"
SETTINGS = {
    "models": {"m": {"userRoles": ["a"]}, "a/b": {}},
    "keys": {SECRET: {"project": "p", "role": "a"}},
    "roles": {"a": {"limits": {"m": {"minute": 5}}}},
}
PRINCIPALS = [{"id": "ann", "roles": ["a"]}, {"id": "job", "key": SECRET}, {"id": "old", "key": "other"}]


class Run:
    """Runs a command in a folder of its own; `status` is the exit status."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.status = 0

    def write(self, name: str, content: Any) -> str:
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    def __call__(self, *arguments: str) -> str:
        output = io.StringIO()
        self.status = 0
        try:
            call_command(*arguments, stdout=output)
        except SystemExit as stop:
            self.status = int(stop.code or 0)
        return output.getvalue()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_evaluate_access_answers_as_core(run: Run) -> None:
    principals = run.write("p.json", {"principals": PRINCIPALS})
    output = run(
        "evaluate_access", run.write("s.json", SETTINGS), "--principals", principals, "--core-version", "current"
    )
    answer = json.loads(output)
    assert run.status == 0
    assert answer["loaded"] is True
    assert [row["principal"] for row in answer["results"]] == ["ann", "job", "old"]
    assert answer["results"][0]["limit"] == {"minute": 5}
    assert answer["results"][2] == {"principal": "old", "error": "Unknown api key"}
    assert answer["warnings"] == ["Dropping models entry with slash-keyed name: a/b"]
    assert SECRET not in output


@pytest.mark.parametrize("content", ["{", "", '{"models": {"m": {"x": 1}}}', None])
def test_settings_that_core_refuses_are_an_answer(run: Run, content: str | None) -> None:
    file = str(run.folder / "missing.json") if content is None else run.write("s.json", content)
    answer = json.loads(run("evaluate_access", file, "--principals", run.write("p.json", PRINCIPALS)))
    assert run.status == 0
    assert answer["loaded"] is False
    assert answer["error"]


def test_no_file_at_all_is_an_empty_configuration(run: Run) -> None:
    answer = json.loads(run("evaluate_access", "--principals", run.write("p.json", [])))
    assert answer == {"loaded": True, "results": []}


def test_arrays_are_overwritten_on_demand(run: Run) -> None:
    files = [
        run.write("1.json", {"models": {"m": {"userRoles": ["a"]}}}),
        run.write("2.json", {"models": {"m": {"userRoles": []}}}),
    ]
    principals = ["--principals", run.write("p.json", PRINCIPALS[:1])]
    assert json.loads(run("evaluate_access", *files, *principals))["results"][0]["access"] is True
    assert (
        json.loads(run("evaluate_access", *files, *principals, "--overwrite-arrays"))["results"][0]["access"] is False
    )


def test_expectations(run: Run) -> None:
    arguments = ["evaluate_access", run.write("s.json", SETTINGS), "--principals", run.write("p.json", PRINCIPALS)]
    expected = json.loads(run(*arguments))
    assert run(*arguments, "--expect", run.write("e.json", {"expected": expected})) == "As expected.\n"
    assert run.status == 0
    expected["results"][0]["access"] = False
    expected["results"][0]["limit"] = {}
    del expected["results"][1]
    output = run(*arguments, "--expect", run.write("e.json", expected))
    assert run.status == 1
    assert "ann and m (models): access is yes, not no" in output
    assert "ann and m (models): the limit is minute 5, not unlimited" in output
    assert "ann and a/b (models) is not expected" in output
    output = run(*arguments, "--expect", run.write("e.json", {"loaded": False}))
    assert run.status == 1
    assert "expected to refuse" in output


@pytest.mark.parametrize("content", ["{", "3", "[3]", '[{"id": "x"}]', '[{"roles": []}]', '{"a": 1}'])
def test_principals_that_are_none(run: Run, content: str) -> None:
    with pytest.raises(CommandError, match=r"p\.json"):
        run("evaluate_access", "--principals", run.write("p.json", content))


def test_versions_that_are_none(run: Run) -> None:
    for command in (["evaluate_access", "--principals", "p"], ["check_settings", "s"]):
        with pytest.raises(CommandError, match="Core"):
            run(*command, "--core-version", "9.9")


def test_check_settings_in_text(run: Run) -> None:
    output = run("check_settings", run.write("s.json", SETTINGS))
    assert run.status == 0
    assert 'note: models["a/b"]  [open-deployment]' in output
    assert output.endswith("Core 0.37: 0 errors, 0 warnings, 2 notes.\n")
    assert SECRET not in output


def test_check_settings_in_json(run: Run) -> None:
    file = run.write("s.json", {"models": {"m\ud800": {"colour": 1}}, "keys": {SECRET: {}}})
    content = json.loads(run("check_settings", file, "--format", "json", "--core-version", "0.46"))
    assert run.status == 1
    assert {finding["code"] for finding in content["findings"]} == {"unknown-key"}
    assert content["core_version"] == "0.46"
    assert run("check_settings", file).startswith('error: models["m?"].colour')


def test_check_settings_of_a_file_that_core_does_not_read(run: Run) -> None:
    broken = run.write("s.json", '{"models": {"m": {"userRoles": ["a",]}}}')
    for form in ("text", "json"):
        assert "line 1" in run("check_settings", broken, "--format", form)
        assert run.status == 1
        assert "does not start" in run("check_settings", str(run.folder / "missing.json"), "--format", form)
        assert run.status == 1


def test_check_settings_merges(run: Run) -> None:
    files = [
        run.write("1.json", {"models": {"m": {"userRoles": ["a"]}}}),
        run.write("2.json", {"models": {"m": {"userRoles": None}}}),
    ]
    assert "[null-user-roles]" in run("check_settings", *files)


def test_evaluate_access_agrees_with_core_on_real_files(run: Run) -> None:
    """Every case vector through the command line, files, exit status and all."""
    for name in names("cases"):
        vector = read(name)
        files = []
        for number, entry in enumerate(vector["files"]):
            path = run.folder / f"{number}.json"
            path.unlink(missing_ok=True)
            files.append(str(path))
            with contextlib.suppress(MissingFileError):
                path.write_bytes(as_file(entry))
        switches = ["--overwrite-arrays"] if vector.get("options", {}).get("overwriteArrays") else []
        arguments = ["--principals", run.write("p.json", vector["principals"]), "--core-version", vector["generation"]]
        output = run("evaluate_access", *files, *arguments, *switches)
        assert run.status == 0
        assert list(differences(vector["expected"], json.loads(output))) == [], name
