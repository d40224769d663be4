"""The only writers of the draft. Each changes rows and appends one history entry in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from deployments import acts, draft, undoing
from deployments import seen as states
from deployments.bulk import Step, Wish, limits_of, plan
from deployments.changes import compare
from deployments.core.versions import Version
from deployments.document import Parts, split
from deployments.entries import Place, is_fingerprint
from deployments.models import Attachment, Deployment, Draft, Limit, PendingImport
from deployments.seen import Seen
from dialadmin.history.models import Entry
from dialadmin.history.recorder import Actor, Target, record
from dialadmin.history.registry import Act
from dialadmin.secrets import rotate
from roles.models import ApiKey, Role


class ConflictError(Exception):
    """The draft has changed since the page was made; nothing was done. The text says what to do."""


def _unless_changed(seen: str | None, now: Seen, *parts: str) -> None:
    """Raise ConflictError where a form was made from another state of these parts; None: nobody looked."""
    was = None if seen is None else Seen.parse(seen)
    if seen is not None and (was is None or any(getattr(was, part) != getattr(now, part) for part in parts)):
        raise ConflictError("Somebody else has changed this since the page was shown.")


@contextmanager
def changing(version: int | None = None) -> Iterator[Draft]:
    """One transaction that holds the draft alone.

    `version`: what the caller's page was made from; raises ConflictError when the draft has moved on.
    """
    with transaction.atomic():
        draft.current()
        row = Draft.objects.select_for_update().get(pk=1)
        if version is not None and row.version != version:
            raise ConflictError(
                "The draft was changed since this page was shown. Look at it again, then repeat the change."
            )
        yield row


def changed(act: Act, **entry: Any) -> Entry:
    """Note a change of the draft in history, and leave the draft's version one higher."""
    Draft.objects.filter(pk=1).update(version=F("version") + 1, changed_at=timezone.now())
    return record(act, **entry)


def target(deployment: Deployment) -> Target:
    return Target("deployment", str(deployment.pk), deployment.name)


def _access_of(deployment: Deployment) -> dict[str, Any]:
    roles = deployment.attachments.order_by("pk").values_list("role__name", flat=True)  # as the document lists them
    return {"access": deployment.access, "roles": list(roles)}


def set_access(
    *, deployment: Deployment, access: str, by: Actor, note: str = "", seen: str | None = None
) -> Entry | None:
    """Open, restrict or close a deployment; None when it is so. The attached roles stay known while open or closed.

    Here and below, what comes back is the entry of history, by which the act can be undone.

    `seen`, here and below, is what the form was made from (`str` of a Seen); raises ConflictError when the parts
    that the act is about have changed since.

    Restricting one that has no role attached would close it, so it is closed (core-semantics 2).
    """
    with changing():
        deployment = Deployment.objects.get(pk=deployment.pk)
        _unless_changed(seen, states.of_deployment(deployment), "access", "roles")
        before = _access_of(deployment)
        if access == Deployment.Access.RESTRICTED and not before["roles"]:
            access = Deployment.Access.CLOSED
        if access == deployment.access:
            return None
        Deployment.objects.filter(pk=deployment.pk).update(access=access)
        return changed(
            acts.ACCESS_CHANGED,
            by=by,
            target=target(deployment),
            before=before,
            after={**before, "access": access},
            note=note,
        )


def attach_role(*, deployment: Deployment, role_name: str, by: Actor, seen: str | None = None) -> Entry | None:
    """Add a role to `userRoles`; None when it was there already.

    That others attached other roles meanwhile is no conflict; that it was opened or closed is.
    A closed deployment becomes restricted to its roles. An open one becomes restricted too: naming who
    may reach it says that others may not.
    """
    with changing():
        deployment = Deployment.objects.get(pk=deployment.pk)
        _unless_changed(seen, states.of_deployment(deployment), "access")
        role = Role.objects.get_or_create(name=role_name)[0]
        before = _access_of(deployment)
        if deployment.access != Deployment.Access.RESTRICTED:
            # Roles that a closed or open deployment kept in mind do not come back unasked.
            deployment.attachments.exclude(role=role).delete()
            Deployment.objects.filter(pk=deployment.pk).update(access=Deployment.Access.RESTRICTED)
        elif role_name in before["roles"]:
            return None
        Attachment.objects.get_or_create(deployment=deployment, role=role)
        deployment.refresh_from_db()
        return changed(
            acts.ROLE_ATTACHED,
            by=by,
            target=target(deployment),
            before=before,
            after={**_access_of(deployment), "role": role_name},
        )


def detach_role(*, deployment: Deployment, role_name: str, by: Actor, seen: str | None = None) -> Entry | None:
    """Take a role out of `userRoles`; None when it was not there. Without its last role it is closed, never open."""
    with changing():
        deployment = Deployment.objects.get(pk=deployment.pk)
        _unless_changed(seen, states.of_deployment(deployment), "access", "roles")
        before = _access_of(deployment)
        if not Attachment.objects.filter(deployment=deployment, role__name=role_name).delete()[0]:
            return None
        if deployment.access == Deployment.Access.RESTRICTED and not deployment.attachments.exists():
            Deployment.objects.filter(pk=deployment.pk).update(access=Deployment.Access.CLOSED)
        deployment.refresh_from_db()
        return changed(
            acts.ROLE_DETACHED,
            by=by,
            target=target(deployment),
            before={**before, "role": role_name},
            after=_access_of(deployment),
        )


def bulk_change(
    *, deployments: Iterable[Deployment], wish: Wish, by: Actor, version: int
) -> tuple[list[Entry], int, int]:
    """Do to many deployments what `bulk.plan` says of the wish, all or none.

    What comes back: the entries of history, how many deployments changed, and how many did not. Each attached role,
    each limit has its own entry, as if it were changed alone. Raises ConflictError when the draft is no longer of
    `version`, which the preview was made from.
    """
    with changing(version):
        parts = draft.read()
        chosen = {(row.kind, row.name): row for row in deployments}
        entries = [entry for entry in parts.deployments if (entry.kind, entry.name) in chosen]
        steps = plan(wish, entries, limits_of(parts))
        acting = [step for step in steps if not step.skipped]
        made = [entry for step in acting for entry in _take(step, chosen[step.entry.kind, step.entry.name], wish, by)]
        return [entry for entry in made if entry], len(acting), len(steps) - len(acting)


def _take(step: Step, deployment: Deployment, wish: Wish, by: Actor) -> Iterator[Entry | None]:
    """Closing keeps the roles in mind, which detaching each of them would not."""
    held, after = step.entry.roles or (), step.after or ()
    if wish.verb == "close":
        yield set_access(deployment=deployment, access=Deployment.Access.CLOSED, by=by)
        return
    for role in held:
        if role not in after:
            yield detach_role(deployment=deployment, role_name=role, by=by)
    for role in after:
        if role not in held:
            yield attach_role(deployment=deployment, role_name=role, by=by)
    for role, limit in step.limits.items():
        yield set_limit(role_name=role, deployment_name=deployment.name, limit=limit, by=by)


def set_limit(
    *, role_name: str, deployment_name: str, limit: Mapping[str, Any] | None, by: Actor, seen: str | None = None
) -> Entry | None:
    """Write `roles.<role>.limits.<deployment>`; None when it already says so.

    `limit` maps windows to whole numbers; `{}` is unlimited; None removes the entry, so that the role
    inherits from `default` (core-semantics 3.1). A role without an entry under `roles` gets one.
    """
    with changing():
        _unless_changed(seen, states.of_limit(role_name, deployment_name), "body")
        role = Role.objects.get_or_create(name=role_name)[0]
        row = Limit.objects.filter(role=role, deployment_name=deployment_name).first()
        before = draft.load_text(row.body) if row else None
        if row is None and limit is None:
            return None
        if row is not None and limit is not None and before == dict(limit):
            return None
        restore = _put_limit(role, deployment_name, None if limit is None else draft.dump_text(dict(limit)))
        return changed(
            acts.LIMIT_CHANGED,
            by=by,
            target=Target(
                "limit", states.limit_id(role_name, deployment_name), f"{role_name} on {deployment_name}"[:512]
            ),
            before={"role": role_name, "deployment": deployment_name, "limit": before},
            after={"role": role_name, "deployment": deployment_name, "limit": None if limit is None else dict(limit)},
            restore=restore,
        )


def _put_limit(role: Role, name: str, body: str | None, position: int | None = None) -> dict[str, Any]:
    """Write the text of a limit, or take it out; what putting back what was there takes (`Entry.restore`)."""
    rows = Limit.objects.filter(role=role)
    row = rows.filter(deployment_name=name).first()
    restore = {
        "body": row.body if row else None,
        "position": rows.filter(pk__lt=row.pk).count() if row and body is None else None,
        "entry": role.in_settings,
    }
    draft.write_limit(role, name, body, position)
    if body is not None and not role.in_settings:
        inside = Role.objects.filter(in_settings=True)
        # A role that had an entry gets it back where it stood, unless another stands there now.
        if not role.position or inside.filter(position=role.position).exists():
            role.position = (inside.aggregate(last=Max("position"))["last"] or 0) + 1
        Role.objects.filter(pk=role.pk).update(in_settings=True, position=role.position)
    return restore


def undo(*, entries: Iterable[Entry], by: Actor) -> list[Entry]:
    """Take entries of history back, the newest first, all or none: what was before each is so again, to the letter.

    Each is an act of its own, which can be undone like any other. Raises ConflictError, with who has changed what
    since, when what they left no longer stands, and when one of them has been undone already.
    """
    with changing():
        newest_first = undoing.fresh(entries)
        if problem := undoing.obstacle(newest_first):
            raise ConflictError(problem.text)
        return [_undo(entry, by) for entry in newest_first]


def _undo(entry: Entry, by: Actor) -> Entry:
    before, after, restore = undoing.after(entry), undoing.before(entry), None
    if entry.target_kind == "limit":
        role = Role.objects.get_or_create(name=after["role"])[0]
        exact = undoing.restore_of(entry)
        restore = _put_limit(role, after["deployment"], exact["body"], exact["position"])
        if not exact["entry"]:
            # The act had made the role's entry. It goes with it, unless it has come to say something else too.
            Role.objects.filter(pk=role.pk, body="{}", limits=None).update(in_settings=False)
    else:
        deployment = Deployment.objects.get(pk=entry.target_id)
        before = _access_of(deployment)
        Deployment.objects.filter(pk=deployment.pk).update(access=after["access"])
        draft.write_attached(deployment, after["roles"])
    return changed(
        acts.REDONE if entry.act == acts.UNDONE.code else acts.UNDONE,
        by=by,
        target=Target(entry.target_kind, entry.target_id, entry.target_name),
        before=before,
        after=after,
        note=undoing.what(entry),
        undoes=entry,
        restore=restore,
    )


def give(
    *, deployment: Deployment, role_name: str, limit: Mapping[str, Any] | None, by: Actor, seen: str | None = None
) -> list[Entry]:
    """Set the limit of a role on a deployment and attach it, both or neither; the entries of what was different.

    `seen` is of the limit, as for `set_limit`.
    """
    with changing():
        limited = set_limit(role_name=role_name, deployment_name=deployment.name, limit=limit, by=by, seen=seen)
        attached = attach_role(deployment=deployment, role_name=role_name, by=by)
        return [entry for entry in (limited, attached) if entry]


def create_deployment(*, kind: str, name: str, body: Mapping[str, Any], by: Actor) -> Deployment:
    """Add a deployment, closed: nobody reaches it before a role is attached."""
    with changing():
        last = Deployment.objects.aggregate(last=Max("position"))["last"]
        deployment = Deployment.objects.create(
            kind=kind,
            name=name,
            position=0 if last is None else last + 1,
            display_name=draft.display_name_of(body),
            access=Deployment.Access.CLOSED,
            body=draft.dump_text(draft.encrypted(kind, body)),
        )
        changed(acts.DEPLOYMENT_CREATED, by=by, target=target(deployment), after={"kind": kind, "access": "closed"})
        return deployment


def change_deployment(*, deployment: Deployment, fields: Mapping[str, Any], by: Actor, seen: str | None = None) -> bool:
    """Set top-level fields of a deployment's entry; an empty value removes the field. False when nothing changed."""
    with changing():
        deployment = Deployment.objects.get(pk=deployment.pk)
        _unless_changed(seen, states.of_deployment(deployment), "body")
        body = draft.load_text(deployment.body)
        differing = {
            name: value
            for name, value in fields.items()
            if (body.get(name) or "") != value and not (name not in body and not value)
        }
        if not differing:
            return False
        before = {name: body.get(name) for name in differing}
        for name, value in differing.items():
            if value:
                body[name] = value
            else:
                body.pop(name, None)
        Deployment.objects.filter(pk=deployment.pk).update(
            body=draft.dump_text(body), display_name=draft.display_name_of(body)
        )
        changed(acts.DEPLOYMENT_CHANGED, by=by, target=target(deployment), before=before, after=differing)
        return True


def change_entry(*, place: Place, value: Mapping[str, Any], seen: str, by: Actor) -> bool:
    """Make an entry of the settings say something else as a whole; False when it says it already.

    `value` is the entry with its secrets, judged before; `seen` the fingerprint of what the page showed. Raises
    ConflictError when the entry has changed since.
    """
    with changing():
        before = place.value(draft.document())
        if not is_fingerprint(seen, before):
            raise ConflictError("Somebody else has changed this since the page was shown.")
        parts = split(place.alone(value))
        found = compare(split(place.alone(before)), parts)
        if not found:
            return False
        if place.kind == "role":
            draft.write_role(place.pk, parts.roles[0])
            act, kind = acts.ROLE_CHANGED, "role"
        elif place.kind == "key":
            draft.write_key(place.pk, parts.keys[0])
            act, kind = acts.KEY_CHANGED, "key"
        else:
            draft.write_deployment(place.pk, parts.deployments[0])
            act, kind = acts.ENTRY_CHANGED, "deployment"
        details = found[0].details
        words = found[0].access.partition(" → ") if found[0].access else ("", "", "")
        changed(
            act,
            by=by,
            target=Target(kind, str(place.pk), place.title),
            before={detail.path or "entry": detail.before for detail in details}
            | ({"access": words[0]} if words[0] else {}),
            after={detail.path or "entry": detail.after for detail in details}
            | ({"access": words[2]} if words[2] else {}),
        )
        return True


def delete_deployment(*, deployment: Deployment, by: Actor, seen: str | None = None) -> None:
    """Remove a deployment with its attachments. Limits that name it stay: another may carry the name."""
    with changing():
        deployment = Deployment.objects.get(pk=deployment.pk)
        _unless_changed(seen, states.of_deployment(deployment), "access", "roles", "body")
        changed(
            acts.DEPLOYMENT_DELETED,
            by=by,
            target=target(deployment),
            before={"kind": deployment.kind, **_access_of(deployment)},
        )
        deployment.delete()


def set_target_version(*, version: Version, by: Actor, seen: str | None = None) -> bool:
    """Choose the Core version that the export is for; False when it is chosen already."""
    with changing() as row:
        if row.target_version == str(version):
            return False
        _unless_changed(seen, states.of_target_version(row), "body")
        Draft.objects.filter(pk=1).update(target_version=str(version))
        changed(
            acts.TARGET_VERSION_CHANGED,
            by=by,
            before={"version": row.target_version},
            after={"version": str(version)},
        )
        return True


def replace_draft(
    *,
    parts: Parts,
    by: Actor,
    note: str,
    summary: Mapping[str, Any],
    version: int | None = None,
    act: Act = acts.IMPORTED,
) -> None:
    """Make the draft what an import says. `summary` (counts and names, no secrets) goes into history.

    Raises ConflictError when `version` is given and the draft has moved on.
    """
    with changing(version):
        draft.write(parts)
        changed(act, by=by, after=dict(summary), note=note)


def rotate_secrets(*, by: Actor) -> int:
    """Encrypt every stored secret anew with the first key; the number of rows written.

    Raises secrets.UndecryptableError, having changed nothing, when a secret has no key.
    """
    with changing():
        row = draft.current()
        count = 0
        if row.frame != "{}":
            count += Draft.objects.filter(pk=1).update(frame=rotate(row.frame))
        for deployment in Deployment.objects.all():
            body = draft.load_text(deployment.body)
            rotated = draft.rotated(deployment.kind, body)
            if rotated != body:
                count += Deployment.objects.filter(pk=deployment.pk).update(body=draft.dump_text(rotated))
        for key in ApiKey.objects.all():
            body = draft.rotated("key", draft.load_text(key.body))
            count += ApiKey.objects.filter(pk=key.pk).update(secret=rotate(key.secret), body=draft.dump_text(body))
        PendingImport.objects.all().delete()
        changed(acts.SECRETS_ROTATED, by=by, after={"rows": count})
        return count


def record_export(*, by: Actor, digest: str, version: str, size: int) -> None:
    """Note that somebody took the settings out, secrets included."""
    record(
        acts.EXPORTED,
        by=by,
        after={"sha256": digest, "target_version": version, "bytes": size},
        note=f"{size:,} bytes for Core {version}, sha256 {digest[:12]}…",
    )
