"""What history calls the acts on the draft."""

from dialadmin.history.registry import Act, register

ACCESS_CHANGED = register(Act("deployment.access-changed", "Access changed", "changed the access of {target}"))
ROLE_ATTACHED = register(Act("deployment.role-attached", "Role attached", "attached {after[role]} to {target}"))
ROLE_DETACHED = register(Act("deployment.role-detached", "Role detached", "detached {before[role]} from {target}"))
LIMIT_CHANGED = register(Act("limit.changed", "Limit changed", "changed the limit of {target}"))
DEPLOYMENT_CREATED = register(Act("deployment.created", "Deployment created", "created {target}"))
DEPLOYMENT_CHANGED = register(Act("deployment.changed", "Deployment changed", "changed {target}"))
DEPLOYMENT_DELETED = register(Act("deployment.deleted", "Deployment deleted", "deleted {target}"))
TARGET_VERSION_CHANGED = register(
    Act("draft.target-version-changed", "Target version changed", "set the target version to Core {after[version]}")
)
IMPORTED = register(Act("draft.imported", "Settings imported", "imported settings: {note}"))
EXPORTED = register(Act("draft.exported", "Settings exported", "exported the settings: {note}"))
SECRETS_ROTATED = register(Act("draft.secrets-rotated", "Secrets rotated", "encrypted the stored secrets anew"))
