"""The draft as a document: read from the tables, written into them. Secrets are encrypted on the way in.

`read` takes a bounded number of queries at any size. `write` is for `actions.py` alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any

import orjson
from django.conf import settings
from django.db import connection
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from deployments.core.render import Fragment, fragment, fragment_of, fragment_of_list, indented, quote, render, with_key
from deployments.core.secrets import map_secrets, secrets_of
from deployments.core.text import parse
from deployments.document import SECTIONS, DeploymentEntry, KeyEntry, Parts, RoleEntry, assemble, join
from deployments.models import Attachment, Deployment, Draft, Limit
from dialadmin.secrets import TOKEN_START, decrypt, encrypt, rotate
from roles.models import ApiKey, Role

BATCH = 500
_TOKEN = re.compile(f'"({TOKEN_START}[^"]*)"')


def current() -> Draft:
    """The one row of the draft, made when it is first asked for."""
    return Draft.objects.get_or_create(pk=1)[0]


@dataclass(frozen=True)
class Stored:
    """The rows of the draft as they are stored: bodies as JSON text, secrets encrypted."""

    frame: str
    attached: Mapping[int, list[str]]  # id of a deployment -> roles
    limits: Mapping[int, list[tuple[str, str]]]  # id of a role -> (deployment, body)
    deployments: Sequence[tuple[int, str, str, str, str]]  # id, kind, name, access, body
    roles: Sequence[tuple[int, str, str]]  # id, name, body
    keys: Sequence[tuple[int, str, str, str]]  # id, secret, project, body


def stored(draft: Draft) -> Stored:
    """All rows of the draft in document order. Five queries, whatever their number."""
    roles = list(Role.objects.order_by("position", "name").values_list("pk", "name", "in_settings", "body"))
    names = {pk: name for pk, name, _, _ in roles}
    by_deployment = _rows(Attachment.objects.order_by("deployment_id", "pk").values_list("deployment_id", "role_id"))
    by_role = _rows(Limit.objects.order_by("role_id", "pk").values_list("role_id", "deployment_name", "body"))
    attached = {pk: [names[role] for _, role in group] for pk, group in groupby(by_deployment, itemgetter(0))}
    limits = {pk: [(name, body) for _, name, body in group] for pk, group in groupby(by_role, itemgetter(0))}
    return Stored(
        frame=draft.frame,
        attached=attached,
        limits=limits,
        deployments=list(
            Deployment.objects.order_by("position", "pk").values_list("pk", "kind", "name", "access", "body")
        ),
        roles=[(pk, name, body) for pk, name, in_settings, body in roles if in_settings],
        keys=list(ApiKey.objects.order_by("position", "pk").values_list("pk", "secret", "project", "body")),
    )


def _rows(query: QuerySet[Any, tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows of a `values_list` of plain columns, without the ORM's own work on each of thousands."""
    with connection.cursor() as cursor:
        cursor.execute(*query.query.sql_with_params())
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def read() -> Parts:
    """The whole draft, secrets decrypted. Raises secrets.UndecryptableError when a key is missing."""
    rows = stored(current())
    key_roles: defaultdict[int, list[str]] = defaultdict(list)
    through = ApiKey.roles.through._default_manager
    for key, name in through.order_by("role__name").values_list("apikey_id", "role__name"):
        key_roles[key].append(name)
    bodies = load_texts([body for *_, body in rows.deployments])
    deployments = [
        DeploymentEntry(kind, name, roles_of(access, rows.attached.get(pk, ())), decrypted(kind, body))
        for (pk, kind, name, access, _), body in zip(rows.deployments, bodies, strict=True)
    ]
    limits = {
        pk: dict(zip([name for name, _ in entries], load_texts([body for _, body in entries]), strict=True))
        for pk, entries in rows.limits.items()
    }
    roles = [RoleEntry(name, load_text(body), limits.get(pk, {})) for pk, name, body in rows.roles]
    keys = [
        KeyEntry(decrypt(secret), project, tuple(key_roles[pk]), decrypted("key", load_text(body)))
        for pk, secret, project, body in rows.keys
    ]
    return Parts(_frame(rows), tuple(deployments), tuple(roles), tuple(keys))


def _frame(rows: Stored) -> Mapping[str, Any]:
    frame: Mapping[str, Any] = load_text(decrypt(rows.frame)) if rows.frame != "{}" else {}
    return frame


def document() -> dict[str, Any]:
    """The draft as Core would read it, secrets included: never show it, mask it first."""
    return join(read())


def text(draft: Draft) -> str:
    """What `render(document())` gives, from the stored texts: parsed is only what holds a secret. Five queries."""
    rows = stored(draft)
    quoted = _Quoted()
    deployments: dict[str, dict[str, Fragment]] = {}
    for pk, kind, name, access, body in rows.deployments:
        roles = roles_of(access, rows.attached.get(pk, ()))
        listed = None if roles is None else fragment_of_list([quoted[role] for role in roles])
        deployments.setdefault(kind, {})[name] = Fragment(with_key(_plain(kind, body), "userRoles", listed))
    deeper = _Indented()
    roles_of_draft = {
        name: Fragment(
            with_key(
                body,
                "limits",
                fragment_of([f"{quoted[place]}: {deeper[limit]}" for place, limit in rows.limits.get(pk, ())]),
            )
        )
        for pk, name, body in rows.roles
    }
    keys = {decrypt(secret): Fragment(_plain("key", body)) for _, secret, _, body in rows.keys}
    return render(assemble(_frame(rows), deployments, roles_of_draft, keys))


def _at_places(kind: str, body: str) -> list[Any]:
    """What stands at the places of secrets; nothing where the quick parser will not have the text."""
    try:
        return secrets_of(_section(kind), orjson.loads(body))
    except orjson.JSONDecodeError:
        return []


class _Quoted(dict[str, str]):
    """Names as JSON texts, each quoted once."""

    def __missing__(self, name: str) -> str:
        self[name] = text = quote(name)
        return text


class _Indented(dict[str, str]):
    """Texts of limits one level deeper: the same limit is written for many."""

    def __missing__(self, body: str) -> str:
        self[body] = text = indented(body)
        return text


def _plain(kind: str, body: str) -> str:
    """The text of a stored body with its secrets decrypted; what changes between two exports are few of them."""
    return _decrypted_text(tuple(settings.ENCRYPTION_KEYS), kind, body) if TOKEN_START in body else body


@lru_cache(maxsize=4096)
def _decrypted_text(keys: tuple[str, ...], kind: str, body: str) -> str:
    """`keys` are those that decrypt: with others, nothing that is remembered counts."""
    tokens = _TOKEN.findall(body)
    # Only at the places of secrets is anything decrypted: a text that merely looks like a token, or was one
    # elsewhere, stays what it is. Where the two differ, or a secret takes several lines, everything is parsed.
    if sorted(tokens) == sorted(map(str, _at_places(kind, body))):
        plain = {token: decrypt(token) for token in tokens}
        if not any("\n" in text for text in plain.values()):
            return _TOKEN.sub(lambda match: plain[match[1]], body)
    return dump_text(decrypted(kind, load_text(body)))


def roles_of(access: str, attached: Iterable[str]) -> tuple[str, ...] | None:
    """`userRoles` of a deployment: None when open, empty when closed."""
    if access == Deployment.Access.OPEN:
        return None
    return tuple(attached) if access == Deployment.Access.RESTRICTED else ()


def load_text(text: str) -> Any:
    """JSON text that this module wrote, numbers as they were written."""
    return load_texts([text])[0]


def load_texts(texts: Sequence[str]) -> list[Any]:
    """Many at once, which is much faster than one by one."""
    found: list[Any] = parse(f'{{"values":[{",".join(texts)}]}}', "the database")["values"]
    return found


def dump_text(value: Any) -> str:
    """JSON text of any value, numbers as they were written."""
    return fragment(value)


def encrypted(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A body with every secret (core-semantics 1.4) replaced by its encryption."""
    return map_secrets(_section(kind), body, lambda value: encrypt(dump_text(value)))


def decrypted(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The inverse of `encrypted`."""
    return map_secrets(_section(kind), body, lambda value: load_text(decrypt(value)))


def rotated(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A stored body with its secrets encrypted anew with the first key."""
    return map_secrets(_section(kind), body, rotate)


def _section(kind: str) -> str:
    return "keys" if kind == "key" else SECTIONS[kind][-1]


def display_name_of(body: Mapping[str, Any]) -> str:
    """What people call it: a text, or the first of its translations (core-semantics 1.2)."""
    value = body.get("displayName", body.get("display_name", ""))
    if isinstance(value, Mapping):
        value = next(iter(value.values()), "")
    return str(value or "")[:512]


def write_deployment(pk: int, entry: DeploymentEntry) -> None:
    """Make one row say what an entry says. Roles that it keeps in mind stay while its own list stays as it was."""
    row = Deployment.objects.get(pk=pk)
    attached = Attachment.objects.filter(deployment=row).order_by("pk")
    if entry.roles != roles_of(row.access, attached.values_list("role__name", flat=True)):
        write_attached(row, entry.roles or ())
    row.access, row.display_name = entry.access, display_name_of(entry.body)
    row.body = dump_text(encrypted(entry.kind, entry.body))
    row.save(update_fields=["access", "display_name", "body"])


def write_attached(row: Deployment, names: Iterable[str]) -> None:
    """Attach these roles and no others, in this order."""
    Attachment.objects.filter(deployment=row).delete()
    Attachment.objects.bulk_create([Attachment(deployment=row, role=role) for role in _roles_called(names)])


def write_limit(role: Role, name: str, body: str | None, position: int | None = None) -> None:
    """Write the text of a limit, or take it out. A new one becomes the last, or the one at `position` (from 0)."""
    rows = Limit.objects.filter(role=role)
    if body is None:
        rows.filter(deployment_name=name).delete()
    elif not rows.filter(deployment_name=name).update(body=body):
        later = [] if position is None else list(rows.order_by("pk")[position:])
        rows.filter(pk__in=[row.pk for row in later]).delete()
        entries = [(name, body), *((row.deployment_name, row.body) for row in later)]
        Limit.objects.bulk_create([Limit(role=role, deployment_name=name, body=text) for name, text in entries], BATCH)


def write_role(pk: int, entry: RoleEntry) -> None:
    """Make one role and its limits say what an entry says; a role without an entry gets one, as the last."""
    row = Role.objects.get(pk=pk)
    if not row.in_settings:
        last = Role.objects.filter(in_settings=True).aggregate(last=Max("position"))["last"]
        row.in_settings, row.position = True, 0 if last is None else last + 1
    row.body = dump_text(entry.body)
    row.save(update_fields=["in_settings", "position", "body"])
    Limit.objects.filter(role=row).delete()
    Limit.objects.bulk_create(
        [Limit(role=row, deployment_name=name, body=dump_text(limit)) for name, limit in entry.limits.items()], BATCH
    )


def write_key(pk: int, entry: KeyEntry) -> None:
    """Make one API key say what an entry says; its value stays."""
    row = ApiKey.objects.get(pk=pk)
    row.project, row.body = entry.project[:512], dump_text(encrypted("key", entry.body))
    row.save(update_fields=["project", "body"])
    row.roles.set(_roles_called(entry.roles))


def _roles_called(names: Iterable[str]) -> list[Role]:
    return [Role.objects.get_or_create(name=name)[0] for name in names]


def write(parts: Parts) -> None:
    """Make the tables hold these parts and nothing else. Rows that stay keep their ids.

    Call it inside a transaction that holds the draft's lock.
    """
    Draft.objects.filter(pk=1).update(frame=encrypt(dump_text(parts.frame)))
    mentioned = list(Role.objects.filter(_mentioned()).values_list("pk", flat=True))
    roles = _write_roles(parts)
    _write_deployments(parts, roles)
    _write_keys(parts, roles)
    # What only the settings told of goes with them; a role that somebody made here, for later, stays.
    Role.objects.filter(pk__in=mentioned, pool=Role.Pool.NONE).exclude(_mentioned()).delete()


def _mentioned() -> Q:
    """Roles that some part of the settings names."""
    return (
        Q(in_settings=True)
        | Exists(Attachment.objects.filter(role=OuterRef("pk")))
        | Exists(ApiKey.roles.through._default_manager.filter(role=OuterRef("pk")))
    )


def _write_roles(parts: Parts) -> dict[str, Role]:
    known = {role.name: role for role in Role.objects.all()}
    new = [Role(name=name) for name in sorted(parts.role_names() - known.keys())]
    known |= {role.name: role for role in Role.objects.bulk_create(new, BATCH)}
    Role.objects.filter(in_settings=True).update(in_settings=False, position=0, body="{}")
    Limit.objects.all().delete()
    for position, entry in enumerate(parts.roles):
        role = known[entry.name]
        role.in_settings, role.position, role.body = True, position, dump_text(entry.body)
    Role.objects.bulk_update([known[e.name] for e in parts.roles], ["in_settings", "position", "body"], BATCH)
    Limit.objects.bulk_create(
        [
            Limit(role=known[entry.name], deployment_name=name, body=dump_text(limit))
            for entry in parts.roles
            for name, limit in entry.limits.items()
        ],
        BATCH,
    )
    return known


def _write_deployments(parts: Parts, roles: Mapping[str, Role]) -> None:
    known = {(d.kind, d.name): d for d in Deployment.objects.all()}
    rows: list[Deployment] = []
    for position, entry in enumerate(parts.deployments):
        row = known.pop((entry.kind, entry.name), None) or Deployment(kind=entry.kind, name=entry.name)
        row.position, row.access = position, entry.access
        row.display_name = display_name_of(entry.body)
        row.body = dump_text(encrypted(entry.kind, entry.body))
        rows.append(row)
    Deployment.objects.filter(pk__in=[row.pk for row in known.values()]).delete()
    Deployment.objects.bulk_update(
        [row for row in rows if row.pk], ["position", "access", "display_name", "body"], BATCH
    )
    Deployment.objects.bulk_create([row for row in rows if not row.pk], BATCH)
    Attachment.objects.all().delete()
    ids = {(kind, name): pk for pk, kind, name in Deployment.objects.values_list("pk", "kind", "name")}
    Attachment.objects.bulk_create(
        [
            Attachment(deployment_id=ids[entry.kind, entry.name], role=roles[name])
            for entry in parts.deployments
            for name in entry.roles or ()
        ],
        BATCH,
    )


def _write_keys(parts: Parts, roles: Mapping[str, Role]) -> None:
    known = {decrypt(key.secret): key for key in ApiKey.objects.all()}
    through = ApiKey.roles.through
    rows: list[tuple[ApiKey, KeyEntry]] = []
    for position, entry in enumerate(parts.keys):
        row = known.pop(entry.secret, None) or ApiKey(secret=encrypt(entry.secret))
        row.position, row.project = position, entry.project[:512]
        row.body = dump_text(encrypted("key", entry.body))
        rows.append((row, entry))
    ApiKey.objects.filter(pk__in=[row.pk for row in known.values()]).delete()
    ApiKey.objects.bulk_update([row for row, _ in rows if row.pk], ["position", "project", "body"], BATCH)
    ApiKey.objects.bulk_create([row for row, _ in rows if not row.pk], BATCH)
    through._default_manager.all().delete()
    through._default_manager.bulk_create(
        [through(apikey_id=row.pk, role_id=roles[name].pk) for row, entry in rows for name in entry.roles], BATCH
    )
