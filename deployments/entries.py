"""One entry of the settings as JSON text: shown with its secrets masked, read back, judged at its lines.

A mask that comes back where a secret belongs stands for the secret that it hid, by its number, wherever in the
entry it comes back. Anywhere else it is a text like any other, so that no secret can be moved into the open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.crypto import constant_time_compare, salted_hmac

from deployments.core.check import check
from deployments.core.findings import Finding, Path, display
from deployments.core.load import load
from deployments.core.render import render
from deployments.core.secrets import map_secrets
from deployments.core.text import SettingsError, locate, parse
from deployments.core.versions import Version
from deployments.document import SECTIONS
from deployments.models import Deployment
from dialadmin.secrets import MASK, decrypt, encrypt
from roles.models import ApiKey, Role


@dataclass(frozen=True)
class Place:
    """Where an entry stands: of which row, and by which steps of the document. The last step of a key is secret."""

    kind: str  # a kind of deployment, "role" or "key"
    pk: int
    title: str
    path: tuple[str, ...] = field(repr=False)

    @property
    def section(self) -> str:
        return self.path[-2]

    def value(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The entry in a document; {} where it has none."""
        found: Any = document
        for step in self.path:
            found = found.get(step, {})
        return dict(found)

    def alone(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """A document of this entry alone."""
        document: Any = value
        for step in reversed(self.path):
            document = {step: document}
        return dict(document)

    def replaced(self, document: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
        """The document with another value at this place."""

        def put(parent: Mapping[str, Any], steps: tuple[str, ...]) -> dict[str, Any]:
            inner = put(parent.get(steps[0], {}), steps[1:]) if len(steps) > 1 else value
            return {**parent, steps[0]: inner}

        return put(document, self.path)

    def inside(self, finding: Finding, document: Mapping[str, Any]) -> Path | None:
        """The path of a finding inside of this entry; None for one about another place."""
        steps: Path = self.path
        if self.kind == "key":
            steps = ("keys", list(document["keys"]).index(self.path[-1]))
        return finding.path[len(steps) :] if finding.path[: len(steps)] == steps else None


def of_deployment(row: Deployment) -> Place:
    return Place(row.kind, row.pk, row.name, (*SECTIONS[row.kind], row.name))


def of_role(row: Role) -> Place:
    return Place("role", row.pk, row.name, ("roles", row.name))


def of_key(row: ApiKey) -> Place:
    return Place("key", row.pk, str(row), ("keys", decrypt(row.secret)))


def fingerprint(value: Mapping[str, Any]) -> str:
    """What tells two states of an entry apart without telling anything of its secrets."""
    return salted_hmac("deployments.entries", render(value), algorithm="sha256").hexdigest()


def is_fingerprint(text: str, value: Mapping[str, Any]) -> bool:
    return constant_time_compare(text, fingerprint(value))


def masked(place: Place, value: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The text that may be shown, and the secrets that its masks hide, in the order of their numbers."""
    secrets: list[Any] = []

    def hide(secret: Any) -> str:
        if secret not in secrets:
            secrets.append(secret)
        return f"{MASK} {secrets.index(secret) + 1}"

    return render(map_secrets(place.section, value, hide)), secrets


def seal(secrets: list[Any]) -> str:
    """Secrets on their way through a page: only this product can read them."""
    return encrypt(render({"secrets": secrets}))


def unseal(text: str) -> list[Any]:
    """The inverse of `seal`. Raises secrets.UndecryptableError for a text that was not sealed here."""
    found: list[Any] = parse(decrypt(text), "sealed")["secrets"]
    return found


@dataclass(frozen=True)
class Problem:
    """Why a text cannot be saved: the line (from 1; 0 where it is the whole), what, and how to mend it."""

    line: int
    where: str
    what: str
    mend: str


class NotSavedError(ValueError):
    """A text that must not become the entry."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(problem.what for problem in problems))
        self.problems = problems


def read(place: Place, text: str, secrets: list[Any]) -> dict[str, Any]:
    """The entry that a text says, masks replaced by what they hide. Raises NotSavedError."""
    try:
        value = parse(text, "")
    except SettingsError as error:
        raise NotSavedError([Problem(error.line, error.path, error.message, error.mend)]) from None
    if value is None:
        raise NotSavedError([Problem(1, "", "The entry is null.", "Write an object, {} at least.")])
    hidden = {f"{MASK} {number + 1}": secret for number, secret in enumerate(secrets)}
    unknown: list[str] = []

    def restore(secret: Any) -> Any:
        if isinstance(secret, str) and secret in hidden:
            return hidden[secret]
        if isinstance(secret, str) and MASK[0] in secret:
            unknown.append(secret)
        return secret

    restored = map_secrets(place.section, value, restore)
    if unknown:
        lines = text.splitlines()
        at = [next((n + 1 for n, line in enumerate(lines) if secret in line), 0) for secret in unknown]
        what = "This mask stands for no secret of the entry."
        mend = "Leave a mask as it was shown, with its number, or write the new secret in its place."
        raise NotSavedError([Problem(line, "", what, mend) for line in at])
    return restored


def judge(
    place: Place, text: str, value: Mapping[str, Any], document: Mapping[str, Any], version: Version
) -> list[tuple[Problem, Finding]]:
    """What the checks find in an entry, errors first: those of the entry alone, and with the rest of the document."""
    alone = place.alone(value)
    whole = place.replaced(document, value)
    found: dict[tuple[str, Path], tuple[Problem, Finding]] = {}
    for context, findings in ((alone, load(alone, version).findings), (whole, check(whole, version))):
        for finding in findings:
            inner = place.inside(finding, context)
            if inner is not None:
                problem = Problem(locate(text, inner), display(inner), finding.message, finding.mend)
                found.setdefault((finding.code, inner), (problem, finding))
    return list(found.values())
