"""From what somebody asks, in names, to the rows that answer it: for the command, the downloads and the API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from functools import partial

from django.db.models import Q
from django.utils import timezone

from deployments.access import rows, source
from deployments.access.index import KINDS, Answer, Index
from deployments.access.questions import QUESTIONS
from roles.models import User

Blocks = Iterator[tuple[bytes, int]]


@dataclass(frozen=True)
class Ask:
    """A question. With nothing named it asks for everything: who reaches what.

    `user` is a user name, email or sub, `api_key` a project, `deployment` a name, of `kind` if given. `question` is
    a key of QUESTIONS, or empty for the rows of access.
    """

    question: str = ""
    user: str = ""
    role: str = ""
    api_key: str = ""
    deployment: str = ""
    kind: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Asked:
    """A question understood: what it is called, what it rests on, and the rows in a form that is chosen later."""

    title: str
    about: Mapping[str, str]
    columns: Sequence[str]
    blocks: Callable[[rows.Form], Blocks]
    remark: str = ""  # why the answer is empty, where that needs a word

    def file(self, form: rows.Form) -> Iterator[bytes]:
        """The whole file in chunks."""
        return rows.write(form, self.about, self.blocks(form), self.columns)


class UnknownNameError(source.UnansweredError):
    """A name in the question is known neither to the settings nor to the pool."""


def understand(ask: Ask) -> Asked:
    """Raises UnknownNameError for a name that nothing has, and UnansweredError as `source` does."""
    index = source.current() if ask.at is None else source.at(ask.at)
    if ask.question:
        question = QUESTIONS[ask.question]
        return Asked(
            question.title,
            _about(question.title, index),
            question.columns,
            lambda form: ((form.cells(question.columns, row), 1) for row in question.rows(index)),
        )
    title, blocks, remark = _access(index, ask)
    return Asked(title, _about(title, index), rows.COLUMNS, blocks, remark)


def _about(title: str, index: Index) -> dict[str, str]:
    return {
        "question": title,
        "asked": timezone.now().isoformat(timespec="seconds"),
        "core": str(index.settings.version),
        **index.notes,
    }


def _access(index: Index, ask: Ask) -> tuple[str, Callable[[rows.Form], Blocks], str]:
    place = _place(index, ask)
    if ask.user:
        user = _user(ask.user)
        number = index.people.number_of.get(user.pk)
        roles = frozenset[str]() if number is None else index.people.roles_of(number)
        answers = () if number is None else _answers(index, roles, place)
        remark = "" if number is not None else f"{user.username} could not sign in then, and so reaches nothing."
        return f"What {user.username} reaches", partial(_one, "user", user.username, answers), remark
    if ask.role:
        role = _role(index, ask.role)
        return (
            f"What the role {role} reaches",
            partial(_one, "role", role, _answers(index, frozenset((role,)), place)),
            "",
        )
    if ask.api_key:
        keys = [(label, key) for label, key in index.keys if key.project == ask.api_key or label == ask.api_key]
        if not keys:
            raise _unknown("No API key has the project", ask.api_key, [key.project for _, key in index.keys])
        found = [(label, _answers(index, frozenset(key.roles), place)) for label, key in keys]
        return f"What the API keys of {ask.api_key} reach", partial(_several, "key", found), ""
    if place is not None:
        return f"Who reaches {place[1]}", partial(_of_deployment, index, place), ""
    return "Who reaches what", partial(_everything, index), ""


def _everything(index: Index, form: rows.Form) -> Blocks:
    return rows.everything(index, form)


def _of_deployment(index: Index, place: tuple[str, str], form: rows.Form) -> Blocks:
    return rows.of_deployment(index, form, place[1], place[0])


def _one(kind: str, name: str, answers: Iterable[Answer], form: rows.Form) -> Blocks:
    yield rows.block(form, kind, name, answers)


def _several(kind: str, found: Iterable[tuple[str, Iterable[Answer]]], form: rows.Form) -> Blocks:
    return (rows.block(form, kind, label, answers) for label, answers in found)


def _answers(index: Index, roles: frozenset[str], place: tuple[str, str] | None) -> list[Answer]:
    return [a for a in index.answers(roles) if place in (None, (a.deployment.section, a.deployment.name))]


def _place(index: Index, ask: Ask) -> tuple[str, str] | None:
    if not ask.deployment:
        return None
    section = next((section for section, kind in KINDS.items() if kind == ask.kind), "")
    found = index.find(ask.deployment, section)
    if found is None:
        raise _unknown("There is no deployment", ask.deployment, [item.name for item in index.deployments])
    return found.section, found.name


def _user(name: str) -> User:
    """The person of this sub, user name or email; the exact spelling first, those in the pool before those gone."""
    found = list(User.objects.filter(Q(sub=name) | Q(username=name) | Q(email__iexact=name)))
    if not found:
        near = User.objects.filter(Q(username__istartswith=name[:1]) | Q(email__istartswith=name[:1]))
        raise _unknown("Nobody in the pool is", name, near.values_list("username", flat=True)[:5000])
    return min(found, key=lambda user: (user.sub != name, user.username != name, user.gone_at is not None, user.pk))


def _role(index: Index, name: str) -> str:
    known = {*index.opened_by, *index.settings.limits, *index.people.holding}
    known.update(role for _, key in index.keys for role in key.roles)
    if name not in known:
        raise _unknown("Neither the settings nor the pool knows the role", name, known)
    return name


def _unknown(what: str, name: str, names: Iterable[str]) -> UnknownNameError:
    near = get_close_matches(name, list(names), n=3, cutoff=0.6)
    hint = f" Perhaps {' or '.join(near)}?" if near else " Names are compared letter by letter."
    return UnknownNameError(f'{what} "{name}".{hint}')
