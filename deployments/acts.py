"""What history calls the acts on the draft."""

from dialadmin.history.registry import Act, register

ON_DRAFT: set[str] = set()  # codes of the acts that change the draft, each of which raises its version by one
UNDO = "deployments:undo"  # the URL that takes one of them back


def on_draft(act: Act) -> Act:
    """Register an act that changes the draft."""
    ON_DRAFT.add(act.code)
    return register(act)


ACCESS_CHANGED = on_draft(Act("deployment.access-changed", "Access changed", "changed the access of {target}", UNDO))
ROLE_ATTACHED = on_draft(Act("deployment.role-attached", "Role attached", "attached {after[role]} to {target}", UNDO))
ROLE_DETACHED = on_draft(
    Act("deployment.role-detached", "Role detached", "detached {before[role]} from {target}", UNDO)
)
LIMIT_CHANGED = on_draft(Act("limit.changed", "Limit changed", "changed the limit of {target}", UNDO))
DEPLOYMENT_CREATED = on_draft(Act("deployment.created", "Deployment created", "created {target}"))
DEPLOYMENT_CHANGED = on_draft(Act("deployment.changed", "Deployment changed", "changed {target}"))
DEPLOYMENT_DELETED = on_draft(Act("deployment.deleted", "Deployment deleted", "deleted {target}"))
ENTRY_CHANGED = on_draft(Act("deployment.entry-changed", "Entry changed", "changed the entry of {target}"))
ROLE_CHANGED = on_draft(Act("role.entry-changed", "Role's entry changed", "changed the entry of the role {target}"))
KEY_CHANGED = on_draft(Act("key.changed", "API key changed", "changed the API key of {target}"))
UNDONE = on_draft(Act("draft.undone", "Change undone", "undid “{note}”", UNDO))
REDONE = on_draft(Act("draft.redone", "Change redone", "redid “{note}”", UNDO))
TARGET_VERSION_CHANGED = on_draft(
    Act("draft.target-version-changed", "Target version changed", "set the target version to Core {after[version]}")
)
IMPORTED = on_draft(Act("draft.imported", "Settings imported", "imported settings: {note}"))
EXPORTED = register(Act("draft.exported", "Settings exported", "exported the settings: {note}"))
SECRETS_ROTATED = on_draft(Act("draft.secrets-rotated", "Secrets rotated", "encrypted the stored secrets anew"))


def edits() -> set[str]:
    """Codes of the acts that change what an export says."""
    return ON_DRAFT - {SECRETS_ROTATED.code}
