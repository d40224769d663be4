"""What history calls the acts of signing in."""

from dialadmin.history.registry import Act, register

SIGNED_IN = register(Act("staff.signed-in", "Signed in", "signed in as {after[level]}"))
SIGN_IN_FAILED = register(Act("staff.sign-in-failed", "Sign-in failed", "could not sign in: {note}"))
SIGNED_OUT = register(Act("staff.signed-out", "Signed out", "signed out"))
