"""What history calls the acts on roles, users and syncs."""

from dialadmin.history.registry import Act, register

SYNCED = register(Act("sync.applied", "Sync applied", "synced the pool: {note}"))
SYNC_FAILED = register(Act("sync.failed", "Sync failed", "could not sync the pool: {note}"))
SYNC_STOPPED = register(Act("sync.stopped", "Sync stopped", "stopped a sync before it changed anything: {note}"))
USER_ERASED = register(Act("user.erased", "Person erased", "erased the personal data of {target}: {note}"))
SECRET_SHOWN = register(
    Act("pool.secret-shown", "Client secret shown", "had the secret of the app client {target} shown")
)
GROUP_CREATED = register(Act("group.created", "Group created", "created the group {target} in the pool: {note}"))
MEMBER_ADDED = register(
    Act("group.user-added", "Person added to a group", "put {target} into the group {after[group]}: {note}")
)
MEMBER_REMOVED = register(
    Act("group.user-removed", "Person removed from a group", "took {target} out of the group {before[group]}: {note}")
)
ROLE_CREATED = register(Act("role.created", "Role created", "created the role {target}"))
