"""What history calls the acts of signing in."""

from dialadmin.history.registry import Act, register

SIGNED_IN = register(Act("staff.signed-in", "Signed in", "signed in as {after[level]}"))
SIGNED_IN_WITHOUT_LEVEL = register(
    Act("staff.signed-in-without-level", "Signed in without a level", "signed in, in none of the groups that may enter")
)
SIGN_IN_FAILED = register(Act("staff.sign-in-failed", "Sign-in failed", "could not sign in: {note}"))
SIGNED_OUT = register(Act("staff.signed-out", "Signed out", "signed out"))
GROUPS_LOST = register(
    Act("staff.groups-lost", "Groups lost", "found that {target} left groups of the pool; level now: {after[level]}")
)
TOKEN_CREATED = register(
    Act("token.created", "API token created", "made the API token {target}, which may {after[may]}")
)
TOKEN_REVOKED = register(Act("token.revoked", "API token revoked", "revoked the API token {target}"))
TOKEN_USED = register(Act("token.used", "API token used", "fetched {after[what]}"))
TOKEN_REFUSED = register(Act("token.refused", "API token refused", "was refused {after[what]}: {note}"))
